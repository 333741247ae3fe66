"""Whether judges agree, on rows whose ranks were planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from earwitness import registry
from earwitness.authoring.prompt import second_opinions
from earwitness.authoring.prompt.second_opinions import agreements, report
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.results.rows import Row, Status, table
from earwitness.stats import ranks
from earwitness.task import Task
from earwitness.worlds.events import render
from earwitness.worlds.scenes import scene
from earwitness.worlds.sounds import LABELS
from scoring_fakes import task

TASK = registry.task("micro_prompt")
IDS = {"ast": "fid_cf@top30", "cnn": "fid_cf@top30+scale+cnn", "passt": "fid_cf@top30+scale+passt"}
SKILL = {"random": 0.1, "attention": 0.2, "chefer": 0.5, "occlusion": 0.7, "atman": 0.9}
ITEMS = 30


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "CHANCE_DRAWS", 40)


def rows(task_hash: str = TASK.hash, turned: str = "", entrants: tuple[str, ...] = tuple(SKILL)) -> list[Row]:
    """Values of each entrant under each judge: skill and noise; one judge may rank the other way round."""
    rng = np.random.default_rng(0)
    base = Row(
        submission="", submission_hash="", task=TASK.id, task_version=TASK.card.version, task_hash=task_hash, metric="",
        item="", cluster="", generation_seed=0, explainer_seed=0, value=0.0, status=Status.OK, reason="", seconds=0.1,
        forwards=1, backwards=0, peak_bytes=1, isolation="process", run="run",
    )  # fmt: skip
    return [
        replace(
            base,
            submission=name,
            submission_hash=f"{sum(map(ord, name)):016x}",
            metric=metric,
            item=f"test-{number:05d}",
            cluster=f"c{number}",
            value=float(1 - SKILL[name] if judge == turned else SKILL[name]) + 0.02 * float(rng.normal()),
        )
        for name in entrants
        for judge, metric in IDS.items()
        for number in range(ITEMS)
    ]


def test_judges_that_rank_alike_agree_and_one_that_ranks_the_other_way_round_does_not() -> None:
    found = {each.judges: each for each in agreements(TASK, table(rows(turned="passt")))}
    assert list(found) == [("ast", "cnn"), ("ast", "passt"), ("cnn", "passt")]
    assert found["ast", "cnn"].tau == pytest.approx(1)
    assert found["ast", "passt"].tau == found["cnn", "passt"].tau == pytest.approx(-1)
    for each in found.values():
        assert (each.entrants, each.items) == (len(SKILL), ITEMS)
        assert each.unrelated[0] < 0 < each.unrelated[1]


def test_rows_of_another_variant_do_not_count() -> None:
    with pytest.raises(NotComparableError, match="0 entrants have every judge's values; three are needed"):
        agreements(TASK, table(rows(task_hash="0123456789abcdef")))
    with pytest.raises(NotComparableError, match="2 entrants"):
        agreements(TASK, table(rows(entrants=("random", "atman"))))


class Hearing:
    """Stands for model, codec and judges: a judge's top class is one that it is told, whatever the sound."""

    def __init__(self, tops: dict[str, int], labels: tuple[str, ...] = LABELS) -> None:
        self.tops, self.heard = tops, []
        self.judges = {name: SimpleNamespace(labels=labels) for name in tops}

    def presence(self, audio: Tensor, judge: str) -> Tensor:
        self.heard.append(audio)
        return torch.eye(len(LABELS))[self.tops[judge]].repeat(len(audio), 1)


@pytest.fixture
def hearing(monkeypatch: pytest.MonkeyPatch) -> Hearing:
    ears = Hearing({"ast": 0, "cnn": 3})
    monkeypatch.setattr(second_opinions, "load_model", lambda task, device: None)
    monkeypatch.setattr(second_opinions, "load_judges", lambda task, device: {})
    monkeypatch.setattr(second_opinions, "Ensemble", lambda model, judges: ears)
    monkeypatch.setattr(second_opinions, "coded", lambda ensemble, audio: audio)
    return ears


def in_world(folder: Path, **dataset: object) -> Task:
    judges = [{"name": name, "adapter": name, "source": name} for name in ("ast", "cnn")]
    return task(folder, [{"metric": "size"}], dataset={"items": 3, **dataset}, judges=judges)


@pytest.mark.parametrize(
    "dataset",
    [
        {"adapter": "scenes"},
        {"adapter": "scenes", "split": "validation", "seed": 5},
        {"adapter": "scenes", "parameters": {"timed": True}},
    ],
)
def test_judges_hear_scenes_of_the_tasks_own_world_and_split_that_are_none_of_its_items(
    tmp_path: Path, hearing: Hearing, dataset: dict[str, object]
) -> None:
    some = in_world(tmp_path, **dataset)
    found = second_opinions.right_top_classes(some, 4)
    expected = [scene(some.card.dataset.split, index, some.card.dataset.seed + 2) for index in range(4)]
    for audio in hearing.heard:
        assert np.array_equal(audio.numpy(), np.stack([render(each).audio for each in expected]))
    for name, top in hearing.tops.items():
        right = float(np.mean([LABELS[top] in each.labels for each in expected]))
        assert found[name] == (right, right)


def test_a_world_without_scenes_is_refused_in_one_line(tmp_path: Path, hearing: Hearing) -> None:
    with pytest.raises(EarwitnessError, match="words of musiccaps have no rules; worlds that have: scenes"):
        second_opinions.right_top_classes(in_world(tmp_path, adapter="musiccaps"))
    assert not hearing.heard


def test_an_entrant_without_a_judges_values_is_left_out() -> None:
    lacking = [row for row in rows() if (row.submission, row.metric) != ("chefer", IDS["passt"])]
    assert {each.entrants for each in agreements(TASK, table(lacking))} == {len(SKILL) - 1}


def test_the_report_names_every_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_opinions, "right_top_classes", lambda task, sounds: dict.fromkeys(IDS, (1.0, 0.95)))
    lines = report(TASK, table(rows())).splitlines()
    assert "| `passt` | 1.00 | 0.95 |" in lines
    assert "| ranks by fid_cf@top30, 5 entrants, 30 items | Kendall's tau | if unrelated | if ties are ties |" in lines
    assert [line for line in lines if line.startswith("| `ast`, `passt` | 1.00 | ")]
