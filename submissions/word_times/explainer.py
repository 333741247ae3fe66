"""The stretch of time in which a model's cross-attention, aligned by dynamic time warping, places each token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import AfterValidator, Field

from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel


def _odd(width: int) -> int:
    if width % 2 == 0:
        raise ValueError(f"a median is over an odd number of frames; found {width}")
    return width


@dataclass
class WordTimes(SpeechExplainer):
    """Whisper's times of words (openai/whisper, `timing.py`) read as an explanation: all cells of a token's stretch.

    Attention of each head is made comparable over tokens, smoothed along time by a median, and averaged; tokens take
    frames in their order along the cheapest way. Nothing is claimed of earlier tokens.
    """

    layers: Literal["upper", "all"] = "upper"
    """Of the decoder: the upper half of them, or all; of each, all heads."""
    filter: Annotated[int, Field(ge=1), AfterValidator(_odd)] = 7
    """Frames of a median, odd."""

    @torch.no_grad()
    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        cross = model.attention(features, tokens).cross[0].double().cpu().numpy()
        first = len(cross) // 2 if self.layers == "upper" else 0
        token, frame = warped(-sharpened(cross[first:].reshape(-1, *cross.shape[2:]), self.filter))
        said = np.zeros((len(item.tokens), len(item.features)), dtype=np.float32)
        said[token, frame] = 1.0
        cells = np.repeat(said[..., None], item.features.shape[1], axis=2)
        return SpeechMap(spectrogram=cells, prefix=np.zeros((len(item.tokens), len(item.tokens)), dtype=np.float32))


def sharpened(attention: np.ndarray, width: int) -> np.ndarray:
    """Attention [H, O, T] of heads, standardised over tokens, its running median over frames, averaged: [O, T]."""
    deviation = attention.std(axis=1, keepdims=True)
    scores = (attention - attention.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1.0)
    reach = width // 2
    if scores.shape[2] > reach:
        padded = np.pad(scores, ((0, 0), (0, 0), (reach, reach)), mode="reflect")
        scores = np.median(np.lib.stride_tricks.sliding_window_view(padded, width, axis=2), axis=-1)
    return np.asarray(scores.mean(axis=0))


def warped(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest way through costs [O, T], from first token and frame to last: the token and the frame of each step.

    A step moves on one token, one frame, or both.

    >>> [each.tolist() for each in warped(np.array([[0.0, 9.0, 9.0], [9.0, 0.0, 0.0]]))]
    [[0, 1, 1], [0, 1, 2]]
    """
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for row in range(rows):
        for column in range(columns):
            before = min(total[row, column], total[row, column + 1], total[row + 1, column])
            total[row + 1, column + 1] = costs[row, column] + before
    token, frame = [rows - 1], [columns - 1]
    while token[-1] or frame[-1]:
        row, column = token[-1] + 1, frame[-1] + 1
        both, down, along = total[row - 1, column - 1], total[row - 1, column], total[row, column - 1]
        moved = (1, 1) if both < down and both < along else (1, 0) if down < both and down < along else (0, 1)
        token.append(token[-1] - moved[0])
        frame.append(frame[-1] - moved[1])
    return np.array(token[::-1]), np.array(frame[::-1])
