"""Attention of a diffusion denoiser on a prompt's words, in the graph of what it says: for gradients by attention."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn


@contextmanager
def read_cross_attention(module: nn.Module) -> Iterator[list[Tensor]]:
    """Within it, each pass appends the attention [B, H, Q, N] of layers whose keys come from states with a gradient.

    Give the text's states `requires_grad` and freeze the module: then these are the layers over the prompt's words, and
    none over another text stream. A layer's output is computed by diffusers' plain processor, from the attention that
    is appended. Raises ModelError where the module has no such layers in the layout of a UNet of diffusers.
    """
    from diffusers.models.attention_processor import Attention, AttnProcessor

    layers: list[Any] = [
        part for part in module.modules() if isinstance(part, Attention) and part.is_cross_attention and _plain(part)
    ]
    if not layers:
        raise ModelError(
            "this denoiser has no plain cross-attention layers of diffusers, whose gradient could be taken; explain "
            "AudioLDM2, or run a method that the model's interface serves"
        )
    record: list[Tensor] = []

    def recording(layer: Any) -> Callable[..., Tensor]:
        usual = layer.get_attention_scores

        def scores(query: Tensor, key: Tensor, attention_mask: Tensor | None = None) -> Tensor:
            weights: Tensor = usual(query, key, attention_mask)
            if key.requires_grad:
                rows = weights.reshape(-1, layer.heads, *weights.shape[1:])
                record.append(rows)
                weights = rows.flatten(0, 1)
            return weights

        return scores

    before = [layer.processor for layer in layers]
    try:
        for layer in layers:
            layer.get_attention_scores = recording(layer)
            layer.processor = AttnProcessor()
        yield record
    finally:
        for layer, processor in zip(layers, before, strict=True):
            del layer.get_attention_scores
            layer.processor = processor


def _plain(layer: Any) -> bool:
    """Whether diffusers' plain processor computes what the layer does: no grouped keys, no normalised queries."""
    return layer.norm_q is None and layer.norm_k is None and layer.to_k.out_features == layer.to_q.out_features


def grid_of(places: int, latents: tuple[int, int]) -> tuple[int, int]:
    """Grid [t, m] of a denoiser's level with so many places, its latents' grid halved as often as it takes.

    Raises ModelError where no level has as many.

    >>> grid_of(6, (5, 4))
    (3, 2)
    """
    time, bins = latents
    while time * bins > places and time * bins > 1:
        time, bins = (time + 1) // 2, (bins + 1) // 2
    if time * bins != places:
        raise ModelError(f"no level of latents of {latents[0]} by {latents[1]} has {places} places")
    return time, bins
