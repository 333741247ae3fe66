"""Choosing candidates on fresh items: what is chosen, what is asked of whom, and that pure noise gets no ceiling."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from earwitness.authoring import ceilings, cross_fitting, work
from earwitness.authoring.cross_fitting import CHOICE_SEED, Search, choose, cross_fitted, halves, renew
from earwitness.errors import EarwitnessError
from earwitness.scoring import Setting, Value
from earwitness.seeds import derive
from scoring_fakes import task

FRESH, ITEMS = 20, 30
NAMES = [f"candidate {number}" for number in range(6)]


def column(name: str, direction: str = "higher") -> SimpleNamespace:
    return SimpleNamespace(id=name, metric=SimpleNamespace(name=name, direction=direction))


class PlantedScoring:
    """A candidate is its own name; `worth` says its value by metric, on which item."""

    def __init__(self, setting: Setting, worth: Any, metrics: list[SimpleNamespace]) -> None:
        self.setting, self.worth, self.metrics = setting, worth, metrics
        self.originals = SimpleNamespace(seeds=(0,))
        self.asked: list[tuple[str, str, str]] = []
        self.loaded: list[str] = []

    @cached_property
    def model(self) -> str:
        self.loaded.append("model")
        return "model"

    def items(self) -> tuple[list[SimpleNamespace], list[Any]]:
        count = ITEMS if self.setting.fresh is None else self.setting.task.card.dataset.items
        kind = "card" if self.setting.fresh is None else f"fresh {self.setting.fresh}"
        return [SimpleNamespace(id=f"{kind}-{number}") for number in range(count)], []

    def clusters(self) -> dict[str, str]:
        """Clusters of three."""
        return {item.id: str(number // 3) for number, item in enumerate(self.items()[0])}

    def score(self, pairs: list[tuple[Any, str]]) -> list[list[Value]]:
        assert self.model
        ((item, name),) = pairs
        self.asked += [(item.id, name, each.id) for each in self.metrics]
        found = [(each, self.worth(each.id, item.id, name)) for each in self.metrics]
        return [[Value(each.id, 0, value, "skipped" if value is None else "ok") for each, value in found]]


def searching(worth: Any, metrics: list[SimpleNamespace], truth: str = "") -> tuple[Search, list[PlantedScoring]]:
    opened: list[PlantedScoring] = []

    def opening(setting: Setting) -> PlantedScoring:
        opened.append(PlantedScoring(setting, worth, metrics))
        return opened[-1]

    def candidates(scoring: Any, item: Any) -> dict[str, Any]:
        return {name: (lambda name=name: name) for name in NAMES}

    return Search(opening, candidates, FRESH, truth=truth, unknown=("unknown",)), opened


PUBLISHED = {"adapter": "librispeech", "identity": "fake@1", "source": "LibriSpeech", "items": 6}
"""A dataset of which nothing is drawn afresh."""


def rows_of(search: Search, folder: Path, **changes: object) -> list[dict[str, Any]]:
    kept_nowhere: Any = SimpleNamespace(rows=lambda stage, item, compute: compute())
    some = task(folder, [{"metric": "size"}], **changes)
    return cross_fitted(search, Setting(some), work.bars(False), kept_nowhere)


def noise(draw: int) -> Any:
    """A metric of pure noise: the value is drawn from the explanation and the item."""
    return lambda metric, item, name: derive(draw, metric, item, name) / 2**63


@pytest.mark.parametrize("changes", [{}, {"dataset": PUBLISHED}])
def test_a_metric_of_pure_noise_has_a_ceiling_no_better_than_random(tmp_path: Path, changes: dict[str, Any]) -> None:
    draws, ahead, optimistic = 100, 0, 0
    for draw in range(draws):
        worth = noise(draw)
        search, _ = searching(worth, [column("noise")])
        rows = rows_of(search, tmp_path, **changes)
        random = {row["item"]: worth("noise", row["item"], "random") for row in rows}
        gain = [row["value"] - random[row["item"]] for row in rows if row["kind"] == "ceiling"]
        best = [max(worth("noise", item, name) for name in NAMES) - value for item, value in random.items()]
        ahead += ttest_1samp(gain, 0, alternative="greater").pvalue < 0.05
        optimistic += ttest_1samp(best, 0, alternative="greater").pvalue < 0.05
    assert ahead <= draws * 0.05 + 3 * np.sqrt(draws * 0.05 * 0.95)
    assert optimistic > 0.95 * draws


def test_only_the_chosen_are_asked_of_the_scored_items_and_none_of_these_chooses(tmp_path: Path) -> None:
    order = {name: float(number) for number, name in enumerate(NAMES)}

    def worth(metric: str, item: str, name: str) -> float:
        # On the scored items the order is the reverse: who looked at them would choose another.
        return order[name] if item.startswith("fresh") else -order[name]

    search, opened = searching(worth, [column("up"), column("down", "lower"), column("size", "none")])
    rows = rows_of(search, tmp_path)
    fresh, own = opened
    assert fresh.setting.fresh == CHOICE_SEED != 1
    assert len({item for item, _, _ in fresh.asked}) == FRESH
    assert not {item for item, _, _ in fresh.asked} & {item for item, _, _ in own.asked}
    assert {(name, metric) for _, name, metric in fresh.asked} == {(n, m) for n in NAMES for m in ("up", "down")}
    assert {(name, metric) for _, name, metric in own.asked} == {
        (n, m) for n in (NAMES[0], NAMES[-1]) for m in ("up", "down")
    }
    assert {(row["metric"], row["kind"], row["choice"], row["value"]) for row in rows} == {
        ("up", "ceiling", NAMES[-1], -5.0),
        ("up", "anti", NAMES[0], 0.0),
        ("down", "ceiling", NAMES[0], 0.0),
        ("down", "anti", NAMES[-1], -5.0),
    }
    assert {each.loaded == ["model"] for each in opened} == {True}


def test_where_nothing_is_drawn_afresh_one_half_of_the_clusters_chooses_for_the_other(tmp_path: Path) -> None:
    order = {name: float(number) for number, name in enumerate(NAMES)}
    second = dict(zip(map(str, range(ITEMS // 3)), halves([str(number) for number in range(ITEMS // 3)]), strict=True))

    def worth(metric: str, item: str, name: str) -> float | None:
        if metric == "rare" and name != NAMES[1]:
            return None
        # On one half of the clusters the order is the reverse of that on the other.
        return -order[name] if second[str(int(item.partition("-")[2]) // 3)] else order[name]

    search, opened = searching(worth, [column("up"), column("rare"), column("size", "none")], truth=NAMES[2])
    rows = rows_of(search, tmp_path, dataset=PUBLISHED)
    (own,) = opened
    assert own.setting.fresh is None
    assert len(own.asked) == len(set(own.asked)) == ITEMS * len(NAMES) * 2
    kept = {(row["metric"], row["kind"], row["choice"], row["value"]) for row in rows if row["metric"] == "up"}
    # Each half is scored by what the other, of the reverse order, chose: the worst of its own.
    assert kept == {
        ("up", "ceiling", NAMES[0], 0.0),
        ("up", "ceiling", NAMES[-1], -5.0),
        ("up", "anti", NAMES[0], 0.0),
        ("up", "anti", NAMES[-1], 5.0),
        ("up", "truth", NAMES[2], 2.0),
        ("up", "truth", NAMES[2], -2.0),
    }
    assert {row["choice"] for row in rows if row["metric"] == "rare"} == {NAMES[1]}
    order_of_rows = [int(row["item"].partition("-")[2]) for row in rows]
    assert order_of_rows == sorted(order_of_rows)


def test_halves_tear_no_cluster_and_are_even() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        clusters = rng.integers(0, 8, 40).astype(str).tolist()
        second = halves(clusters)
        assert len(set(zip(clusters, second, strict=True))) == len(set(clusters))
        assert abs(sum(second) - 20) <= max(map(clusters.count, clusters)) / 2


def test_items_of_one_cluster_have_no_halves(tmp_path: Path) -> None:
    search, _ = searching(noise(0), [column("m")])
    opening = search.open_scoring

    def of_one(setting: Setting) -> Any:
        scoring = opening(setting)
        scoring.clusters = lambda: dict.fromkeys((item.id for item in scoring.items()[0]), "one")
        return scoring

    with pytest.raises(EarwitnessError, match="its 30 items are of one cluster, and ceilings are chosen on one half"):
        rows_of(Search(of_one, search.candidates, FRESH), tmp_path, dataset=PUBLISHED)


def test_what_takes_long_is_announced_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter(range(0, 100_000, 1000))
    monkeypatch.setattr("earwitness.authoring.work.time.monotonic", lambda: next(clock))
    kept: Any = SimpleNamespace(rows=lambda stage, item, compute: [] if item == "0" else compute())
    items: list[Any] = [SimpleNamespace(id=str(number)) for number in range(10)]
    with work.bars(True) as bars:
        assert work.each(bars, "ceilings", items, kept, lambda item: []) == []
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.count("ceilings: about 2.2 hours for the 8 items that are left") == 1


def test_the_truths_own_values_are_kept_where_it_says_something(tmp_path: Path) -> None:
    search, _ = searching(noise(0), [column("known"), column("unknown")], truth=NAMES[2])
    truths = [row for row in rows_of(search, tmp_path) if row["kind"] == "truth"]
    assert {(row["metric"], row["choice"]) for row in truths} == {("known", NAMES[2])}
    assert len(truths) == ITEMS


def test_a_candidate_without_a_value_on_some_items_is_not_chosen() -> None:
    rows = [{"metric": "m", "candidate": "whole", "value": value} for value in (0.1, 0.2)]
    rows += [{"metric": "m", "candidate": "worse", "value": value} for value in (0.0, 0.1)]
    rows += [{"metric": "m", "candidate": "rare", "value": 9.0}]
    some: Any = [column("m"), column("never asked"), column("size", "none")]
    assert choose(rows, some) == {("m", "ceiling"): "whole", ("m", "anti"): "worse"}


def test_choosing_is_the_mean_of_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 4))
    rows = [
        {"metric": "m", "candidate": str(which), "value": values[item, which]}
        for item in range(5)
        for which in range(4)
    ]
    totals = [sum(values[item, which] for item in range(5)) for which in range(4)]
    some: Any = [column("m", "lower")]
    expected = {("m", "ceiling"): str(totals.index(min(totals))), ("m", "anti"): str(totals.index(max(totals)))}
    assert choose(rows, some) == expected


def test_ceilings_that_were_stopped_go_on_where_they_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some, search = task(tmp_path, [{"metric": "size"}]), searching(noise(0), [column("m")])[0]
    real, seen = {name: getattr(cross_fitting, name) for name in ("trial", "ends")}, []

    def dying(stage: str, at: int) -> Any:
        def run(*given: Any) -> Any:
            if len(seen) == at:
                raise KeyboardInterrupt
            seen.append((stage, next(each.id for each in given if isinstance(each, SimpleNamespace))))
            return real[stage](*given)

        return run

    for at in (7, FRESH + 11):
        for stage in real:
            monkeypatch.setattr(cross_fitting, stage, dying(stage, at))
        with pytest.raises(KeyboardInterrupt):
            renew(search, some, "cpu", False)
    for stage in real:
        monkeypatch.setattr(cross_fitting, stage, dying(stage, -1))
    assert renew(search, some, "cpu", False) == 2 * ITEMS
    assert len(seen) == len(set(seen)) == FRESH + ITEMS
    rows = ceilings.read(some)
    assert not [path for path in (tmp_path / "truth").iterdir() if path.name.startswith(".")]
    monkeypatch.undo()
    renew(search, some, "cpu", False)
    assert ceilings.read(some) == rows
