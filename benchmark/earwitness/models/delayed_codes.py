"""What text-to-audio models over codes of a delay pattern have in common: MusicGen, AudioGen.

Published: Copet et al., Simple and Controllable Music Generation, arXiv 2306.05284 (delay pattern, guidance).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ModelError
from earwitness.models.masked_attention import Masking, padding_bias, reference_state
from earwitness.models.pretrained_files import attempt
from earwitness.models.sampling import GumbelNoise, top_k_only
from earwitness.tracks.prompt import Encoded, Removal, TeacherForced

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import numpy as np
    from torch import Tensor, nn

    from earwitness.models.musicgen_sampling import Sampling
    from earwitness.models.prompt_tokens import PromptTokens

    Step = Callable[[Tensor, int], Tensor]
    """Final hidden states [R, D] from the codes [R, K] of the step before and the step's number."""


@dataclass(frozen=True)
class Conditioning:
    """What the conditional rows of a pass attend to."""

    states: Tensor
    """[B, N, D], or [B, N + 1, D] with the reference state at the end."""
    bias: Tensor
    """[B, 1, 1, N] additive attention bias."""
    mask: Tensor | None
    """[B, 1, N] or [B, T, N] token mask by decoding step."""
    removal: Removal

    def at(self, step: int) -> Masking:
        """The masking of one decoding step."""
        if self.mask is None:
            return Masking(self.removal)
        row = min(step, self.mask.shape[1] - 1)
        return Masking(self.removal, self.mask[:, None, row : row + 1])

    def throughout(self, record: list[Tensor] | None) -> Masking:
        """The masking of a teacher-forced pass, which records its attention where there is a list for it."""
        return Masking(self.removal, None if self.mask is None else self.mask[:, None], record)


@dataclass(frozen=True)
class CodeShape:
    """What the codes of a generation are."""

    sample_rate: int
    """Hz of the audio."""
    frame_rate: float
    """Frames a second."""
    frames: int
    """F of a generation."""
    codebooks: int
    """K."""
    codes: int
    """V, values of a code."""
    start: int
    """What the decoder reads where there is no code yet."""


