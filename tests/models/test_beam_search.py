"""Our search is transformers' `generate`, token for token, and an utterance that is settled costs nothing more."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from transformers import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput

from earwitness.models import speech2text, whisper
from earwitness.models.beam_search import SearchRules, search
from earwitness.models.encoder_decoder import EncoderDecoder
from tiny_speech import tiny_speech2text, tiny_whisper

if TYPE_CHECKING:
    from torch import Tensor

ROWS, BEAMS = 12, (1, 2, 5)
TOWARDS_THE_END = {"speech2text": 0.5, "whisper": 1.0}
"""What is added to the end's score: random weights would end all transcripts, or none, at the bound."""
SETTINGS: list[dict[str, Any]] = [
    {},
    {"early_stopping": True},
    {"early_stopping": "never", "length_penalty": 2.0},
    {"length_penalty": 0.0},
    {"length_penalty": -1.0, "min_new_tokens": 3},
    {"no_repeat_ngram_size": 2, "repetition_penalty": 1.3},
    {"max_new_tokens": 4},
    {"exponential_decay_length_penalty": (2, 1.5), "renormalize_logits": True},
]


@pytest.fixture(scope="module", params=["speech2text", "whisper"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EncoderDecoder:
    torch.set_num_threads(1)
    source = str(
        {"speech2text": tiny_speech2text, "whisper": tiny_whisper}[request.param](tmp_path_factory.mktemp("m"))
    )
    made = {"speech2text": speech2text, "whisper": whisper}[request.param].from_pretrained(source)
    made._search.sequence_bias = [[[made._ends[0]], TOWARDS_THE_END[request.param]]]
    return made


@pytest.fixture(scope="module")
def states(model: EncoderDecoder) -> Tensor:
    """Encoder states of noise that is louder from row to row, so that transcripts are of several lengths."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((ROWS, 60, model.bins), generator=generator)
    with torch.inference_mode():
        return model.encode(noise * torch.linspace(0.1, 3, ROWS)[:, None, None])


def generated(model: EncoderDecoder, states: Tensor, beams: int) -> list[list[int]]:
    """Transcripts by transformers' own search, of the whole batch until its last row is settled."""
    settings: Any = copy.deepcopy(model._search)
    settings.update(num_beams=beams)
    module: Any = model.module
    with torch.inference_mode():
        found = GenerationMixin.generate(
            module,
            states,
            generation_config=settings,
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            decoder_input_ids=torch.tensor([model.prompt]).expand(len(states), -1),
            attention_mask=None,
        )
    rows = [row.tolist() for row in found[:, len(model.prompt) :]]
    return [row[: next((i for i, token in enumerate(row) if token in model._ends), len(row))] for row in rows]


@pytest.mark.parametrize("beams", BEAMS)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: "-".join(each) or "plain")
def test_transcripts_are_those_of_transformers_search(
    model: EncoderDecoder, states: Tensor, settings: dict[str, Any], beams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: Any = copy.deepcopy(model._search)
    changed.update(**settings)
    monkeypatch.setattr(model, "_search", changed)
    expected = generated(model, states, beams)
    with torch.inference_mode():
        found = model._search_through(states, beams, None)
    assert [row.tolist() for row in found] == expected
    assert all(row.dtype == np.int64 for row in found)
    if not settings:
        assert len({len(row) for row in expected}) > 2


@pytest.mark.parametrize("beams", BEAMS)
def test_a_row_is_found_alone_as_in_a_batch(model: EncoderDecoder, states: Tensor, beams: int) -> None:
    with torch.inference_mode():
        together = model._search_through(states, beams, None)
        alone = [model._search_through(row[None], beams, None)[0] for row in states]
    assert [row.tolist() for row in together] == [row.tolist() for row in alone]


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("beams", [1, 5])
def test_a_transcript_ends_at_the_bound(model: EncoderDecoder, states: Tensor, beams: int, most: int) -> None:
    with torch.inference_mode():
        found = model._search_through(states, beams, most)
    assert max(map(len, found)) == most


class Counted:
    """A decoder of made logits: utterance i ends after `lengths[i]` tokens; counts the rows that it is asked for."""

    VOCABULARY = 9

    def __init__(self, lengths: list[int]) -> None:
        self._lengths = torch.tensor(lengths)
        self._said = torch.zeros(len(lengths), dtype=torch.long)
        self.rows: list[int] = []

    def start(self) -> Tensor:
        return self._logits()

    def branch(self, each: int) -> None:
        self._lengths = self._lengths.repeat_interleave(each)
        self._said = self._said.repeat_interleave(each)

    def step(self, tokens: Tensor) -> Tensor:
        self._said = self._said + 1
        return self._logits()

    def follow(self, rows: Tensor, utterances: Tensor | None) -> None:
        self._lengths, self._said = self._lengths[rows], self._said[rows]

    def _logits(self) -> Tensor:
        self.rows.append(len(self._said))
        logits = torch.linspace(0, 1, self.VOCABULARY).repeat(len(self._said), 1)
        logits[:, 0] = torch.where(self._said >= self._lengths, 50.0, -50.0)
        return logits


@pytest.mark.parametrize("beams", [1, 3])
def test_a_settled_utterance_leaves_the_batch(beams: int) -> None:
    decoder = Counted([1, 4, 2])
    rules = SearchRules(beams, ends=(0,), most=10, early_stopping=True)
    found = search(decoder, torch.zeros(3, 1, dtype=torch.long), lambda ids, scores: scores, rules)
    assert [len(row) for row in found] == [1, 4, 2]
    assert decoder.rows == [3, 3 * beams, 2 * beams, beams, beams]
