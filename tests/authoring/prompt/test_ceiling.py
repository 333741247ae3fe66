from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from earwitness.authoring.prompt import ceiling
from earwitness.errors import EarwitnessError
from earwitness.metrics.fidelity import fid_cf, fid_f
from earwitness.scoring import Setting
from earwitness.scoring.columns import Column, read_columns
from earwitness.scoring.prompt.masks import mask
from earwitness.scoring.prompt.originals import JudgeAnswers
from earwitness.scoring.prompt.responses import Ask, GeneratedSound, PromptRespondent
from earwitness.scoring.prompt.scoring import open_scoring
from earwitness.seeds import derive
from scoring_fakes import FRAMES, FakeJudge, FakeModel, heard, item, served, task

PROMPT = "the loud dog and rain nearby"
FIDS = [
    {"metric": "fid_f", "parameters": {"mask": "top30"}},
    {"metric": "fid_cf", "parameters": {"mask": "top30"}},
    {"metric": "logit_kl_f", "parameters": {"mask": "top30"}},
]


NOISES = ceiling.Noises((7, 8), {0: 10})


def part(column: Column) -> ceiling.Judged:
    """Of the answers under the first noise that sets are chosen under."""
    return ceiling.Judged() if column.id.startswith("logit") else ceiling.Judged(NOISES.selection)


def searched(prompt: str = PROMPT) -> ceiling.Searched:
    original = JudgeAnswers(heard("dog", "dog", "rain").astype(np.float32), {})
    some = PromptRespondent(FakeModel(), {"ear": FakeJudge()})  # type: ignore[arg-type]
    return ceiling.Searched(some, item(prompt), {"ear": original})


def test_the_best_and_the_worst_set_of_words_are_found(tmp_path: Path) -> None:
    # Two of six words are kept; the judge's top class is the dog's.
    rows = ceiling.search(searched(), read_columns(task(tmp_path, FIDS)), NOISES)
    found = {(row["metric"], row["kind"]): row["value"] for row in rows}
    original = heard("dog", "dog", "rain")
    assert found["fid_f@top30", "ceiling"] == pytest.approx(fid_f(original, heard("dog")))
    assert found["fid_f@top30", "anti"] == pytest.approx(fid_f(original, heard("rain")))
    assert found["fid_cf@top30", "ceiling"] == pytest.approx(fid_cf(original, heard("rain")))
    assert found["fid_cf@top30", "anti"] == pytest.approx(fid_cf(original, heard("dog")))
    assert found["logit_kl_f@top30", "ceiling"] < found["logit_kl_f@top30", "anti"] + 1e-12


def test_no_explanation_of_whole_words_is_beyond_ceiling_and_anti(tmp_path: Path) -> None:
    some, readings = searched(), read_columns(task(tmp_path, FIDS))
    bounds = {(row["metric"], row["kind"]): row["value"] for row in ceiling.search(some, readings, NOISES)}
    sets = list(combinations(range(6), 2))
    some.ask((reading, words, noise) for reading in readings for words in sets for noise in part(reading).noises)
    for reading in readings:
        values = [some.value(reading, words, part(reading)) for words in sets]
        ends = sorted([bounds[reading.id, "ceiling"], bounds[reading.id, "anti"]])
        assert ends == pytest.approx([min(values), max(values)])


def test_every_generation_seed_has_its_ceiling_and_soft_masks_have_none(tmp_path: Path) -> None:
    readings = read_columns(task(tmp_path, [*FIDS, {"metric": "fid_f", "parameters": {"mask": "soft"}}]))
    rows = ceiling.search(searched(), readings, ceiling.Noises((7,), {0: 10, 1: 11}))
    assert {row["metric"] for row in rows} == {"fid_f@top30", "fid_cf@top30", "logit_kl_f@top30"}
    assert {row["generation_seed"] for row in rows if row["metric"] == "fid_f@top30"} == {0, 1}
    assert {row["generation_seed"] for row in rows if row["metric"] == "logit_kl_f@top30"} == {0}


