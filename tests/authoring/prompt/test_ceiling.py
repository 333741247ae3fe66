from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from earwitness.authoring.prompt import ceiling
from earwitness.metrics.fidelity import fid_cf, fid_f
from earwitness.scoring.columns import read_columns
from earwitness.scoring.prompt.originals import JudgeAnswers
from earwitness.scoring.prompt.responses import PromptRespondent
from scoring_fakes import FakeJudge, FakeModel, heard, item, task

PROMPT = "the loud dog and rain nearby"
FIDS = [
    {"metric": "fid_f", "parameters": {"mask": "top30"}},
    {"metric": "fid_cf", "parameters": {"mask": "top30"}},
    {"metric": "logit_kl_f", "parameters": {"mask": "top30"}},
]


def searched(prompt: str = PROMPT) -> ceiling.Searched:
    original = JudgeAnswers(heard("dog", "dog", "rain").astype(np.float32), {})
    some = PromptRespondent(FakeModel(), {"ear": FakeJudge()})  # type: ignore[arg-type]
    return ceiling.Searched(some, item(prompt), {"ear": original}, lambda name, seed: seed)


def test_the_best_and_the_worst_set_of_words_are_found(tmp_path: Path) -> None:
    # Two of six words are kept; the judge's top class is the dog's.
    rows = ceiling.search(searched(), read_columns(task(tmp_path, FIDS)), [0])
    found = {(row["metric"], row["kind"]): row["value"] for row in rows}
    original = heard("dog", "dog", "rain")
    assert found["fid_f@top30", "ceiling"] == pytest.approx(fid_f(original, heard("dog")))
    assert found["fid_f@top30", "anti"] == pytest.approx(fid_f(original, heard("rain")))
    assert found["fid_cf@top30", "ceiling"] == pytest.approx(fid_cf(original, heard("rain")))
    assert found["fid_cf@top30", "anti"] == pytest.approx(fid_cf(original, heard("dog")))
    assert found["logit_kl_f@top30", "ceiling"] < found["logit_kl_f@top30", "anti"] + 1e-12


def test_no_explanation_of_whole_words_is_beyond_ceiling_and_anti(tmp_path: Path) -> None:
    some, readings = searched(), read_columns(task(tmp_path, FIDS))
    bounds = {(row["metric"], row["kind"]): row["value"] for row in ceiling.search(some, readings, [0])}
    for reading in readings:
        values = [some.value(reading, words, 0) for words in combinations(range(6), 2)]
        ends = sorted([bounds[reading.id, "ceiling"], bounds[reading.id, "anti"]])
        assert ends == pytest.approx([min(values), max(values)])


def test_every_generation_seed_has_its_ceiling_and_soft_masks_have_none(tmp_path: Path) -> None:
    readings = read_columns(task(tmp_path, [*FIDS, {"metric": "fid_f", "parameters": {"mask": "soft"}}]))
    rows = ceiling.search(searched(), readings, [0, 1])
    assert {row["metric"] for row in rows} == {"fid_f@top30", "fid_cf@top30", "logit_kl_f@top30"}
    assert {row["generation_seed"] for row in rows if row["metric"] == "fid_f@top30"} == {0, 1}
    assert {row["generation_seed"] for row in rows if row["metric"] == "logit_kl_f@top30"} == {0}


def test_the_greedy_search_finds_the_best_set_where_words_do_not_interact(tmp_path: Path) -> None:
    (reading, *_) = read_columns(task(tmp_path, FIDS))
    some = searched()
    best = ceiling.greedy(some, reading, 0, -1)
    assert best == pytest.approx(fid_f(heard("dog", "dog", "rain"), heard("dog")))


def test_too_many_sets_are_searched_greedily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "EXHAUSTIVE", 3)
    some = searched()
    assert some.candidates("top30") is None
    rows = ceiling.search(some, read_columns(task(tmp_path, FIDS[:1])), [0])
    assert rows[0]["value"] == pytest.approx(fid_f(heard("dog", "dog", "rain"), heard("dog")))


def test_words_of_several_tokens_fill_the_mask_as_far_as_they_can() -> None:
    some = searched("dog rain bell siren engine chirp")
    some.tokens = np.array([2, 2, 1, 1, 1, 1])
    some.owner = np.repeat(np.arange(6), some.tokens)
    # Three tenths of eight tokens are two: one long word or two short ones.
    assert some.candidates("top30") == [(0,), (1,), *combinations(range(2, 6), 2)]
