"""Scores of cross-attention manipulated before the softmax (AtMan, arXiv 2301.08110), in every layer and head."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ExplainerFailedError
from earwitness.explaining.attention_layout import projected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn

    from earwitness.tracks.prompt import Encoded, PromptModel


def suppressed(scores: Tensor, factors: Tensor) -> Tensor:
    """Attention [R, H, T, N] of scores [R, H, T, N] that are shifted to a least of 0 and multiplied by factors.

    `factors` [R, 1, 1, N] are 1 for tokens that are left alone, in (0, 1) for those that are suppressed, 0 for those
    that are not there (padding). The least is that of the tokens of a row, in each layer, head and step.

    >>> scores = torch.tensor([5.0, 7.0, 9.0])[None, None, None]
    >>> expected = torch.tensor([0.0, 2.0, 2.0]).softmax(-1)
    >>> torch.allclose(suppressed(scores, torch.tensor([1.0, 1.0, 0.5])), expected)
    True
    """
    absent = factors == 0
    least = scores.masked_fill(absent, float("inf")).amin(-1, keepdim=True)
    return ((scores - least) * factors).masked_fill(absent, float("-inf")).softmax(-1)


@dataclass(frozen=True)
class SuppressedModel:
    """A model whose token masks are factors of `suppressed`: what log-likelihoods under masks ask of a `PromptModel`.

    White box, for decoders in the layout of transformers' MusicGen and of audiocraft.
    """

    model: PromptModel

    @property
    def device(self) -> torch.device:
        """The model's."""
        return self.model.device

    def encode(self, prompts: Sequence[str]) -> Encoded:
        """The model's states and mask of prompts."""
        return self.model.encode(prompts)

    def logits(self, codes: Tensor, text: Encoded, factors: Tensor, *_: object) -> Tensor:
        """Logits [B, K, F, V] of codes [B, K, F], teacher-forced, under factors [B, N]; no removal operator is used."""
        with _suppressing(self.model.module, factors[:, None, None]):
            return self.model.logits(codes, text)


@contextmanager
def _suppressing(module: nn.Module, factors: Tensor) -> Iterator[None]:
    """Within it, every layer's cross-attention is computed once more, under factors, and that is what it gives."""

    def attend(attention: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        source = kwargs["key_value_states"] if "key_value_states" in kwargs else args[1]
        query, key, value = projected(attention, args[0], source)
        weights = suppressed(query @ key.transpose(2, 3) * query.shape[-1] ** -0.5, factors)
        return attention.out_proj((weights @ value).transpose(1, 2).flatten(2)), *output[1:]

    ends = (".encoder_attn", ".cross_attention")
    hooks = [
        layer.register_forward_hook(attend, with_kwargs=True)
        for name, layer in module.named_modules()
        if name.endswith(ends)
    ]
    if not hooks:
        raise ExplainerFailedError(f"no layer of the model is called {' or '.join(ends)}: there is nothing to suppress")
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
