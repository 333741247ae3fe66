"""Models that hold few rows at once, and batches of 1, 3 and 16: what is asked of them is answered the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from earwitness.explaining.batches import NoRoomError, at_most
from earwitness.explaining.prompt_likelihoods import masked_likelihoods
from earwitness.models import musicgen, whisper
from earwitness.scoring.prompt.responses import Ask, PromptRespondent
from earwitness.scoring.speech.responses import SpeechRespondent
from earwitness.tracks.prompt import PromptItem, Removal
from earwitness.tracks.speech import SpeechItem
from scoring_fakes import FRAMES, VOCABULARY, FakeJudge, FakeModel, item
from tiny import tiny_musicgen
from tiny_speech import tiny_whisper

BATCHES = (1, 3, 16)
ROUNDING = 1e-5
"""Of the largest number: products of matrices of other heights are added up in another order."""


class SmallMemory:
    """Makes methods of a model fail as a full card does where a batch has more rows than it holds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: Any, names: tuple[str, ...], holds: int) -> None:
        self.rows: list[int] = []
        for name in names:
            monkeypatch.setattr(model, name, self._guarded(getattr(model, name), holds))

    def _guarded(self, asked: Callable[..., Any], holds: int) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            given = [*args, *kwargs.values()]
            rows = max(len(each) for each in given if isinstance(each, torch.Tensor | list))
            self.rows.append(rows)
            if rows > holds:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return asked(*args, **kwargs)

        return guarded


def equal_within_rounding(one: np.ndarray, other: np.ndarray) -> None:
    assert one.shape == other.shape
    assert np.abs(one - other).max() <= ROUNDING * np.abs(other).max()


@pytest.fixture(scope="module")
def prompt_model(tmp_path_factory: pytest.TempPathFactory) -> musicgen.MusicgenModel:
    torch.set_num_threads(1)
    return musicgen.from_pretrained(str(tiny_musicgen(tmp_path_factory.mktemp("musicgen"))))


@pytest.fixture(scope="module")
def prompt_item(prompt_model: musicgen.MusicgenModel) -> PromptItem:
    prompts = ["a dog barks loudly"]
    codes = prompt_model.sample(prompt_model.encode(prompts), 0)[0]
    return PromptItem(
        id="x", prompt=prompts[0], seed=0, explainer_seed=0, codes=codes.numpy(),
        tokens=tuple(prompt_model.tokens(prompts)[0]), special=prompt_model.special(prompts)[0],
    )  # fmt: skip


def asks(item: PromptItem, count: int, frames: int = 1) -> list[Ask]:
    rng = np.random.default_rng(0)
    shape = (frames, len(item.tokens))
    return [Ask(item, rng.random(shape).astype(np.float32), seed) for seed in range(count)]


def test_likelihoods_under_masks(
    prompt_model: musicgen.MusicgenModel, prompt_item: PromptItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = np.random.default_rng(0).random((16, len(prompt_item.tokens))).astype(np.float32)

    def asked() -> np.ndarray:
        (found,) = masked_likelihoods(prompt_model, [prompt_item], [masks], Removal.SCALE, 16)
        return found

    whole = asked()
    for most in BATCHES:
        with at_most(most):
            equal_within_rounding(asked(), whole)
    with monkeypatch.context() as patch:
        memory = SmallMemory(patch, prompt_model, ("logits",), 3)
        equal_within_rounding(asked(), whole)
        assert memory.rows == [16, 8, 4, *[2] * 8]
        with at_most(3):
            memory.rows.clear()
            asked()
            assert memory.rows == [3, 3, 3, 3, 3, 1]
    # The same cuts give the same bits.
    assert np.array_equal(asked(), whole)


def test_generated_sounds_and_logits_of_a_prompt(
    prompt_model: musicgen.MusicgenModel, prompt_item: PromptItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    respondent = PromptRespondent(prompt_model, {})
    some = asks(prompt_item, 5)

    def asked() -> tuple[list[np.ndarray], list[np.ndarray]]:
        sounds, logits = respondent.sounds(some, (), keep=lambda _: True), respondent.guided_logits(some)
        return [sounds[ask.key].audio for ask in some], [logits[ask.key] for ask in some]

    whole = asked()
    memory = SmallMemory(monkeypatch, prompt_model, ("logits", "generate"), 2)
    halved = asked()
    for one, other in zip(halved, whole, strict=True):
        equal_within_rounding(np.stack(one), np.stack(other))
    assert memory.rows == [5, *[2, 2, 1], 5, *[2, 2, 1]]


def test_a_model_without_rounding_gives_the_same_bits_however_its_batch_is_halved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = FakeModel()
    respondent = PromptRespondent(model, {"judge": FakeJudge()})
    some = [
        ask
        for prompt in (f"{VOCABULARY[0]} {VOCABULARY[1]}", VOCABULARY[2])
        for ask in asks(item(prompt, prompt), 7, FRAMES)
    ]
    whole = respondent.sounds(some, ["judge"])
    with at_most(3):
        cut = respondent.sounds(some, ["judge"])
    SmallMemory(monkeypatch, model, ("generate",), 1)
    alone = respondent.sounds(some, ["judge"])
    for found in (cut, alone):
        assert list(found) == list(whole)
        assert all(np.array_equal(found[key].answers["judge"], whole[key].answers["judge"]) for key in whole)


@pytest.fixture(scope="module")
def speech_model(tmp_path_factory: pytest.TempPathFactory) -> whisper.WhisperModel:
    torch.set_num_threads(1)
    return whisper.from_pretrained(str(tiny_whisper(tmp_path_factory.mktemp("whisper"))))


def test_probabilities_gradients_and_transcripts_of_an_utterance(
    speech_model: whisper.WhisperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    given = rng.standard_normal((16, 60, speech_model.bins)).astype(np.float32)
    tokens = np.array([5, 6, 7, 8], dtype=np.int64)
    spoken = SpeechItem(
        id="x", explainer_seed=0, text="", pieces=("",) * 4, features=given[0], tokens=tokens, words=np.arange(4)
    )
    respondent = SpeechRespondent(speech_model)
    weights, masks = rng.random((16, 4)), rng.random((16, 4)).astype(np.float32)

    def asked() -> list[np.ndarray]:
        return [
            respondent.probabilities(spoken, given),
            respondent.gradients(spoken, given, weights),
            respondent.prefix_probabilities(spoken, masks),
        ]

    whole, said = asked(), respondent.transcripts(given, 6)
    for most in BATCHES:
        with at_most(most):
            for one, other in zip(asked(), whole, strict=True):
                equal_within_rounding(one, other)
            assert respondent.transcripts(given, 6) == said
    memory = SmallMemory(monkeypatch, speech_model, ("logits", "encode"), 3)
    for one, other in zip(asked(), whole, strict=True):
        equal_within_rounding(one, other)
    assert respondent.transcripts(given, 6) == said
    assert max(memory.rows) == 16


def test_a_card_that_another_program_fills_is_named(
    prompt_model: musicgen.MusicgenModel, prompt_item: PromptItem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    SmallMemory(monkeypatch, prompt_model, ("logits",), 0)
    masks = np.ones((4, len(prompt_item.tokens)), dtype=np.float32)
    with pytest.raises(NoRoomError, match=r"^no room for one row of a pass: CUDA out of memory\. Tried to allocate"):
        masked_likelihoods(prompt_model, [prompt_item], [masks], Removal.SCALE, 4)
