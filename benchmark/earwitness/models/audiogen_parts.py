"""An AudioGen built by audiocraft: its language model, its conditioner on text and its codec.

audiocraft imports torchaudio, xformers, spacy and torchmetrics for training, for metrics and for other models; they are
not asked for here.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from copy import deepcopy
from threading import RLock
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from earwitness.errors import EarwitnessError, ModelError
from earwitness.models.audiogen_files import (
    CODEC,
    LANGUAGE,
    Saved,
    require_fitting,
    require_tensors,
    shape_of,
)
from earwitness.models.audiogen_named_parts import read_named_codec, read_text_encoder
from earwitness.models.pretrained_files import attempt, require_finite
from earwitness.stand_ins import imported, stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from torch import Tensor

    from earwitness.models.audiogen_files import AudiocraftCheckpoint

INSTALL = "pip install --no-deps audiocraft==1.3.0 && pip install 'earwitness[audiogen]'"
PLAIN = {
    "custom": True,
    "memory_efficient": False,
    "attention_as_float32": False,
    "checkpointing": "none",
    "weight_init": None,
    "depthwise_init": None,
    "zero_bias_init": False,
}
"""What of `transformer_lm` says how attention is computed, on which card, and how a training began: here, in torch
alone, in single precision, from weights that are read. The names of weights are those of `custom`."""
_LOCK = RLock()
"""audiocraft's modules are changed for a moment."""


class Absent(nn.Module):
    """Stands where audiocraft names a class that is not installed and not needed."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise EarwitnessError("audiocraft wants torchaudio, torchmetrics or spacy here; pip install them")


class AudioGenParts(nn.Module):
    """The modules of an AudioGen, those that transformers has, too, under its names."""

    def __init__(self, lm: Any, text_encoder: nn.Module, audio_encoder: nn.Module) -> None:
        super().__init__()
        self.lm = lm
        self.text_encoder = text_encoder
        self.audio_encoder: Any = audio_encoder
        self.codec = shape_of(audio_encoder)

    def audio(self, codes: Tensor) -> Tensor:
        """Audio [B, 1, S] of codes [B, K, F]."""
        codec = self.audio_encoder
        # One of transformers takes chunks of a sound, with the loudness of each.
        found: Tensor = (
            codec.decode(codes[None], [None]).audio_values if hasattr(codec, "config") else codec.decode(codes)
        )
        return found


def audiocraft(name: str) -> Any:
    """A module of audiocraft by its name in there (`models.builders`); raises ModelError where it is not installed."""
    try:
        return imported(f"audiocraft.{name}", "audiocraft", INSTALL, _stand_ins())
    except EarwitnessError as error:
        raise ModelError(str(error)) from error


def _stand_ins() -> list[ModuleType]:
    return [
        stand_in("torchaudio"),
        stand_in("torchaudio.transforms", MelSpectrogram=Absent, Spectrogram=Absent),
        stand_in("torchmetrics", Metric=Absent),
        stand_in("xformers"),
        stand_in("xformers.ops", unbind=torch.unbind),
        stand_in("spacy", load=Absent),
    ]


def build(checkpoint: AudiocraftCheckpoint) -> tuple[AudioGenParts, Any]:
    """Modules and tokenizer of a checkpoint.

    Raises ModelError where audiocraft or a part is absent, or where a part does not fit its configuration.
    """
    builders = audiocraft("models.builders")
    source = checkpoint.source
    encoder, tokenizer = read_text_encoder(checkpoint)
    lm = attempt("language model", source, lambda: _language_model(builders, checkpoint, encoder, tokenizer))
    saved = checkpoint.codec
    if isinstance(saved, str):
        codec = read_named_codec(checkpoint, saved)
    else:
        codec = attempt("codec", source, lambda: _own_codec(builders, source, saved))
    parts = AudioGenParts(lm, encoder, codec)
    require_fitting(checkpoint, parts.codec)
    require_finite(source, parts)
    return parts, tokenizer


def _language_model(
    builders: Any, checkpoint: AudiocraftCheckpoint, text_encoder: nn.Module, tokenizer: Any
) -> nn.Module:
    config = _on_cpu(checkpoint.language)
    for key, value in PLAIN.items():
        config.transformer_lm[key] = value
    name = config.conditioners[checkpoint.model.condition].t5.name
    with _text_encoder(name, text_encoder, tokenizer), torch.random.fork_rng(devices=[]):
        lm: nn.Module = builders.get_lm_model(config)
    # Of attention that is not `custom`, by the names of torch's own module.
    weights = {key.replace(".mha.", "."): tensor for key, tensor in checkpoint.language.weights.items()}
    return _filled(f"{checkpoint.source}/{LANGUAGE}", lm, weights)


def _own_codec(builders: Any, source: str, saved: Saved) -> nn.Module:
    # Without gradients, so that weights which torch's former weight norm computes can be copied.
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), torch.no_grad():
        warnings.simplefilter("ignore")
        module: nn.Module = builders.get_compression_model(_on_cpu(saved))
    return _filled(f"{source}/{CODEC}", module, saved.weights)


def _on_cpu(saved: Saved) -> Any:
    """A copy of a configuration, to be built from in single precision and on the CPU."""
    from omegaconf import OmegaConf

    config = deepcopy(saved.settings.config)
    OmegaConf.set_struct(config, False)
    config.device, config.dtype = "cpu", "float32"
    return config


def _filled(place: str, module: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    require_tensors(place, weights, module.state_dict())
    module.load_state_dict(weights)
    return module


@contextmanager
def _text_encoder(name: str, text_encoder: Any, tokenizer: Any) -> Iterator[None]:
    """While it lasts, audiocraft's conditioner finds this T5 and this tokenizer under a name.

    Its own table lists published names alone, and it would not see where a file lacks tensors.
    """
    conditioners = audiocraft("modules.conditioners")
    kind, width = conditioners.T5Conditioner, text_encoder.config.d_model
    with _LOCK:
        before = kind.MODELS, kind.MODELS_DIMS, conditioners.T5Tokenizer, conditioners.T5EncoderModel
        kind.MODELS, kind.MODELS_DIMS = [name], {name: width}
        conditioners.T5Tokenizer, conditioners.T5EncoderModel = _Ready(tokenizer), _Ready(text_encoder)
        try:
            yield
        finally:
            kind.MODELS, kind.MODELS_DIMS, conditioners.T5Tokenizer, conditioners.T5EncoderModel = before


class _Ready:
    """A class of transformers whose `from_pretrained` gives what was read already."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def from_pretrained(self, _: str) -> Any:
        return self._found
