"""Speech2Text of transformers behind the speech track's interface, for recognition and translation.

Published: Wang et al., fairseq S2T, arXiv 2010.05171 (log-mel features normalised by utterance, two strided
convolutions before the encoder).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.errors import InvalidItemError, ModelError
from earwitness.models.card_parameters import Dtype
from earwitness.models.encoder_decoder import EncoderDecoder
from earwitness.models.encoder_decoder_files import MaxTokens, load_speech_parts
from earwitness.models.languages import language_code
from earwitness.models.pretrained_files import adapter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.models.encoder_decoder_files import Parts

_WINDOW, _HOP = 400, 160
"""Samples: fixed in transformers' feature extractor of Speech2Text."""


class Speech2TextModel(EncoderDecoder):
    """A `SpeechModel` whose spectrogram is normalised by utterance: 0 is a mel bin's mean, 1 its deviation."""

    def __init__(self, parts: Parts, prompt: list[int], max_tokens: int | None = None) -> None:
        """See `from_pretrained`."""
        config: Any = parts.module.config
        self._extractor = parts.extractor
        self.frame_rate = float(parts.extractor.sampling_rate) / _HOP
        self.bins = int(config.input_feat_per_channel) * int(config.input_channels)
        self.longest = int(config.max_source_positions) / self.frame_rate
        self.stride = 2 ** int(config.num_conv_layers)
        super().__init__(parts, prompt, parts.tokenizer.all_special_ids, max_tokens)

    def _extract(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(audio) < _WINDOW:
            raise InvalidItemError(
                f"the audio has {len(audio)} samples, fewer than one frame's {_WINDOW}; leave it out"
            )
        # A mel bin that never changes has no deviation to divide by: it is its mean throughout.
        with np.errstate(divide="ignore", invalid="ignore"):
            read = self._extractor(audio, sampling_rate=self.sample_rate)["input_features"][0]
        return np.nan_to_num(np.asarray(read, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)

    def _window(self, features: Tensor) -> Tensor:
        return features


def _prompt(source: str, parts: Parts, language: str | None) -> list[int]:
    """The decoder's start token and, in a model of several target languages, that of the language."""
    config: Any = parts.module.config
    default: Any = parts.module.generation_config
    start = next(
        (place.decoder_start_token_id for place in (default, config) if place.decoder_start_token_id is not None), None
    )
    if start is None:
        raise ModelError(f"{source} does not say with which token a transcript starts; set decoder_start_token_id")
    if language is None:
        forced = next(
            (
                place.forced_bos_token_id
                for place in (default, config)
                if getattr(place, "forced_bos_token_id", None) is not None
            ),
            None,
        )
        return [int(start)] if forced is None else [int(start), int(forced)]
    code = language_code(language)
    found = parts.tokenizer.convert_tokens_to_ids(f"<lang:{code}>")
    if found is None or found == parts.tokenizer.unk_token_id:
        raise ModelError(
            f"{source} has no token of the target language {code!r}; take `language` out of the task's parameters, or "
            "name a language of its tokenizer"
        )
    return [int(start), int(found)]


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    language: str | None = None,
    max_tokens: MaxTokens | None = None,
    dtype: Dtype = "float32",
) -> Speech2TextModel:
    """The model of a hub id or a folder in the hub's format.

    `language` is the target language of a model that has several (a code, a name or a token; the default is in its
    generation_config.json); `max_tokens` bounds a transcript. `dtype` is what weights and activations are held in;
    features, logits and attention are float32 in any case. Raises ModelError where the source cannot be read, its parts
    do not fit, or a parameter is none that it takes.
    """
    parts = load_speech_parts(source, revision, device, "speech_to_text", dtype)
    config: Any = parts.module.config
    if parts.extractor.num_mel_bins != config.input_feat_per_channel:
        raise ModelError(
            f"the features of {source} have {parts.extractor.num_mel_bins} mel bins and its model reads "
            f"{config.input_feat_per_channel}; save the feature extractor it was trained with"
        )
    if config.pad_token_id != 1:
        raise ModelError(
            f"{source} pads with token {config.pad_token_id}, which leaves transformers' Speech2Text encoder without "
            "positions; train it with pad_token_id = 1"
        )
    return Speech2TextModel(parts, _prompt(source, parts, language), max_tokens).tried(source)
