"""Responses: what the model and its judges answer to masked prompts, each question asked once, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from scipy.signal import resample_poly

from earwitness.explaining.batches import in_passes
from earwitness.tracks.prompt import Encoded, Removal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.judges import Judge
    from earwitness.tracks.prompt import PromptItem, PromptModel

    Key: TypeAlias = tuple[str, int, Removal, bytes]

A = TypeVar("A")
BATCH = 128
"""Most sequences that are generated or teacher-forced at once; fewer where they do not fit into memory."""


@dataclass(frozen=True, eq=False)
class Ask:
    """A prompt under a mask."""

    item: PromptItem
    mask: NDArray[np.float32]
    """[F, N] in [0, 1]."""
    seed: int
    """Seed of the generation's noise; 0 where nothing is sampled."""
    removal: Removal = Removal.SCALE

    @property
    def key(self) -> Key:
        """Equal for equal questions."""
        return self.item.id, self.seed, self.removal, self.mask.tobytes()


class GeneratedSound(NamedTuple):
    """A generated sound as judges hear it."""

    answers: dict[str, NDArray[np.float32]]
    """Softmax [C] by judge."""
    audio: NDArray[np.float32] | None
    """[S], where asked for."""


class MaskedPrompts(NamedTuple):
    """Questions that one pass answers."""

    asks: Sequence[Ask]
    removal: Removal
    text: Encoded
    """Encoded prompts, one a question."""
    masks: Tensor
    """[B, F, N], padded with zeros."""


class PromptRespondent:
    """A model and its judges."""

    def __init__(self, model: PromptModel, judges: Mapping[str, Judge], batch: int = BATCH, name: str = "") -> None:
        """Ask a model and its judges, `batch` questions at once; `name` tells what they hear from what others hear."""
        self.model = model
        self.judges = judges
        self.batch = batch
        self.name = name

    def sounds(
        self, asks: Sequence[Ask], judges: Collection[str], keep: Callable[[Ask], bool] = lambda ask: False
    ) -> dict[Key, GeneratedSound]:
        """Generates under each mask, once for equal questions, and has the named judges listen."""

        def heard(part: MaskedPrompts) -> dict[Key, GeneratedSound]:
            _, audio = self.model.generate(part.text, [ask.seed for ask in part.asks], part.masks, part.removal)
            answers = self.listen(self.asked([ask.item for ask in part.asks], audio), judges)
            waves = audio.cpu().numpy()
            found = {}
            for row, ask in enumerate(part.asks):
                wave = waves[row].copy() if keep(ask) else None
                found[ask.key] = GeneratedSound({name: answers[name][row] for name in answers}, wave)
            return found

        return self._answers(asks, heard)

    def guided_logits(self, asks: Sequence[Ask]) -> dict[Key, NDArray[np.float32]]:
        """Logits [K, F, V] that are sampled from, teacher-forced on the items' codes under each mask."""
        null = self._null_logits(asks)

        def guided(part: MaskedPrompts) -> dict[Key, NDArray[np.float32]]:
            codes = self.codes([ask.item for ask in part.asks])
            logits = self.model.logits(codes, part.text, part.masks, part.removal)
            found = self.model.guided(logits, torch.stack([null[ask.item.id] for ask in part.asks]))
            return {ask.key: row for ask, row in zip(part.asks, found.cpu().numpy(), strict=True)}

        return self._answers(asks, guided)

    def original_logits(self, items: Sequence[PromptItem]) -> dict[str, NDArray[np.float32]]:
        """Logits [K, F, V] that are sampled from without a mask, teacher-forced, by item id."""
        text, codes = self.model.encode([item.prompt for item in items]), self.codes(items)

        def guided(part: slice) -> NDArray[np.float32]:
            rows = Encoded(text.states[part], text.mask[part])
            found = self.model.guided(self.model.logits(codes[part], rows), self.model.null_logits(codes[part]))
            return np.asarray(found.cpu().numpy())

        logits = np.concatenate(list(in_passes(guided, len(items), len(items))))
        return {item.id: row for item, row in zip(items, logits, strict=True)}

    def listen(self, audio: Tensor, judges: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """Softmax [B, C] of each named judge on audio [B, S] of the model's sample rate."""
        return {name: self.judges[name].probabilities(self._resampled(audio, name)).cpu().numpy() for name in judges}

    def asked(self, items: Sequence[PromptItem], audio: Tensor) -> Tensor:
        """Audio [B, S] of items, silent outside of the frames that each asks for."""
        if all(item.frames is None for item in items):
            return audio
        samples = self.model.sample_rate / self.model.frame_rate
        heard = torch.zeros_like(audio)
        for row, wave, item in zip(heard, audio, items, strict=True):
            span = slice(0, len(wave)) if item.frames is None else slice(*(round(f * samples) for f in item.frames))
            row[span] = wave[span]
        return heard

    def presence(self, audio: Tensor, judge: str) -> NDArray[np.float32]:
        """Sigmoid [B, C] of a judge on audio [B, S] of the model's sample rate."""
        return np.asarray(self.judges[judge].presence(self._resampled(audio, judge)).cpu().numpy(), dtype=np.float32)

    def codes(self, items: Sequence[PromptItem]) -> Tensor:
        """Codes [B, K, F] of the items' sounds."""
        return torch.from_numpy(np.stack([item.codes for item in items])).to(self.model.device)

    def _null_logits(self, asks: Sequence[Ask]) -> dict[str, Tensor]:
        items = list({ask.item.id: ask.item for ask in asks}.values())
        passes = in_passes(lambda part: self.model.null_logits(self.codes(items[part])), len(items), self.batch)
        return {item.id: row for item, row in zip(items, (row for rows in passes for row in rows), strict=True)}

    def _resampled(self, audio: Tensor, judge: str) -> Tensor:
        rate = self.judges[judge].sample_rate
        if rate == self.model.sample_rate:
            return audio
        waves = resample_poly(audio.cpu().numpy(), rate, self.model.sample_rate, axis=-1)
        return torch.from_numpy(np.ascontiguousarray(waves, dtype=np.float32)).to(audio.device)

    def _answers(self, asks: Sequence[Ask], answer: Callable[[MaskedPrompts], dict[Key, A]]) -> dict[Key, A]:
        """What is answered to each distinct question, in batches of one removal operator."""
        distinct = {ask.key: ask for ask in asks}
        found: dict[Key, A] = {}
        for removal in dict.fromkeys(ask.removal for ask in distinct.values()):
            same = [ask for ask in distinct.values() if ask.removal == removal]

            def of_part(part: slice, same: list[Ask] = same) -> dict[Key, A]:
                return answer(self._masked(same[part]))

            for answers in in_passes(of_part, len(same), self.batch):
                found |= answers
        return found

    def _masked(self, asks: Sequence[Ask]) -> MaskedPrompts:
        """Questions of one removal operator with encoded prompts and padded masks."""
        prompts = list(dict.fromkeys(ask.item.prompt for ask in asks))
        text = self.model.encode(prompts)
        rows = torch.tensor([prompts.index(ask.item.prompt) for ask in asks], device=text.states.device)
        masks = np.zeros((len(asks), asks[0].mask.shape[0], text.states.shape[1]), dtype=np.float32)
        for row, ask in zip(masks, asks, strict=True):
            row[:, : ask.mask.shape[1]] = ask.mask
        encoded = Encoded(text.states[rows], text.mask[rows])
        return MaskedPrompts(asks, asks[0].removal, encoded, torch.from_numpy(masks).to(text.states.device))