def test_the_greedy_search_finds_the_best_set_where_words_do_not_interact(tmp_path: Path) -> None:
    (reading, *_) = read_columns(task(tmp_path, FIDS))
    some = searched()
    words = ceiling.greedy(some, reading, -1, part(reading))
    assert some.value(reading, words, part(reading)) == pytest.approx(fid_f(heard("dog", "dog", "rain"), heard("dog")))


def test_too_many_sets_are_searched_greedily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "EXHAUSTIVE", 3)
    some = searched()
    assert some.candidates("top30") is None
    rows = ceiling.search(some, read_columns(task(tmp_path, FIDS[:1])), NOISES)
    assert rows[0]["value"] == pytest.approx(fid_f(heard("dog", "dog", "rain"), heard("dog")))


def test_words_of_several_tokens_fill_the_mask_as_far_as_they_can() -> None:
    some = searched("dog rain bell siren engine chirp")
    some.tokens = np.array([2, 2, 1, 1, 1, 1])
    some.owner = np.repeat(np.arange(6), some.tokens)
    # Three tenths of eight tokens are two: one long word or two short ones.
    assert some.candidates("top30") == [(0,), (1,), *combinations(range(2, 6), 2)]


class NoisySounds(PromptRespondent):
    """Sounds of pure noise: what a judge hears is drawn from the noise's seed and the mask, whatever the words."""

    def sounds(self, asks, judges, keep=lambda ask: False):  # type: ignore[no-untyped-def]
        found = {}
        for ask in asks:
            rng = np.random.default_rng(derive(ask.item.id, ask.seed, ask.mask.tobytes().hex()) % 2**32)
            found[ask.key] = GeneratedSound(
                {name: rng.dirichlet(np.ones(8)).astype(np.float32) for name in judges}, None
            )
        return found


class PureNoise:
    """An item of which any set of words has a value that is drawn from the item, the set and the noise."""

    def __init__(self, name: str) -> None:
        self.item = SimpleNamespace(id=name)
        self.sets = list(combinations(range(4), 2))

    def candidates(self, name: str) -> list[tuple[int, ...]]:
        return self.sets

    def ask(self, questions: Iterable[object]) -> None:
        pass

    def value(self, column: Column, words: tuple[int, ...], part: ceiling.Judged) -> float:
        return float(np.mean([derive(self.item.id, noise, *words) / 2**63 for noise in part.noises]))


def test_a_metric_of_pure_noise_has_a_ceiling_no_better_than_random(tmp_path: Path) -> None:
    (column,) = read_columns(task(tmp_path, [{"metric": "fid_cf", "parameters": {"mask": "top50"}}]))
    draws, ahead, optimistic = 100, 0, 0
    noises = ceiling.Noises((7, 8), {0: 10})
    for draw in range(draws):
        some = [PureNoise(f"{draw}-{number}") for number in range(15)]
        rows = [ceiling.search(each, [column], noises)[0] for each in some]  # type: ignore[arg-type]
        values = [[each.value(column, words, ceiling.Judged((10,))) for words in each.sets] for each in some]
        random = [derive(each.item.id, "random") / 2**63 for each in some]
        gain = [row["value"] - floor for row, floor in zip(rows, random, strict=True)]
        best = [max(own) - floor for own, floor in zip(values, random, strict=True)]
        ahead += ttest_1samp(gain, 0, alternative="greater").pvalue < 0.05
        optimistic += ttest_1samp(best, 0, alternative="greater").pvalue < 0.05
    assert ahead <= draws * 0.05 + 3 * np.sqrt(draws * 0.05 * 0.95)
    assert optimistic > 0.95 * draws


