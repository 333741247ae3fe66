"""Whisper of transformers behind the speech track's interface, for recognition and translation into English.

Published: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, arXiv 2212.04356.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import torch

from earwitness.errors import InvalidItemError, ModelError
from earwitness.models.card_parameters import Dtype
from earwitness.models.encoder_decoder import EncoderDecoder
from earwitness.models.encoder_decoder_files import MaxTokens, load_speech_parts
from earwitness.models.pretrained_files import adapter
from earwitness.models.whisper_prompt import opening, without_timestamps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.models.encoder_decoder_files import Parts

_TIMESTAMP = re.compile(r"(<\|.*\|>)?")
SILENCE = -0.75
"""What stands in each cell after the utterance, of Whisper's features (log10 power + 4) / 4."""


class WhisperModel(EncoderDecoder):
    """A `SpeechModel` whose spectrogram ends with the utterance and is padded to the model's window in each pass.

    The last frame is the last that hears some of the utterance. What follows is silence: `SILENCE` in every cell, so
    that nothing of it moves with the cells that are removed. The extractor would give it the floor of the recording at
    hand, eight decades below its loudest cell: -0.75 where that is 1.25, as speech of usual loudness has it.
    """

    def __init__(self, parts: Parts, prompt: list[int], silent: int, max_tokens: int | None = None) -> None:
        """See `from_pretrained`; after the token `silent` come timestamps."""
        config: Any = parts.module.config
        extractor = parts.extractor
        self._extractor = extractor
        self._frames = _window_frames(parts.module)
        self.frame_rate = float(extractor.sampling_rate) / extractor.hop_length
        self.bins = int(config.num_mel_bins)
        self.longest = self._frames / self.frame_rate
        self.stride = self._frames // int(config.max_source_positions)
        later = range(silent + 1, int(config.vocab_size))
        # A fine-tune's own tokens come after the timestamps; what a tokenizer has no text for is none of them.
        named = {token: str(parts.tokenizer.convert_ids_to_tokens(token) or "") for token in later}
        timestamps = [token for token, name in named.items() if _TIMESTAMP.fullmatch(name)]
        super().__init__(parts, prompt, [*parts.tokenizer.all_special_ids, *timestamps], max_tokens)

    def _extract(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(audio):
            raise InvalidItemError("the audio is empty; leave it out")
        hop, reach = self._extractor.hop_length, self._extractor.n_fft // 2
        samples = self._frames * hop
        read = self._extractor(audio, sampling_rate=self.sample_rate, max_length=samples, return_tensors="np")
        features: NDArray[np.float32] = read["input_features"][0].T
        # Frame t hears the samples less than `reach` from sample t hop.
        return features[: -(-(len(audio) + reach) // hop)].copy()

    def _window(self, features: Tensor) -> Tensor:
        behind = self._frames - features.shape[1]
        return torch.nn.functional.pad(features, (0, 0, 0, behind), value=SILENCE).transpose(1, 2)


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    language: str | None = None,
    task: Literal["transcribe", "translate"] | None = None,
    max_tokens: MaxTokens | None = None,
    dtype: Dtype = "float32",
) -> WhisperModel:
    """The model of a hub id or a folder in the hub's format.

    `language` is a code, a name or a token (de, German, <|de|>); it and `task`, left out, come from the folder
    (`language` and `task` of its generation_config.json, or `forced_decoder_ids`), or are en and transcribe: the
    language is never guessed from the sound. `max_tokens` bounds a transcript. `dtype` is what weights and activations
    are held in; features, logits and attention are float32 in any case. Raises ModelError where the source cannot be
    read, its parts do not fit, or a parameter is none that it takes.
    """
    parts = load_speech_parts(source, revision, device, "whisper", dtype)
    frames, found = _window_frames(parts.module), parts.extractor.nb_max_frames
    if frames != found:
        raise ModelError(
            f"the window of {source} is {found} frames in its features and {frames} in its model; save the feature "
            "extractor it was trained with"
        )
    config: Any = parts.module.config
    bins, read = parts.extractor.feature_size, config.num_mel_bins
    if bins != read:
        raise ModelError(
            f"the features of {source} have {bins} mel bins and its model reads {read}; save the feature extractor it "
            "was trained with"
        )
    silent = without_timestamps(source, parts)
    return WhisperModel(parts, opening(source, parts, language, task), silent, max_tokens).tried(source)


def _window_frames(module: Any) -> int:
    encoder = module.model.encoder
    return int(module.config.max_source_positions * encoder.conv1.stride[0] * encoder.conv2.stride[0])
