"""What adapters of diffusion pipelines have in common: tokens of prompts, the schedule, guidance, where to start."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any, Self

import torch

from earwitness.errors import ModelError
from earwitness.models.pretrained_files import attempt
from earwitness.models.prompt_tokens import PromptTokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from earwitness.tracks.band import Start


class PromptedDiffusion:
    """A diffusers pipeline that denoises under a prompt; a family says how it encodes, predicts and decodes."""

    device: torch.device

    def __init__(self, pipeline: Any, tokenizer: Any, *, steps: int, guidance: float, strength: float) -> None:
        self.pipeline = pipeline
        self.steps, self.guidance, self.strength = steps, guidance, strength
        self._tokens = PromptTokens(tokenizer)

    def tokens(self, prompts: Sequence[str]) -> list[list[str]]:
        """Texts of each prompt's T5 tokens."""
        return [self._tokens.texts(prompt) for prompt in prompts]

    def special(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] bool for each prompt, True for the end of sequence."""
        return [self._tokens.special(prompt) for prompt in prompts]

    def words(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] int for each prompt: index of the word that a token belongs to, -1 where special."""
        return [self._tokens.words(prompt) for prompt in prompts]

    def scheduled(self, source: str) -> Self:
        """This model, once its scheduler has taken the steps; raises ModelError where it cannot."""
        attempt("schedule", source, lambda: self._schedule)
        return self

    @property
    def _guided(self) -> bool:
        return self.guidance > 1

    def _doubled(self, latents: Tensor) -> Tensor:
        """Latents of all rows of a pass: the null branch's before the prompts', where there is guidance."""
        return torch.cat([latents] * 2) if self._guided else latents

    def _guide(self, found: Tensor) -> Tensor:
        """What all rows of a pass say together."""
        if not self._guided:
            return found
        null, conditional = found.chunk(2)
        return null + self.guidance * (conditional - null)

    def _first(self, start: Start) -> int:
        """Number of the first step that is run from a start; raises ModelError where there is no such strength."""
        if not 0 < start.strength <= 1:
            raise ModelError(f"the strength of a start lies in (0, 1], not {start.strength:g}; change the task's model")
        return self.steps - max(1, round(self.steps * start.strength))

    @functools.cached_property
    def _schedule(self) -> Any:
        """The pipeline's scheduler, set to this model's steps; never stepped itself."""
        # What is kept must serve gradients, even if it is first asked for in inference mode.
        with torch.inference_mode(False):
            scheduler = copy.deepcopy(self.pipeline.scheduler)
            scheduler.set_timesteps(self.steps, device=self.device)
            return scheduler
