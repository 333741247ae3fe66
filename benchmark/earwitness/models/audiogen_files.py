"""Reading an AudioGen as audiocraft saves it: two files of tensors with their configurations, without audiocraft.

Published: facebook/audiogen-medium (Kreuk et al., AudioGen, arXiv 2209.15352, in the form of arXiv 2306.05284).
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ModelError, short
from earwitness.extras import not_installed
from earwitness.models.musicgen_sampling import Sampling
from earwitness.models.pretrained_files import at, attempt, require_modest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

LANGUAGE, CODEC = "state_dict.bin", "compression_state_dict.bin"
"""Files of the language model over codes and of the codec."""
MONO = "facebook/audiogen-medium"
SECONDS, SAMPLING = 5.0, Sampling(guidance=3.0, temperature=1.0, top_k=250)
"""What audiocraft's AudioGen draws unless told otherwise (`set_generation_params`, 1.3.0)."""
EXPORT = "export it with audiocraft.utils.export"


class SavedSettings:
    """The configuration that a file of audiocraft carries (`xp.cfg`), asked by dotted keys."""

    def __init__(self, place: str, config: Any) -> None:
        """`config` is omegaconf's; `place` names its file in messages."""
        self.place = place
        self.config = config

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, interpolated, as Python's own types; the default where it is absent or null."""
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            found = OmegaConf.select(self.config, key, default=None)
            value = OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
        except OmegaConfBaseException as error:
            raise self.odd(f"{key} cannot be read: {short(str(error).splitlines()[0])[:80]}") from error
        return default if value is None else value

    def need(self, key: str, *kinds: type) -> Any:
        """The value of a key, of one of these types; raises ModelError where it is absent or of another."""
        value = self.get(key)
        if value is None:
            raise ModelError(f"the configuration (xp.cfg) of {self.place} lacks {key}; {EXPORT}")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.odd(f"{key} = {short(repr(value))[:80]} is no {kinds[0].__name__}")
        return value

    def size(self, key: str) -> int:
        """A number of something, from 1 on."""
        value: int = self.need(key, int)
        if value < 1:
            raise self.odd(f"{key} = {value} is below 1")
        require_modest(self.place, value, key)
        return value

    def odd(self, problem: str) -> ModelError:
        """The error for a value that no model has."""
        return ModelError(f"the configuration (xp.cfg) of {self.place}: {problem}; {EXPORT}")


@dataclass(frozen=True)
class Saved:
    """One of the two files."""

    settings: SavedSettings
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class LanguageModel:
    """What a language model's configuration says of it."""

    sample_rate: int
    codebooks: int
    codes: int
    condition: str
    """Name of its conditioner on text."""
    text_encoder: str
    """The T5 of that conditioner: a folder, or a hub id."""
    finetuned: bool
    """Whether the T5's weights lie in the file, too."""


@dataclass(frozen=True)
class AudiocraftCheckpoint:
    """The two files, of which the codec's may be but a reference: a folder or a hub id of a codec of transformers."""

    source: str
    language: Saved
    model: LanguageModel
    codec: Saved | str


@dataclass(frozen=True)
class CodecShape:
    """What a codec makes of codes."""

    sample_rate: int
    frame_rate: float
    channels: int
    codebooks: int
    codes: int


