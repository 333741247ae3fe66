"""Attention rollout (arXiv 2005.00928) from tokens to the spectrogram's frames and to earlier tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.attention_rollout import encoder_rollout, read_self_attention, rollout
from earwitness.explaining.encoder_steps import over_steps
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class AttentionRollout(SpeechExplainer):
    """Share of each frame, and of each earlier token, in what predicts a token, if layers passed on attention alone.

    White box as to the encoder: its layers called `self_attn`, of transformers' layout, are read. An encoder without
    such layers passes each step on as it is.
    """

    @torch.no_grad()
    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item: all bins of a frame alike."""
        frames, context = (shares.double().cpu().numpy() for shares in self.shares(model, item))
        spectrogram = np.repeat(to_unit(frames)[..., None], item.features.shape[1], axis=2)
        return SpeechMap(spectrogram=spectrogram, prefix=np.tril(to_unit(np.tril(context, -1)), -1))

    def shares(self, model: SpeechModel, item: SpeechItem) -> tuple[Tensor, Tensor]:
        """Shares [O, T] of frames, and [O, O] of tokens, in the state that predicts each token."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        with read_self_attention(model.module, within=".encoder.", causal=False) as layers:
            attention = model.attention(features, tokens)
        cross, step = over_steps(attention.cross[0].mean(1))
        steps = cross.shape[-1]
        found = rollout(list(with_opening(attention.prefix[0].mean(1))), list(cross))
        sources = found.sources
        if layers:
            sources = sources @ encoder_rollout([layer[0].float() for layer in layers])[:steps, :steps]
        frames = (sources / torch.bincount(step))[:, step]
        return frames, torch.nn.functional.pad(found.positions[:, 1:], (0, 1))


def with_opening(prefix: Tensor) -> Tensor:
    """Self-attention [..., O, O] among positions, of that to tokens [..., O, O]: position k read token k - 1.

    What a position gives to no token of the transcript goes to those that open it, which are position 0.

    >>> with_opening(torch.tensor([[0.0, 0.0], [0.25, 0.0]])).tolist()
    [[1.0, 0.0], [0.75, 0.25]]
    """
    opening = 1 - prefix.sum(-1, keepdim=True)
    return torch.cat([opening, prefix[..., :-1]], -1)
