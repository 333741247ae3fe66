"""A model and a judge whose answers can be computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from earwitness.scoring.prompt import scoring
from earwitness.task import Task, TaskCard
from earwitness.tracks.prompt import Encoded, PromptItem, Removal
from earwitness.worlds.scene_captions import PUBLIC

VOCABULARY = (*PUBLIC.vocabulary(), "</s>")
FRAMES, FRAME_RATE = 4, 2.0
SAMPLE_RATE = int(FRAME_RATE * len(VOCABULARY))
CLASSES = tuple(PUBLIC.classes)


class FakeModel:
    """Each word that is not masked sounds in its own sample of every frame; the noise is not heard."""

    device = torch.device("cpu")
    sample_rate, frame_rate, codebooks, frames, guidance = SAMPLE_RATE, FRAME_RATE, 1, FRAMES, 1.0

    def __init__(self) -> None:
        self.generated: list[int] = []
        """Rows of each call of generate."""

    def tokens(self, prompts: Sequence[str]) -> list[list[str]]:
        return [[*prompt.split(), "</s>"] for prompt in prompts]

    def special(self, prompts: Sequence[str]) -> list[np.ndarray]:
        return [np.array([False] * len(prompt.split()) + [True]) for prompt in prompts]

    def words(self, prompts: Sequence[str]) -> list[np.ndarray]:
        return [np.array([*range(len(prompt.split())), -1]) for prompt in prompts]

    def encode(self, prompts: Sequence[str]) -> Encoded:
        tokens = self.tokens(prompts)
        states = torch.zeros(len(prompts), max(map(len, tokens)), len(VOCABULARY))
        for row, texts in enumerate(tokens):
            for place, text in enumerate(texts):
                states[row, place, VOCABULARY.index(text)] = 1.0
        return Encoded(states, states.sum(-1) > 0)

    def levels(self, text: Encoded, token_mask: Tensor | None) -> Tensor:
        """[B, F, V] how loud each word of the vocabulary is."""
        rows, tokens = text.mask.shape
        mask = torch.ones(rows, FRAMES, tokens) if token_mask is None else token_mask
        mask = mask[:, None].expand(-1, FRAMES, -1) if mask.ndim == 2 else mask
        return mask @ text.states

    def generate(
        self, text: Encoded, seed: Sequence[int], token_mask: Tensor | None = None, removal: Removal = Removal.SCALE
    ) -> tuple[Tensor, Tensor]:
        self.generated.append(len(text.mask))
        codes = torch.tensor([[[s % 5] * FRAMES] for s in seed])
        return codes, self.levels(text, token_mask).flatten(1)

    def audio(self, codes: Tensor) -> Tensor:
        return torch.ones(len(codes), FRAMES * len(VOCABULARY)) / 10

    def logits(
        self, codes: Tensor, text: Encoded, token_mask: Tensor | None = None, removal: Removal = Removal.SCALE
    ) -> Tensor:
        return self.levels(text, token_mask)[:, None]

    def null_logits(self, codes: Tensor) -> Tensor:
        return torch.zeros(len(codes), 1, FRAMES, len(VOCABULARY))

    def guided(self, logits: Tensor, null_logits: Tensor) -> Tensor:
        return null_logits + logits


class FakeJudge:
    """Its logit of a class is the mean level of the class's words over frames."""

    labels, sample_rate = CLASSES, SAMPLE_RATE

    def logits(self, audio: Tensor) -> Tensor:
        level = audio.reshape(len(audio), FRAMES, -1).mean(1)
        columns = [[VOCABULARY.index(word) for word in words] for words in PUBLIC.classes.values()]
        return torch.stack([level[:, column].sum(1) for column in columns], dim=1)

    def probabilities(self, audio: Tensor) -> Tensor:
        return self.logits(audio).softmax(-1)

    def presence(self, audio: Tensor) -> Tensor:
        return (10 * (self.logits(audio) - 0.5)).sigmoid()


def heard(*words: str, share: float = 1.0) -> np.ndarray:
    """Softmax of the fake judge for a sound in which these words are heard throughout, or for a share of it."""
    logits = share * np.array([sum(word in group for word in words) for group in PUBLIC.classes.values()], dtype=float)
    return np.exp(logits) / np.exp(logits).sum()


def item(prompt: str, name: str = "x") -> PromptItem:
    model = FakeModel()
    return PromptItem(
        id=name,
        prompt=prompt,
        seed=3,
        explainer_seed=0,
        codes=np.full((1, FRAMES), 3),
        tokens=tuple(model.tokens([prompt])[0]),
        special=model.special([prompt])[0],
    )


def task(folder: Path, metrics: Sequence[dict[str, object]], **changes: object) -> Task:
    """A task on six scenes, with one judge and two generation seeds."""
    values: dict[str, object] = {
        "id": "fake",
        "version": 1,
        "track": "prompt",
        "title": "A fake",
        "licence": "none",
        "reference": "none",
        "generation_seeds": [0, 1],
        "model": {"adapter": "musicgen", "source": "model"},
        "dataset": {"adapter": "scenes", "identity": "fake@1", "items": 6},
        "judges": [{"name": "ear", "adapter": "ast", "source": "judge"}],
        "metrics": metrics,
        "budget": {"seconds": 1.0, "forwards": 1},
        **changes,
    }
    card = TaskCard.model_validate(values | {"main_metric": _first_id(metrics)})
    return Task(card, folder)


def _first_id(metrics: Sequence[dict[str, object]]) -> str:
    from earwitness.task import MetricCard

    return MetricCard.model_validate(metrics[0]).id


def served(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """The model that every scoring which is opened in the test gets, with a judge `ear`."""
    fake = FakeModel()
    monkeypatch.setattr(scoring, "load_model", lambda task, device: fake)
    monkeypatch.setattr(scoring, "load_judges", lambda task, device: {"ear": FakeJudge()})
    return fake
