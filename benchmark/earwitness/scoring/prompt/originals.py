"""Originals of the prompt track: sounds generated from prompts, and what judges hear in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.errors import InvalidItemError
from earwitness.exhibits.manifest import ORIGINAL, write
from earwitness.exhibits.writing import ItemExhibits
from earwitness.explaining.batches import in_passes
from earwitness.scoring import Problem
from earwitness.scoring.files import read_arrays, write_arrays
from earwitness.scoring.originals import Originals, require_finite_answer
from earwitness.seeds import derive
from earwitness.tracks.prompt import Encoded, PromptItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.datasets import PromptRecord
    from earwitness.scoring.prompt.responses import PromptRespondent
    from earwitness.tracks.prompt import PromptModel


@dataclass(frozen=True)
class JudgeAnswers:
    """What a judge heard in an original and in its unmasked regenerations."""

    original: NDArray[np.float32]
    """Softmax [C]."""
    regenerated: dict[int, NDArray[np.float32]]
    """Softmax [C] under fresh noise, by generation seed."""


class PromptOriginals(Originals["PromptRecord", PromptItem]):
    """The sounds that are explained, generated once, with what judges hear in them."""

    item = PromptItem

    def noise(self, item: str, generation_seed: int) -> int:
        """Seed of the noise that an item's perturbed sounds are generated with."""
        return derive(self.seed_key, item, "generation", generation_seed)

    def fresh_noise(self, item: str, generation_seed: int) -> int:
        """Seed of other noise, for the noise floor."""
        return derive(self.seed_key, item, "fresh", generation_seed)

    def make(self, records: Sequence[PromptRecord], model: PromptModel) -> tuple[list[PromptItem], list[Problem]]:
        """Items of some records, and those whose prompt the model cannot take; leaves the sounds in `folder`."""
        usable, problems = [], []
        for record in records:
            reason = unusable(model, record.prompt) or out_of_reach(model, record)
            if reason:
                problems.append(Problem(record.id, reason))
            else:
                usable.append(record)
        if not usable:
            return [], problems
        prompts = [record.prompt for record in usable]
        seeds = [self.noise(record.id, self.seeds[0]) for record in usable]
        text = model.encode(prompts)
        codes, audio = generated(model, text, seeds)

        def require_finite(part: slice) -> None:
            # As they are sampled from: the branch without a prompt may be the one that is no number.
            guided = model.guided(model.logits(codes[part], rows_of(text, part)), model.null_logits(codes[part]))
            for record, logits, wave in zip(usable[part], guided, audio[part], strict=True):
                require_finite_answer(record.id, "logits", logits)
                require_finite_answer(record.id, "sounds", wave)

        with torch.inference_mode():
            list(in_passes(require_finite, len(usable), len(usable)))
        described = zip(usable, seeds, codes.cpu().numpy(), model.tokens(prompts), model.special(prompts), strict=True)
        items = [
            PromptItem(
                id=record.id,
                prompt=record.prompt,
                seed=seed,
                explainer_seed=self.explainer_seed(record.id),
                codes=code.astype(np.int64),
                tokens=tuple(tokens),
                special=np.asarray(special, dtype=bool),
                frames=frames_of(model, record),
            )
            for record, seed, code, tokens, special in described
        ]
        for item, wave in zip(items, audio.cpu().numpy(), strict=True):
            own = ItemExhibits(self.folder, item.id)
            write(self.folder, item.id, [own.sound(ORIGINAL, wave, model.sample_rate)])
        return items, problems

    def judge_answers(self, chunk: int, respondent: PromptRespondent) -> dict[str, dict[str, JudgeAnswers]]:
        """What each judge hears in the originals of a chunk and in their regenerations, by item id and judge."""
        path = self.folder / f"heard-{respondent.name}-{chunk:04d}.safetensors"
        items, _ = self.items(chunk, lambda: respondent.model)
        found = read_arrays(path)
        answers = found[0] if found is not None else self._listen(items, respondent)
        if found is None:
            write_arrays(path, answers, {})
        return {
            item.id: {
                judge: JudgeAnswers(
                    answers[f"{item.id}/{judge}/original"],
                    {seed: answers[f"{item.id}/{judge}/{seed}"] for seed in self.seeds},
                )
                for judge in respondent.judges
            }
            for item in items
        }

    def _listen(self, items: Sequence[PromptItem], respondent: PromptRespondent) -> dict[str, NDArray[np.float32]]:
        if not items:
            return {}
        model, judges = respondent.model, tuple(respondent.judges)
        text = model.encode([item.prompt for item in items])
        heard = {"original": respondent.listen(respondent.asked(items, model.audio(respondent.codes(items))), judges)}
        for seed in self.seeds:
            _, audio = generated(model, text, [self.fresh_noise(item.id, seed) for item in items])
            heard[str(seed)] = respondent.listen(respondent.asked(items, audio), judges)
        return {
            f"{item.id}/{judge}/{name}": answers[judge][i].copy()
            for i, item in enumerate(items)
            for name, answers in heard.items()
            for judge in judges
        }


def generated(model: PromptModel, text: Encoded, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Codes [B, K, F] and audio [B, S] of prompts, each from its seed, in as few passes as memory holds."""
    passes = in_passes(lambda part: model.generate(rows_of(text, part), seeds[part]), len(seeds), len(seeds))
    codes, audio = zip(*passes, strict=True)
    return torch.cat(codes), torch.cat(audio)


def rows_of(text: Encoded, part: slice) -> Encoded:
    """Some of encoded prompts."""
    return Encoded(text.states[part], text.mask[part])


def frames_of(model: PromptModel, record: PromptRecord) -> tuple[int, int] | None:
    """The frames that a record asks for: first, and the one after the last; None where it asks for all."""
    if record.asked is None:
        return None
    start, stop = (min(model.frames, max(0, round(second * model.frame_rate))) for second in record.asked)
    return start, stop


def out_of_reach(model: PromptModel, record: PromptRecord) -> str:
    """Why the frames that a record asks for cannot be explained, in one line; empty if they can."""
    frames = frames_of(model, record)
    if record.asked is None or frames is None or frames[0] < frames[1]:
        return ""
    start, stop = record.asked
    return f"it asks for {start:g} to {stop:g} s of a sound of {model.frames / model.frame_rate:g} s"


def unusable(model: PromptModel, prompt: str) -> str:
    """Why a prompt cannot be explained, in one line; empty if it can."""
    if not prompt.split():
        return "the prompt has no words"
    try:
        model.encode([prompt])
    except InvalidItemError as error:
        return str(error)
    return ""
