"""Certification of a band task: what words do to the sound, and that the ceilings are ends."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from band_fakes import FakeBandModel
from band_scoring_fakes import METRICS, FakeJudge, records, task
from earwitness import authoring
from earwitness.authoring import ceilings, cross_fitting, work
from earwitness.authoring.band import certification as stage
from earwitness.datasets import BandRecord
from earwitness.errors import EarwitnessError
from earwitness.metrics import get
from earwitness.scoring import Setting, certificates, loading
from earwitness.scoring.band import truth
from earwitness.scoring.band.scoring import open_scoring
from earwitness.task import MetricCard, Task
from earwitness.tracks.band import BandMap


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeBandModel:
    fake = FakeBandModel()

    def load(setting: Setting) -> list[BandRecord]:
        return records(fake, 2) if setting.fresh is None else records(fake, 6, first=20)

    monkeypatch.setattr(loading, "load_model", lambda task, device: fake)
    monkeypatch.setattr(loading, "load_judges", lambda task, names, device: {"cnn": FakeJudge(fake)})
    monkeypatch.setattr(loading, "load_records", load)
    monkeypatch.setattr(truth, "training_records", lambda setting: [])
    return fake


@pytest.fixture
def some(tmp_path: Path, model: FakeBandModel) -> Task:
    return task(tmp_path / "task", items=2)


def stored(some: Task) -> dict[str, dict[tuple[str, str], float]]:
    """Values of ceiling rows by kind, and by metric and item."""
    found: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for row in pq.read_table(certificates.folder(some) / ceilings.CEILING).to_pylist():
        found[row["kind"]][row["metric"], row["item"]] = row["value"]
    return found


def test_a_certificate_says_what_each_word_does_to_the_sound(some: Task) -> None:
    authoring.certify(some)
    roles = certificates.read_certificate(some)["roles"]
    assert set(roles) == {"instrument", "others", "place", "attention", "filler"}
    for name in ("instrument", "others", "attention", "filler"):
        assert roles[name]["certified"], name
        assert roles[name]["rate"] == 1.0
        assert roles[name]["mean_effect"]["items"] == 6
    assert roles["instrument"]["words"] == 12
    assert roles["instrument"]["mean_effect"]["low"] > 0.5
    assert roles["others"]["mean_effect"]["high"] < 0.1
    assert not list(certificates.folder(some).glob(".*"))


def test_ends_are_stored_of_every_metric_that_has_a_direction(some: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stage.THRESHOLDS, "place", 0.0)
    monkeypatch.setattr(stage, "COSTLY", ())
    stage.certify(some, progress=False)
    found = stored(some)
    ids = {MetricCard(**each).id for each in METRICS if get(each["metric"]).direction != "none"}
    for kind in ("ceiling", "anti", "truth"):
        assert {metric for metric, _ in found[kind]} == ids
        assert {item for _, item in found[kind]} == {"clip-0", "clip-1"}
    for key, value in found["truth"].items():
        ends = sorted([found["ceiling"][key], found["anti"][key]])
        assert ends[0] <= value <= ends[1]
    exact = {"tf_ap", "tf_iou", "f1", "time_ap", "frequency_ap", "profile_corr", "swap_corr"}
    assert [value for key, value in found["ceiling"].items() if key[0] in exact] == pytest.approx([1.0] * 14)
    worst = [value for key, value in found["anti"].items() if key[0] in {"profile_corr", "swap_corr"}]
    assert worst == pytest.approx([-1.0] * 4)
    lower = [key for key in found["ceiling"] if key[0].startswith("deletion_others")]
    assert all(found["ceiling"][key] <= found["anti"][key] for key in lower)


def test_truth_that_fails_has_no_ends(some: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stage.THRESHOLDS, "place", 1.01)
    stage.certify(some, progress=False)
    assert {metric for metric, _ in stored(some)["ceiling"]} == {
        "swap_corr",
        "deletion_drop@25",
        "deletion_drop@50",
        "deletion_others@25",
    }


def test_a_random_map_lies_between_the_ends_on_average(some: Task, tmp_path: Path) -> None:
    stage.certify(some, progress=False)
    found, opened = stored(some), open_scoring(Setting(some, cache=tmp_path / "cache"))
    rng, drops = np.random.default_rng(0), []
    for item in opened.items()[0]:
        explanation = BandMap(rng.random((len(item.tokens), *item.mel.shape)))
        values = {value.metric: value.value for value in opened.score([(item, explanation)])[0]}
        key = ("deletion_drop@25", item.id)
        drops.append((found["anti"][key], values["deletion_drop@25"], found["ceiling"][key]))
    worst, random, best = np.mean(np.array(drops, dtype=float), axis=0)
    assert worst < random < best


def test_a_killed_certification_goes_on_where_it_stopped(some: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = cross_fitting.ends, []

    def dying(search: Any, opened: Any, item: Any, choices: Any) -> Any:
        seen.append(item.id)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(search, opened, item, choices)

    monkeypatch.setattr(cross_fitting, "ends", dying)
    with pytest.raises(KeyboardInterrupt):
        stage.certify(some, progress=False)
    assert (certificates.folder(some) / work.FILE).is_file()
    monkeypatch.setattr(cross_fitting, "trial", lambda *of: pytest.fail("tried twice"))
    stage.certify(some, progress=False)
    assert seen == ["clip-0", "clip-1", "clip-1"]
    resumed = stored(some)
    monkeypatch.undo()
    assert set(resumed) == {"ceiling", "anti", "truth"}


def test_ceilings_made_anew_leave_the_rest_of_the_truth_and_can_be_built_again(some: Task, tmp_path: Path) -> None:
    stage.certify(some, progress=False)
    folder = certificates.folder(some)
    certificate, before = (folder / certificates.CERTIFICATE).read_bytes(), stored(some)
    (folder / ceilings.CEILING).unlink()
    assert authoring.renew(some) == sum(map(len, before.values()))
    assert stored(some) == before
    assert (folder / certificates.CERTIFICATE).read_bytes() == certificate
    assert {path.name for path in folder.iterdir()} == {certificates.CERTIFICATE, ceilings.CEILING}
    opened = open_scoring(Setting(some, cache=tmp_path / "cache"))
    item = opened.items()[0][0]
    own = [row for row in ceilings.read(some) if row["item"] == item.id]
    for choice in {row["choice"] for row in own}:
        explanation = authoring.chosen(opened, item, choice)
        values = {value.metric: value.value for value in opened.score([(item, explanation)])[0]}
        for row in own:
            if row["choice"] == choice:
                assert values[row["metric"]] == pytest.approx(row["value"], abs=1e-6)
    with pytest.raises(EarwitnessError, match="no explanation 'nothing' among its ceiling's candidates: truth, not tr"):
        authoring.chosen(opened, item, "nothing")


def test_a_role_of_which_nothing_was_seen_is_not_certified() -> None:
    empty = [{"role": "filler", "wins": [], "amounts": []}]
    found = stage.verdict("filler", empty)
    assert (found["certified"], found["rate"], found["words"]) == (False, None, 0)


def test_a_rate_without_an_effect_above_zero_is_not_enough() -> None:
    rows = [{"role": "place", "wins": [True, True], "amounts": [1.0, amount]} for amount in (2.0, -3.0, 2.0, -3.5)]
    found = stage.verdict("place", rows)
    assert (found["rate"], found["reached"], found["certified"]) == (1.0, True, False)
    assert found["mean_effect"]["low"] <= 0


def test_a_task_without_a_judge_or_of_a_published_dataset_is_refused(
    tmp_path: Path, model: FakeBandModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = task(tmp_path / "bare", [{"metric": "tf_ap"}], judge=False)
    with pytest.raises(EarwitnessError, match="no judge, so nothing can be certified"):
        stage.certify(bare, progress=False)
    monkeypatch.setattr("earwitness.datasets.stems.MADE", False)
    with pytest.raises(EarwitnessError, match="no made world, so nothing can be certified"):
        stage.certify(task(tmp_path / "other"), progress=False)
