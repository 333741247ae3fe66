"""Cross-attention with dynamic time warping: Whisper's own word times, read as an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from transformers import GenerationConfig

from earwitness.errors import InvalidItemError
from earwitness.explaining.encoder_steps import over_steps
from earwitness.explaining.time_warping import evidence, first_steps
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit

if TYPE_CHECKING:
    from earwitness.tracks.speech import Attention


@dataclass
class CrossAttentionDtw(SpeechExplainer):
    """The frames in which a token's word is said, by an alignment of the decoder's cross-attention."""

    heads: Literal["alignment", "upper"] = "alignment"
    """Those that the model names for alignment, where it names any, or else all of the upper half of the layers; or
    `upper`, the latter in any case."""
    width: Annotated[int, Field(ge=1)] = 7
    """Encoder steps of the median filter, an odd number."""

    def __post_init__(self) -> None:
        if self.width % 2 == 0:
            raise ValueError(f"width must be odd; found {self.width}")

    @torch.no_grad()
    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item: 1 in the frames of the token's word, in all bins, else 0."""
        attention = self.attention(model, item)
        cross, step = over_steps(attention.cross[0])
        chosen = self.chosen(model, cross.shape[0], cross.shape[1])
        rows = np.stack([cross[layer, head].double().cpu().numpy() for layer, head in chosen])
        said = word_steps(first_steps(evidence(rows, self.width)), item.words, rows.shape[2])
        inside = said[:, step.cpu().numpy()].astype(np.float64)
        count = len(item.tokens)
        own = attention.prefix[0, sorted({layer for layer, _ in chosen})].mean((0, 1)).double().cpu().numpy()
        prefix = np.tril(to_unit(np.tril(own[:count, :count], -1)), -1)
        return SpeechMap(spectrogram=np.repeat(inside[..., None], item.features.shape[1], axis=2), prefix=prefix)

    def attention(self, model: SpeechModel, item: SpeechItem) -> Attention:
        """Attention of the rows that predict the tokens, and of the row that follows the last: it says where that ends.

        Without that row where the transcript is as long as the model takes.
        """
        features = torch.as_tensor(item.features, device=model.device)[None]
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        try:  # A row reads the tokens before it alone, so that any token may stand in its place.
            return model.attention(features, torch.cat([tokens, tokens[:, -1:]], 1))
        except InvalidItemError:
            return model.attention(features, tokens)

    def chosen(self, model: SpeechModel, layers: int, heads: int) -> list[tuple[int, int]]:
        """Layer and head of each head that is read."""
        upper = [(layer, head) for layer in range(layers // 2, layers) for head in range(heads)]
        return upper if self.heads == "upper" else alignment_heads(model.module) or upper


def alignment_heads(module: Any) -> list[tuple[int, int]]:
    """Layer and head of those that the settings beside a model's weights name for alignment; none where there are none.

    Read from the files: adapters keep of the settings only what shapes a transcript.
    """
    commit = getattr(module.config, "_commit_hash", None) if hasattr(module, "config") else None
    try:
        settings = GenerationConfig.from_pretrained(
            str(getattr(module, "name_or_path", "")), revision=commit or "main", local_files_only=True
        )
    except (OSError, ValueError):  # no such file, or no folder that it could lie in
        return []
    return [(int(layer), int(head)) for layer, head in getattr(settings, "alignment_heads", None) or []]


def word_steps(begins: np.ndarray, words: np.ndarray, steps: int) -> np.ndarray:
    """Steps [O, E] of each token's word, one at least: from where its first token begins to where the next word's does.

    `begins` [O] or [O + 1] are the steps at which tokens begin, and at which the last ends; `words` [O].

    >>> word_steps(np.array([0, 2, 3]), np.array([0, 1]), 4).astype(int).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 0]]
    """
    ends = np.append(begins, steps)[: len(words) + 1]
    said = np.zeros((len(words), steps), dtype=bool)
    for word in np.unique(words):
        own = np.flatnonzero(words == word)
        start = int(begins[own[0]])
        said[own, start : max(int(ends[own[-1] + 1]), start + 1)] = True
    return said