def find(source: str, name: str, revision: str) -> Path | None:
    """A file of a folder or of a hub id; None where that is there and the file is not."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    place = at(source, revision)
    if Path(source).exists():
        path = Path(source, name)
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(source, name, revision=revision))
    except LocalEntryNotFoundError as error:
        raise _unreachable(place, error) from error
    except EntryNotFoundError:
        return None
    except Exception as error:  # whatever the hub's client raises
        raise _unreachable(place, error) from error


def read_checkpoint(source: str, revision: str) -> AudiocraftCheckpoint:
    """The two files of a source that has the first of them.

    Raises ModelError where one is absent or no export of audiocraft, or where the model is none that is read: stereo,
    conditioned on sound, not autoregressive, with another pattern of codes, without a T5 as its text encoder.
    """
    language = _saved(source, LANGUAGE, _needed(source, LANGUAGE, revision))
    if isinstance(language, str):
        raise ModelError(f"{source}: {LANGUAGE} names {short(language)[:80]} and holds no model; {EXPORT}")
    model = _language_model(source, language.settings)
    codec = _saved(source, CODEC, _needed(source, CODEC, revision))
    return AudiocraftCheckpoint(source, language, model, codec)


def _needed(source: str, name: str, revision: str) -> Path:
    path = find(source, name, revision)
    if path is None:
        raise ModelError(f"{source} has no {name}; an AudioGen of audiocraft has {LANGUAGE} and {CODEC}: {EXPORT}")
    return path


def _unreachable(place: str, error: Exception) -> ModelError:
    said = short(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)[:160]
    return ModelError(
        f"cannot read the model {place}: {said.rstrip('.')}; give a folder with {LANGUAGE} and {CODEC}, or a hub id "
        "that can be reached"
    )


def _saved(source: str, name: str, path: Path) -> Saved | str:
    """A file's configuration and weights, or the codec that it names."""
    place = f"{source}/{name}"
    try:
        mapped = zipfile.is_zipfile(path)
        read = attempt(
            "weights", place, lambda: torch.load(path, map_location="cpu", weights_only=True, mmap=mapped or None)
        )
    except ModelError as error:
        if isinstance(error.__cause__, pickle.UnpicklingError):
            raise ModelError(
                f"{place} is damaged, or holds more than tensors, numbers and texts, which is not read; {EXPORT}"
            ) from error
        raise
    named = read.get("pretrained") if isinstance(read, dict) else None
    if isinstance(named, str):
        return named
    config, weights = (read.get(key) if isinstance(read, dict) else None for key in ("xp.cfg", "best_state"))
    tensors = isinstance(weights, dict) and all(isinstance(each, torch.Tensor) for each in weights.values())
    if not isinstance(config, str) or not tensors:
        absent = "xp.cfg" if not isinstance(config, str) else "best_state"
        raise ModelError(f"{place} is no export of audiocraft: its {absent} is absent or of another kind; {EXPORT}")
    return Saved(SavedSettings(place, _parsed(place, config)), dict(weights or {}))


def _parsed(place: str, text: str) -> Any:
    try:
        from omegaconf import DictConfig, OmegaConf
    except ImportError as error:
        raise ModelError(str(not_installed("omegaconf", "audiogen"))) from error
    try:
        config = OmegaConf.create(text)
    except Exception as error:  # yaml's errors and omegaconf's have no base in common
        said = short(str(error).splitlines()[0] if str(error) else type(error).__name__)[:80]
        raise ModelError(f"the configuration (xp.cfg) of {place} is no YAML: {said}; {EXPORT}") from error
    if not isinstance(config, DictConfig):
        raise ModelError(f"the configuration (xp.cfg) of {place} is no table of keys and values; {EXPORT}")
    return config


def _language_model(source: str, settings: SavedSettings) -> LanguageModel:
    kind = settings.need("lm_model", str)
    if kind != "transformer_lm":
        raise ModelError(
            f"{source} is a {short(kind)[:80]} (MAGNeT is transformer_lm_magnet), which does not draw one code after "
            f"another; take an AudioGen, such as {MONO}"
        )
    if settings.get("channels", 1) != 1 or settings.get("interleave_stereo_codebooks.use", False):
        raise ModelError(f"{source} makes stereo, which no adapter reads; take a mono model, such as {MONO}")
    codebooks = settings.size("transformer_lm.n_q")
    _require_delay(source, settings, codebooks)
    condition = _condition(source, settings)
    return LanguageModel(
        sample_rate=settings.size("sample_rate"),
        codebooks=codebooks,
        codes=settings.size("transformer_lm.card"),
        condition=condition,
        text_encoder=settings.need(f"conditioners.{condition}.t5.name", str),
        finetuned=settings.need(f"conditioners.{condition}.t5.finetune", bool),
    )


def _require_delay(source: str, settings: SavedSettings, codebooks: int) -> None:
    """Raise ModelError unless codebook k is k steps behind, and each step sees those before it alone."""
    modeling = settings.get("codebooks_pattern.modeling") or settings.need("transformer_lm.q_modeling", str)
    delays = settings.get("codebooks_pattern.delay.delays") or list(range(codebooks))
    others = [settings.get(f"codebooks_pattern.delay.{key}", 0) for key in ("flatten_first", "empty_initial")]
    if modeling != "delay" or delays != list(range(codebooks)) or any(others):
        raise ModelError(
            f"{source} lays its codes out as {short(f'{modeling} {delays}')[:80]} (flatten_first and empty_initial "
            f"{others}); those of the pattern delay, codebook k by k steps, alone are read, such as {MONO}"
        )
    if settings.get("transformer_lm.causal", False) is not True:
        raise settings.odd("transformer_lm.causal is not true, so that a step would see those behind it")


