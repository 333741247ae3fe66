"""Concept task cards for published autoencoders run end to end on tiny random ones and a made folder of notes."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concept_baselines import concept_baseline
from earwitness import registry
from earwitness.datasets import ConceptRecord
from earwitness.datasets.notes import load
from earwitness.results import rows
from earwitness.results.rows import Status
from earwitness.scoring import Setting
from earwitness.scoring.concept.scoring import open_scoring
from earwitness.task import read_task
from in_process import earwitness_here
from tiny_autoencoders import (
    OOBLECK_RATE,
    WAV_RATE,
    install_wavtokenizer,
    tiny_encodec,
    tiny_oobleck,
    tiny_wavtokenizer,
)

SUBMISSION = "random_topk"
SECONDS = 0.3
RATE = 16_000
Run = Callable[..., tuple[str, dict[str, list[dict[str, Any]]]]]
pytestmark = pytest.mark.timeout(600)


def notes(folder: Path, rate: int, items: int = 2, each: int = 6) -> Path:
    """Sines of which pitch and level differ, with their table: `each` training and test clips an item."""
    folder.mkdir(parents=True)
    lines, rng = ["file,split,pitch,loudness"], np.random.default_rng(0)
    for index in range(2 * items * each):
        pitch, level = 55 + index % 12, float(rng.uniform(-30, -10))
        time = np.arange(round(SECONDS * rate)) / rate
        wave = 10 ** (level / 20) * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)
        soundfile.write(folder / f"{index:03d}.wav", wave, rate)
        lines.append(f"{index:03d}.wav,{('train', 'test')[index % 2]},{pitch},{level:.3f}")
    (folder / "notes.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return folder


def card(folder: Path, task: str, changes: dict[str, str]) -> Path:
    """A task's card with nothing changed but where model and clips are read from, and how many and long they are."""
    text = (registry.task(task).folder / "task.toml").read_text(encoding="utf-8")
    for old, new in {"items = 4": "items = 2", "seconds = 2.0": f"seconds = {SECONDS}", **changes}.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "task.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """What a run of a task prints on stderr, and its rows by item."""

    def run(task: Path, code: int, boxes: Collection[str] = ()) -> tuple[str, dict[str, list[dict[str, Any]]]]:
        words = ["run", "--task", str(task), "--submission", SUBMISSION, "--out", str(tmp_path / "runs")]
        ended, _, said = earwitness_here(words, monkeypatch, capsys, boxes)
        assert ended == code, said
        (folder,) = (tmp_path / "runs").glob(f"{task.name}__{SUBMISSION}__*")
        by_item: dict[str, list[dict[str, Any]]] = {}
        for row in rows.read_run(folder).to_pylist():
            by_item.setdefault(row["item"], []).append(row)
        return said, by_item

    return run


def check(task: str, found: list[dict[str, Any]]) -> None:
    """Every metric of the card has a finite value."""
    assert {row["metric"] for row in found} == {metric.id for metric in registry.task(task).card.metrics}
    assert {row["status"] for row in found} == {"ok"}
    assert all(np.isfinite(row["value"]) for row in found)


FAULTS = {
    "silent": "silent",
    "clipped": "clipped",
    "text": "factor loudness is 'loud', which is no finite number",
    "nan": "factor loudness is 'nan', which is no finite number",
    "one value": "factor pitch has one value, 60",
}


def spoil(folder: Path, fault: str, record: ConceptRecord) -> None:
    """Give a study a fault, in its test clips, which their loudness tells."""
    table = folder / "notes.csv"
    lines = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
    wanted = set(record.test.factors["loudness"].tolist())
    own = [line for line in lines[1:] if float(line[3].replace("loud", "nan")) in wanted]
    if fault == "silent":
        soundfile.write(folder / own[0][0], np.zeros(2000), OOBLECK_RATE)
    elif fault == "clipped":
        soundfile.write(folder / own[0][0], np.clip(5 * np.sin(np.arange(2000) / 5), -1, 1), OOBLECK_RATE)
    elif fault == "one value":
        for line in own:
            line[2] = "60"
    else:
        own[0][3] = {"text": "loud", "nan": "nan"}[fault]
    table.write_text("\n".join([*(",".join(line) for line in lines), ""]), encoding="utf-8")


def test_oobleck_notes_runs_on_a_tiny_model_and_shows_each_study_with_a_fault(tmp_path: Path, run: Run) -> None:
    task = tmp_path / "oobleck_notes"
    tiny_oobleck(task / "model")
    items = len(FAULTS) + 1
    folder = notes(tmp_path / "clips", OOBLECK_RATE, items)
    records = load(str(folder), items=items, seconds=SECONDS)
    for fault, record in zip(FAULTS, records, strict=False):
        spoil(folder, fault, record)
    changes = {
        '"stabilityai/stable-audio-open-1.0"': '"model"', ', subfolder = "vae"': "", "items = 4": f"items = {items}",
        '"notes"\nsplit': f'"{folder}"\nsplit', 'factors = "estimated", ': "",
    }  # fmt: skip
    said, found = run(card(task, task.name, changes), code=4)
    check(task.name, found.pop(records[-1].id))
    for (fault, says), record in zip(FAULTS.items(), records, strict=False):
        rows_of = found.pop(record.id)
        assert {row["status"] for row in rows_of} == {"invalid"}, fault
        assert all(says in row["reason"] and "\n" not in row["reason"] for row in rows_of), fault
    assert not found
    assert "silent" in said


def test_encodec_notes_runs_on_a_tiny_model_with_factors_estimated_from_the_sound(tmp_path: Path, run: Run) -> None:
    task = tmp_path / "encodec_notes"
    tiny_encodec(task / "model", sampling_rate=RATE, target_bandwidths=[2.0, 24.0])
    folder = notes(tmp_path / "clips", RATE)
    changes = {'"facebook/encodec_24khz"': '"model"', '"notes"\nsplit': f'"{folder}"\nsplit'}
    _, found = run(card(task, task.name, changes), code=0, boxes=(SUBMISSION,))
    assert len(found) == 2
    for each in found.values():
        check(task.name, each)


def test_wavtokenizer_notes_is_scored_on_a_double_of_its_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_wavtokenizer(monkeypatch)
    task = tmp_path / "wavtokenizer_notes"
    tiny_wavtokenizer(task / "model")
    folder = notes(tmp_path / "clips", WAV_RATE)
    changes = {
        '"WavTokenizer"\nparameters': '"model"\nparameters', '"notes"\nsplit': f'"{folder}"\nsplit',
        'factors = "estimated", ': "",
    }  # fmt: skip
    scoring = open_scoring(Setting(read_task(card(task, task.name, changes)), cache=tmp_path / "cache"))
    explainer = concept_baseline(SUBMISSION)
    items, problems = scoring.items()
    assert (len(items), problems) == (2, [])
    for values in scoring.score([(item, explainer.explain(scoring.model, item)) for item in items]):
        assert {value.metric for value in values} == {metric.id for metric in registry.task(task.name).card.metrics}
        assert {value.status for value in values} == {Status.OK}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"items = 2": "items = 3"}, "an item needs at least 5, the folds of a probe"),
        ({"seconds = 0.3": "seconds = 0.3, folds = 13"}, "the folds of a probe"),
    ],
)
def test_fewer_clips_than_probe_folds_end_in_one_line(
    tmp_path: Path,
    change: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = tmp_path / "encodec_notes"
    tiny_encodec(task / "model", sampling_rate=RATE, target_bandwidths=[2.0, 24.0])
    folder = notes(tmp_path / "clips", RATE)
    card(task, task.name, {'"facebook/encodec_24khz"': '"model"', '"notes"\nsplit': f'"{folder}"\nsplit'})
    text = (task / "task.toml").read_text(encoding="utf-8")
    for old, new in change.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (task / "task.toml").write_text(text, encoding="utf-8")
    words = ["run", "--task", str(task), "--submission", SUBMISSION, "--out", str(tmp_path)]
    code, _, told = earwitness_here(words, monkeypatch, capsys)
    assert code == 4
    assert says in told