@pytest.mark.parametrize("most", [ceiling.SHORTLIST, 3])
def test_sets_are_chosen_by_selection_noises_alone_and_scored_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The same rows as a slow computation that generates every set under every noise."""
    monkeypatch.setattr(ceiling, "SHORTLIST", most)
    columns = read_columns(task(tmp_path, FIDS[:2]))
    noises = ceiling.Noises((7, 8), {0: 10, 1: 11})
    original = heard("dog", "dog", "rain").astype(np.float32)
    noisy = NoisySounds(FakeModel(), {"ear": FakeJudge()})  # type: ignore[arg-type]
    some = ceiling.Searched(noisy, item(PROMPT), {"ear": JudgeAnswers(original, {})})
    rows = {(r["metric"], r["kind"], r["generation_seed"]): r for r in ceiling.search(some, columns, noises)}

    def slow(column: Column, words: tuple[int, ...], noise: int) -> float:
        mask = np.zeros((FRAMES, 7), dtype=np.float32)
        mask[:, list(words)] = 1
        if column.response.removed:
            mask = 1 - mask
            mask[:, -1] = 0
        ask = Ask(item(PROMPT), mask, noise)
        return column.value(original, noisy.sounds([ask], ["ear"])[ask.key].answers["ear"])

    sets = list(combinations(range(6), 2))
    for column in columns:
        for kind, higher in (("ceiling", True), ("anti", False)):
            sign = 1 if (column.metric.direction == "higher") == higher else -1
            left = sorted(sets, key=lambda words: sign * slow(column, words, 7), reverse=True)[:most]
            words = max(left, key=lambda words: sign * np.mean([slow(column, words, n) for n in (7, 8)]))
            for seed, noise in noises.generation.items():
                row = rows[column.id, kind, seed]
                assert row["choice"] == " ".join(map(str, words))
                assert row["value"] == pytest.approx(slow(column, words, noise))


def test_selection_noises_are_no_generation_seed_of_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch)
    scoring = open_scoring(Setting(task(tmp_path, FIDS, generation_seeds=list(range(50))), cache=tmp_path / "cache"))
    for each in scoring.items()[0]:
        noises = ceiling.Noises.of(scoring, each)
        fresh = {scoring.originals.fresh_noise(each.id, seed) for seed in range(50)}
        assert len(set(noises.selection)) == ceiling.SELECTIONS
        assert not set(noises.selection) & {*noises.generation.values(), *fresh, each.seed, each.explainer_seed}


def test_teacher_forced_sets_are_chosen_on_one_half_of_the_frames_and_scored_on_the_other(tmp_path: Path) -> None:
    (column,) = read_columns(task(tmp_path, FIDS[2:]))
    some = searched("loud dog rain")
    some.ask((column, (word,), 0) for word in range(3))
    # Even frames are best kept by word 0 and odd ones by word 2, which is worst on the even ones.
    levels = {0: [0.0, 3.0], 1: [1.0, 2.0], 2: [2.0, 1.0]}
    original = np.zeros((1, FRAMES, 2), dtype=np.float32)
    for word, level in levels.items():
        changed = original.copy()
        changed[0, :, 0] = np.resize(level, FRAMES)
        key = some._question(column, (word,), 0).key
        some._logits[key] = changed
    some._original = original
    rows = {row["kind"]: row for row in ceiling.search(some, [column], NOISES)}
    kl = {level: column.value(original[:, :1], original[:, :1] + [level, 0]) for level in (0.0, 1.0, 2.0, 3.0)}
    assert rows["ceiling"]["value"] == pytest.approx((kl[3.0] + kl[2.0]) / 2)
    assert rows["anti"]["value"] == pytest.approx((kl[1.0] + kl[0.0]) / 2)
    assert rows["ceiling"]["choice"] == "2 | 0"


def test_a_choice_is_the_explanation_whose_masks_keep_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch)
    scoring = open_scoring(Setting(task(tmp_path, FIDS), cache=tmp_path / "cache"))
    some = scoring.items()[0][0]
    frames, special = some.codes.shape[1], some.special
    for choice, kept in (("0 2", [0, 2]), ("1 > 0", [1, 0])):
        made = ceiling.chosen(scoring, some, choice)
        made.check(some)
        found = mask(f"top{round(100 * len(kept) / (~special).sum())}", made, some, 0)
        assert [set(np.flatnonzero(row).tolist()) for row in found] == [set(kept)] * frames
    halved = ceiling.chosen(scoring, some, "0 | 1").weights
    assert [row.argmax() for row in halved] == [frame % 2 for frame in range(frames)]
    with pytest.raises(EarwitnessError, match="choice '0 99': 99 is none of the 11 words, counted from 0"):
        ceiling.chosen(scoring, some, "0 99")