def _condition(source: str, settings: SavedSettings) -> str:
    """The name of the only conditioner, a T5 that cross-attention looks at."""
    kinds = {name: settings.need(f"conditioners.{name}.model", str) for name in _conditioners(settings)}
    sounds = [f"{name} ({kind})" for name, kind in kinds.items() if kind not in ("t5", "lut")]
    if sounds:
        raise ModelError(
            f"{source} is conditioned on {short(', '.join(sounds))[:80]}, a melody, a style or another sound beside "
            f"its text, which no adapter reads; take a model of text alone, such as {MONO}"
        )
    if list(kinds.values()) != ["t5"]:
        found = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
        raise ModelError(
            f"{source} has no T5 as its one text conditioner (found: {short(found)[:80]}), so that there is no prompt "
            f"to explain; take a model such as {MONO}"
        )
    (condition,) = kinds
    if settings.get(f"conditioners.{condition}.t5.normalize_text", False):
        raise ModelError(
            f"{source} rewrites prompts before it reads them (normalize_text), so that its tokens are none of the "
            f"prompt's; take a model such as {MONO}"
        )
    fused = {way: settings.get(f"fuser.{way}") or [] for way in ("cross", "sum", "prepend", "input_interpolate")}
    if fused.pop("cross") != [condition] or any(fused.values()) or settings.get("fuser.cross_attention_pos_emb", False):
        raise ModelError(
            f"{source} joins its text otherwise than by plain cross-attention (fuser), as melody models do, and no "
            f"token of it can be taken away; take a model such as {MONO}"
        )
    return condition


def _conditioners(settings: SavedSettings) -> list[str]:
    found = settings.get("conditioners") or {}
    if not isinstance(found, dict):
        raise settings.odd("conditioners is no table")
    return [str(name) for name in found if name != "args"]


def shape_of(codec: Any) -> CodecShape:
    """What a codec of transformers, or its configuration, or a codec of audiocraft makes."""
    known = getattr(codec, "config", codec)
    if hasattr(known, "sampling_rate"):
        sizes = known.sampling_rate, known.frame_rate, known.audio_channels, known.num_quantizers, known.codebook_size
    else:
        sizes = codec.sample_rate, codec.frame_rate, codec.channels, codec.total_codebooks, codec.cardinality
    sample_rate, frame_rate, *counts = sizes
    return CodecShape(int(sample_rate), float(frame_rate), *map(int, counts))


def require_fitting(checkpoint: AudiocraftCheckpoint, codec: CodecShape) -> None:
    """Raise ModelError where the language model's codes are none of the codec's."""
    model, source = checkpoint.model, checkpoint.source
    if codec.sample_rate != model.sample_rate:
        raise ModelError(
            f"{source}: the codec makes {codec.sample_rate} Hz and the language model was trained at "
            f"{model.sample_rate} Hz; put the codec that it was trained with into {CODEC}"
        )
    if codec.channels != 1:
        raise ModelError(f"{source} has a codec of {codec.channels} channels; take a mono model, such as {MONO}")
    if codec.codes != model.codes or codec.codebooks < model.codebooks:
        raise ModelError(
            f"{source}: the codec has {codec.codebooks} codebooks of {codec.codes} codes and the language model "
            f"{model.codebooks} of {model.codes}; put the codec that it was trained with into {CODEC}"
        )


def require_tensors(place: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise ModelError unless both hold tensors of the same names and sizes; the first that differs is named."""
    absent, beyond = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if absent or beyond:
        lacks = f"lacks {_first_of(absent)}" if absent else ""
        has = f"has {_first_of(beyond)} too many" if beyond else ""
        said = " and ".join(each for each in (lacks, has) if each)
        raise ModelError(f"{place} does not fit its configuration: it {said}; {EXPORT}")
    for name, tensor in wanted.items():
        if tuple(found[name].shape) != tuple(tensor.shape):
            raise ModelError(
                f"{place} does not fit its configuration: {name} is {list(found[name].shape)} and not "
                f"{list(tensor.shape)}; {EXPORT}"
            )


def _first_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more tensors"