class DelayedCodes(ABC):
    """A `PromptModel` (see `earwitness.tracks.prompt`), but for what an adapter knows of its library's modules.

    Codebook k of frame f is drawn at decoding step f + k. Text encoder and decoder may be of another dtype; what goes
    in and comes out is float32 in any case, and so is the codec. A leading dimension of 1 (one prompt, many masks; one
    sound, many prompts) is broadcast.
    """

    metered: nn.Module
    _heads: Sequence[Any]
    """Of each codebook, the linear layer from hidden states to logits."""

    def __init__(self, module: nn.Module, prompts: PromptTokens, sampling: Sampling, shape: CodeShape) -> None:
        """Freeze the module and keep what a generation is; the adapter names what is `metered`, and the heads."""
        self.module = module.eval().requires_grad_(False)
        self.device: torch.device = next(module.parameters()).device
        self.sample_rate, self.frame_rate = shape.sample_rate, shape.frame_rate
        self.codebooks, self.frames = shape.codebooks, shape.frames
        self.guidance, self.temperature, self.top_k = sampling.guidance, sampling.temperature, sampling.top_k
        self._start = shape.start
        self._prompts = prompts
        self._noise = GumbelNoise((self.steps, self.codebooks, shape.codes))

    @property
    def steps(self) -> int:
        """T = F + K - 1, the decoding steps of a generation."""
        return self.frames + self.codebooks - 1

    @abstractmethod
    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one whole sequence a call of `metered` with these arguments is worth."""

    @abstractmethod
    def audio(self, codes: Tensor) -> Tensor:
        """Audio [B, S] of codes [B, K, F]."""

    @abstractmethod
    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """States [B, N, D] of token ids [B, N], projected to the decoder's width; what they are on padding is open."""

    @abstractmethod
    def _whole(self, delayed: Tensor, given: Conditioning | None, record: list[Tensor] | None = None) -> Tensor:
        """Final hidden states [B, T, D] of decoder input [B, K, T]; without a conditioning, of the null branch."""

    @abstractmethod
    def _stepping(self, given: Conditioning, halves: int) -> AbstractContextManager[Step]:
        """A decoding, step by step, of the conditional rows and, with two halves, the same of the null branch."""

    def tokens(self, prompts: Sequence[str]) -> list[list[str]]:
        """Texts of each prompt's tokens, special ones included, padding not."""
        return [self._prompts.texts(prompt) for prompt in prompts]

    def special(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] bool for each prompt, True where a token is no part of the text (end of sequence)."""
        return [self._prompts.special(prompt) for prompt in prompts]

    def words(self, prompts: Sequence[str]) -> list[np.ndarray]:
        """[N] int for each prompt: index of the whitespace-separated word that a token belongs to, -1 where special."""
        return [self._prompts.words(prompt) for prompt in prompts]

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """States [B, N, D] and mask [B, N] of prompts, padded to the longest."""
        ids, mask = (tensor.to(self.device) for tensor in self._prompts.padded(prompts))
        states = self._states(ids, mask).float()
        return Encoded(states=states * mask[..., None].to(states.dtype), mask=mask)

    def generate(
        self,
        text: Encoded,
        seed: int | Sequence[int],
        token_mask: Tensor | None = None,
        removal: Removal = Removal.SCALE,
    ) -> tuple[Tensor, Tensor]:
        """Codes [B, K, F] and audio [B, S], sampled with Gumbel noise fixed by (seed, step, codebook) alone."""
        codes = self.sample(text, seed, token_mask, removal)
        return codes, self.audio(codes)

    def sample(
        self,
        text: Encoded,
        seed: int | Sequence[int],
        token_mask: Tensor | None = None,
        removal: Removal = Removal.SCALE,
    ) -> Tensor:
        """Codes [B, K, F] of `generate`, without the audio. Raises ValueError unless seeds and rows agree in number."""
        seeds = list(seed) if isinstance(seed, Sequence) else [int(seed)]
        rows = _rows(text.states, token_mask, seeds)
        seeds = seeds * rows if len(seeds) == 1 else seeds
        with torch.inference_mode():
            delayed = self._decode(self._conditioning(text, rows, token_mask, removal, self.frames), seeds)
        return self._undelayed(delayed.clone())

    def hidden(
        self, codes: Tensor, text: Encoded, token_mask: Tensor | None = None, removal: Removal = Removal.SCALE
    ) -> Tensor:
        """Final hidden states [B, F, D] of the conditional branch, teacher-forced."""
        return self.teacher_forced(codes, text, token_mask, removal).hidden

    def logits(
        self, codes: Tensor, text: Encoded, token_mask: Tensor | None = None, removal: Removal = Removal.SCALE
    ) -> Tensor:
        """Logits [B, K, F, V] of the conditional branch, teacher-forced."""
        return self.teacher_forced(codes, text, token_mask, removal).logits

    def null_logits(self, codes: Tensor) -> Tensor:
        """Logits [B, K, F, V] of the unconditional branch, teacher-forced: no mask changes them."""
        return self._read(self._whole(self._delayed(codes), None), codes.shape[-1])

    def guided(self, logits: Tensor, null_logits: Tensor) -> Tensor:
        """Logits that are sampled from: guidance and temperature applied (top-k only where a code is drawn).

        Of greedy decoding, whose temperature is 0, they are the guided logits, undivided.
        """
        return (null_logits + self.guidance * (logits - null_logits)) / (self.temperature or 1.0)

    def cross_attention(self, codes: Tensor, text: Encoded) -> Tensor:
        """Cross-attention [B, L, H, F, N] after softmax, teacher-forced."""
        attentions = self.teacher_forced(codes, text, attentions=True).attentions
        return torch.stack(attentions, dim=1)[..., : codes.shape[-1], :]

    def teacher_forced(
        self,
        codes: Tensor,
        text: Encoded,
        token_mask: Tensor | None = None,
        removal: Removal = Removal.SCALE,
        attentions: bool = False,
    ) -> TeacherForced:
        """Hidden states, logits and, if asked for, attention of one teacher-forced pass, differentiable throughout."""
        rows = _rows(codes, text.states, token_mask)
        frames = codes.shape[-1]
        given = self._conditioning(text, rows, token_mask, removal, frames)
        record: list[Tensor] | None = [] if attentions else None
        hidden = self._whole(self._delayed(codes.expand(rows, -1, -1)), given, record)
        return TeacherForced(hidden[:, :frames].float(), self._read(hidden, frames), tuple(record or ()))

    def _conditioning(
        self, text: Encoded, rows: int, token_mask: Tensor | None, removal: Removal, frames: int
    ) -> Conditioning:
        states, own = text.states.to(self._heads[0].weight.dtype), text.mask
        if token_mask is not None and removal in (Removal.NULL, Removal.MEAN):
            states = torch.cat([states, reference_state(states, own, removal)], dim=1)
        bias = padding_bias(own, states.dtype)
        mask = None if token_mask is None else self._stepwise(token_mask.to(states), rows, frames, own.shape[1])
        return Conditioning(states.expand(rows, -1, -1), bias.expand(rows, -1, -1, -1), mask, removal)

    def _stepwise(self, token_mask: Tensor, rows: int, frames: int, tokens: int) -> Tensor:
        """A token mask [B, N] or [B, F, N] as rows of decoding steps, [B, 1, N] or [B, T, N]."""
        if token_mask.ndim == 2:
            token_mask = token_mask[:, None]
        if token_mask.ndim != 3 or token_mask.shape[1] not in (1, frames) or token_mask.shape[2] != tokens:
            raise ValueError(
                f"token_mask must be [B, N] or [B, F, N] with F = {frames} and N = {tokens}; "
                f"found {list(token_mask.shape)}"
            )
        if token_mask.shape[1] > 1:
            last = token_mask[:, -1:].expand(-1, self.codebooks - 1, -1)
            token_mask = torch.cat([token_mask, last], dim=1)
        return token_mask.expand(rows, -1, -1)

    def _delayed(self, codes: Tensor) -> Tensor:
        """Decoder input [B, K, T]: step s reads the code of codebook k at frame s - 1 - k."""
        batch, codebooks, frames = codes.shape
        delayed = codes.new_full((batch, codebooks, frames + codebooks - 1), self._start)
        for k in range(codebooks):
            delayed[:, k, k + 1 : k + 1 + frames] = codes[:, k, : delayed.shape[-1] - k - 1]
        return delayed

    def _undelayed(self, drawn: Tensor) -> Tensor:
        """Codes [B, K, F] from what was drawn at each step [B, K, T]."""
        return torch.stack([drawn[:, k, k : k + self.frames] for k in range(self.codebooks)], dim=1)

    def _read(self, hidden: Tensor, frames: int) -> Tensor:
        """Logits [B, K, F, V] from hidden states [B, T, D]: codebook k of frame f is read at step f + k."""
        return torch.stack([head(hidden[:, k : k + frames]) for k, head in enumerate(self._heads)], dim=1).float()

    def _decode(self, given: Conditioning, seeds: Sequence[int]) -> Tensor:
        """What is drawn at each step, [B, K, T], the conditional rows before the unconditional ones."""
        rows, halves = given.states.shape[0], 1 if self.guidance == 1 else 2
        weights = torch.cat([head.weight for head in self._heads]).T
        biases = [head.bias for head in self._heads if head.bias is not None]
        noise = self._noise.batch(seeds, self.device) if self.temperature else None
        drawn = given.states.new_full((rows, self.codebooks, self.steps), self._start, dtype=torch.long)
        column = drawn[:, :, 0]
        with self._stepping(given, halves) as step_on:
            for step in range(self.steps):
                logits = step_on(column.repeat(halves, 1), step) @ weights
                logits = logits + torch.cat(biases) if biases else logits
                logits = logits.float().reshape(len(logits), self.codebooks, -1)
                if halves == 1:
                    logits = logits / (self.temperature or 1.0)
                else:
                    logits = self.guided(logits[:rows], logits[rows:])
                first, last = max(0, step - self.frames + 1), min(step + 1, self.codebooks)
                scores = top_k_only(logits, self.top_k)
                scores = scores if noise is None else scores + noise[step]
                drawn[:, first:last, step] = scores[:, first:last].argmax(dim=-1)
                column = drawn[:, :, step]
        return drawn


def _rows(*batches: Tensor | list[int] | None) -> int:
    """The common leading dimension, 1 being broadcast; raises ValueError where there is none."""
    sizes = {len(batch) for batch in batches if batch is not None}
    if len(sizes - {1}) > 1:
        raise ValueError(f"codes, prompts, masks and seeds differ in number: {sorted(sizes)}; give one of each, or one")
    return max(sizes)


def require_steps(source: str, model: DelayedCodes) -> None:
    """Raise ModelError where text encoder, decoder and codec do not work together, by one frame of one prompt."""
    codes = torch.zeros(1, model.codebooks, 1, dtype=torch.long, device=model.device)
    with torch.no_grad():
        logits = attempt("decoder", source, lambda: model.logits(codes, model.encode(["a bell"])))
        # Guidance adds the branch without a prompt, which may be the one that overflows.
        null = logits if model.guidance == 1 else attempt("decoder", source, lambda: model.null_logits(codes))
        attempt("codec", source, lambda: model.audio(codes))
    if not (logits.isfinite().all() and null.isfinite().all()):
        raise ModelError(f"the decoder of {source} gives logits that are not finite; take other weights")
