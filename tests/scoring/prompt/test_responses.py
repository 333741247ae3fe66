from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from earwitness.scoring.prompt.responses import Ask, PromptRespondent
from earwitness.tracks.prompt import Removal
from scoring_fakes import CLASSES, FRAMES, SAMPLE_RATE, VOCABULARY, FakeJudge, FakeModel, heard, item


def ask(prompt: str, mask: list[float], seed: int = 0, removal: Removal = Removal.SCALE) -> Ask:
    return Ask(item(prompt, prompt), np.tile(np.float32(mask), (FRAMES, 1)), seed, removal)


def respondent(batch: int = 128) -> Any:
    return PromptRespondent(FakeModel(), {"ear": FakeJudge()}, batch)  # type: ignore[arg-type]


def test_equal_questions_are_asked_once() -> None:
    some = respondent()
    questions = [ask("loud dog", [1, 0, 0]), ask("loud dog", [1, 0, 0]), ask("loud dog", [0, 1, 0])]
    found = some.sounds(questions, ["ear"])
    assert some.model.generated == [2]
    assert set(found) == {question.key for question in questions}


@pytest.mark.parametrize(
    "other", [ask("loud dog", [1, 0, 0], seed=1), ask("loud dog", [1, 0, 0], removal=Removal.MEAN)]
)
def test_another_seed_or_removal_operator_is_another_question(other: Ask) -> None:
    some = respondent()
    some.sounds([ask("loud dog", [1, 0, 0]), other], ["ear"])
    assert sum(some.model.generated) == 2


@pytest.mark.parametrize("batch", [1, 2, 128])
def test_answers_stand_with_their_questions_whatever_the_batch(batch: int) -> None:
    questions = [ask("loud dog and rain", [0, 1, 0, 1, 0]), ask("rain", [1, 0]), ask("one bell", [1, 0, 0])]
    found = respondent(batch).sounds(questions, ["ear"])
    expected = [heard("dog", "rain"), heard("rain"), heard()]
    for question, probabilities in zip(questions, expected, strict=True):
        np.testing.assert_allclose(found[question.key].answers["ear"], probabilities, atol=1e-6)


def test_audio_is_kept_only_where_asked_for() -> None:
    first, second = ask("rain", [1, 0]), ask("rain", [0, 0])
    found = respondent().sounds([first, second], ["ear"], keep=lambda question: question is first)
    assert found[first.key].audio is not None
    assert found[second.key].audio is None


def test_logits_are_those_that_are_sampled_from() -> None:
    some, question = respondent(), ask("loud dog", [0, 0.5, 0])
    found = some.guided_logits([question])[question.key]
    assert found.shape[:2] == (1, FRAMES)
    assert found.sum() == pytest.approx(0.5 * FRAMES)
    assert some.original_logits([question.item])[question.item.id].sum() == pytest.approx(3 * FRAMES)


def test_judges_hear_the_frames_that_are_asked_for_and_silence_elsewhere() -> None:
    some, whole = respondent(), ask("loud dog", [1, 1, 0])
    half = replace(whole, item=replace(whole.item, id="half", frames=(1, 3)))
    found = some.sounds([whole, half], ["ear"], keep=lambda asked: True)
    both = torch.ones(2, FRAMES * len(VOCABULARY))
    left = some.asked([whole.item, half.item], both)
    samples = len(VOCABULARY)
    assert left[0].all()
    assert left[1].nonzero().squeeze(1).tolist() == list(range(samples, 3 * samples))
    np.testing.assert_allclose(found[half.key].answers["ear"], heard("loud", "dog", share=0.5), atol=1e-6)


def test_a_judge_hears_audio_at_its_own_rate() -> None:
    class Half(FakeJudge):
        sample_rate = SAMPLE_RATE // 2

        def probabilities(self, audio: torch.Tensor) -> torch.Tensor:
            assert audio.shape == (2, 50)
            assert audio.dtype == torch.float32
            return torch.full((2, len(CLASSES)), 1 / len(CLASSES))

    some = PromptRespondent(FakeModel(), {"half": Half()})  # type: ignore[arg-type, dict-item]
    assert some.listen(torch.zeros(2, 100), ["half"])["half"].shape == (2, len(CLASSES))
