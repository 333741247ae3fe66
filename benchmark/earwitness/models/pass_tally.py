"""What passes of an encoder-decoder cost, wherever they were asked for: in a pass of both, alone, or by beam search."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

TOKENS_PER_SECOND = 3.3
"""Of speech: 150 words a minute of 1.3 tokens each."""
_CROSS = ("encoder_attn.k_proj", "encoder_attn.v_proj")


@dataclass(frozen=True)
class Rates:
    """How fast an encoder-decoder goes through speech."""

    frames: float
    """Of the spectrogram, per second."""
    steps: float
    """Of the encoder, per second."""


def encoder_share(encoder: nn.Module, decoder: nn.Module, head: nn.Module, rates: Rates) -> float:
    """Share of a teacher-forced pass that depends on the spectrogram alone, in (0, 1).

    By multiply-adds of linear and convolutional layers for a second of speech of 3.3 tokens: the encoder, and the keys
    and values that cross-attention makes of its states, against the rest of the decoder and the output layer.
    """
    sound, rate = 0.0, rates.frames
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv1d):
            rate /= layer.stride[0]
            sound += rate * layer.weight.numel()
        elif isinstance(layer, nn.Linear):
            sound += rates.steps * layer.weight.numel()
    said = TOKENS_PER_SECOND * sum(weight.numel() for weight in head.parameters())
    for name, layer in decoder.named_modules():
        if isinstance(layer, nn.Linear) and name.endswith(_CROSS):
            sound += rates.steps * layer.weight.numel()
        elif isinstance(layer, nn.Linear):
            said += TOKENS_PER_SECOND * layer.weight.numel()
    return float(sound / (sound + said))


class PassTally(nn.Module):
    """Called with the output of every run of encoder and decoder and with its worth, for a meter to hook.

    A row of the encoder is worth `share`, a row of a teacher-forced decoder the rest, so that a whole pass over one
    utterance is 1 and 100 prefix masks of one utterance are share + 100 (1 - share). A step of a search (`use_cache`)
    is worth its part of the tokens that an utterance of that length has at 3.3 a second, for each beam.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, share: float, rates: Rates) -> None:
        """Hook encoder and decoder, which stay outside this module."""
        super().__init__()
        self.share = share
        self._rates = rates
        self._is_teacher_forced = False
        encoder.register_forward_hook(self._encoded, with_kwargs=True)
        decoder.register_forward_hook(self._decoded, with_kwargs=True)

    def forward(self, output: Any, worth: float) -> Any:
        """The output, as it came."""
        return output

    @contextmanager
    def teacher_forced(self) -> Iterator[None]:
        """Runs of the decoder inside are whole passes, whatever caches they carry."""
        self._is_teacher_forced = True
        try:
            yield
        finally:
            self._is_teacher_forced = False

    def _encoded(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        features: Tensor = kwargs["input_features"] if "input_features" in kwargs else args[0]
        self(output, worth=len(features) * self.share)

    def _decoded(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        rows, length = output.last_hidden_state.shape[:2]
        worth = rows * (1 - self.share)
        states: Tensor | None = kwargs.get("encoder_hidden_states")
        if kwargs.get("use_cache") and not self._is_teacher_forced and states is not None:
            worth *= length / max(1.0, TOKENS_PER_SECOND * states.shape[1] / self._rates.steps)
        self(output, worth=worth)
