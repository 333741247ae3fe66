"""Whisper of transformers behind the speech track's interface, for recognition and translation into English.

Published: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, arXiv 2212.04356.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import InvalidItemError, ModelError
from earwitness.models.encoder_decoder import EncoderDecoder
from earwitness.models.encoder_decoder_files import load_speech_parts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.models.encoder_decoder_files import Parts

_FLOOR_BELOW_MAXIMUM, _QUIETEST = 2.0, -1.5
"""Of Whisper's features (log10 power + 4) / 4: eight decades under the loudest cell, and the power 1e-10."""


class WhisperModel(EncoderDecoder):
    """A `SpeechModel` whose spectrogram ends with the utterance and is padded to the model's window in each pass.

    The extractor gives silence the floor, eight decades below the loudest cell; so does the padding, by the loudest
    cell of the spectrogram that is passed. It is no part of the gradient.
    """

    def __init__(self, parts: Parts, prompt: list[int], max_tokens: int | None = None) -> None:
        """See `from_pretrained`."""
        config: Any = parts.module.config
        extractor = parts.extractor
        self._extractor = extractor
        self._frames = _window_frames(parts.module)
        self.frame_rate = float(extractor.sampling_rate) / extractor.hop_length
        self.bins = int(config.num_mel_bins)
        self.longest = self._frames / self.frame_rate
        self.stride = self._frames // int(config.max_source_positions)
        timestamps = range(_without_timestamps(parts) + 1, int(config.vocab_size))
        super().__init__(parts, prompt, [*parts.tokenizer.all_special_ids, *timestamps], max_tokens)

    def _extract(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(audio):
            raise InvalidItemError("the audio is empty; leave it out")
        samples = self._frames * self._extractor.hop_length
        read = self._extractor(audio, sampling_rate=self.sample_rate, max_length=samples, return_tensors="np")
        features: NDArray[np.float32] = read["input_features"][0].T
        return features[: math.ceil(len(audio) / self._extractor.hop_length)].copy()

    def _window(self, features: Tensor) -> Tensor:
        loudest = features.detach().amax(dim=(1, 2), keepdim=True)
        silence = (loudest - _FLOOR_BELOW_MAXIMUM).clamp_min(_QUIETEST)
        padding = silence.expand(-1, self._frames - features.shape[1], features.shape[2])
        return torch.cat([features, padding], dim=1).transpose(1, 2)


def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    language: str | None = None,
    task: str | None = None,
    max_tokens: int | None = None,
) -> WhisperModel:
    """The model of a hub id or a folder in the hub's format, in float32.

    `language` is a code (en, de) and `task` is transcribe or translate; left out they come from the folder's
    generation_config.json, or are en and transcribe: the language is never guessed from the sound. `max_tokens` bounds
    a transcript. Raises ModelError where the source cannot be read or its parts do not fit.
    """
    parts = load_speech_parts(source, revision, device, "whisper")
    frames, found = _window_frames(parts.module), parts.extractor.nb_max_frames
    if frames != found:
        raise ModelError(
            f"the window of {source} is {found} frames in its features and {frames} in its model; save the feature "
            "extractor it was trained with"
        )
    return WhisperModel(parts, _prompt(source, parts, language, task), max_tokens)


def _window_frames(module: Any) -> int:
    encoder = module.model.encoder
    return int(module.config.max_source_positions * encoder.conv1.stride[0] * encoder.conv2.stride[0])


def _prompt(source: str, parts: Parts, language: str | None, task: str | None) -> list[int]:
    """Start of transcript, language and task where the model has several, no timestamps."""
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    module: Any = parts.module
    default = module.generation_config
    start, silent = int(module.config.decoder_start_token_id), _without_timestamps(parts)
    if not _multilingual(default):
        if language is not None or task is not None:
            raise ModelError(
                f"{source} recognises English alone; take `language` and `task` out of the task's parameters"
            )
        return [start, silent]
    chosen = str(language or getattr(default, "language", None) or "en").strip("<|>").lower()
    named = (TO_LANGUAGE_CODE.get(chosen, chosen), str(task or getattr(default, "task", None) or "transcribe"))
    return [start, *(_token(source, parts, name) for name in named), silent]


def _multilingual(default: Any) -> bool:
    told = getattr(default, "is_multilingual", None)
    return bool(getattr(default, "lang_to_id", None)) if told is None else bool(told)


def _without_timestamps(parts: Parts) -> int:
    module: Any = parts.module
    told = getattr(module.generation_config, "no_timestamps_token_id", None)
    return int(parts.tokenizer.convert_tokens_to_ids("<|notimestamps|>") if told is None else told)


def _token(source: str, parts: Parts, name: str) -> int:
    found = parts.tokenizer.convert_tokens_to_ids(f"<|{name}|>")
    if found is None or found == parts.tokenizer.unk_token_id:
        raise ModelError(f'{source} knows no language or task {name!r}; give a code as in `language = "de"`')
    return int(found)
