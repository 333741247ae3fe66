"""What reading any model of transformers has in common: quiet, one line for every fault, nothing missing."""

from __future__ import annotations

import functools
import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from earwitness.errors import EarwitnessError, ModelError, short
from earwitness.parameters import ParameterError, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


P = ParamSpec("P")
R = TypeVar("R")
PLACE = ("source", "revision", "device")
"""What `from_pretrained` takes from elsewhere than a card's parameters."""


def adapter(function: Callable[P, R]) -> Callable[P, R]:
    """A `from_pretrained` whose keyword parameters are validated and whose every fault is one ModelError in one line.

    Parameters are held against the function's annotations, by `earwitness.parameters.checked`.
    """

    @functools.wraps(function)
    def read(*args: P.args, **kwargs: P.kwargs) -> R:
        source = str(args[0] if args else kwargs.get("source"))
        given = {name: value for name, value in kwargs.items() if name not in PLACE[len(args) :]}
        try:
            kwargs.update(checked(function, given, excluded=PLACE))
            found: R = attempt("parts", source, functools.partial(function, *args, **kwargs))
            return found
        except ParameterError as error:
            raise ModelError(f"{source}: {error}") from None

    return read


def attempt(part: str, source: str, read: Callable[[], Any]) -> Any:
    """What `read` returns; raises ModelError, in one line, where it raises anything."""
    # Broad, since transformers, huggingface_hub and safetensors each raise errors of their own for one bad folder.
    try:
        return read()
    except (ModelError, ParameterError):
        raise
    except Exception as error:
        reason, advice = _reason(error)
        raise ModelError(f"cannot read the {part} of the model {source}: {reason}; {advice}") from error


SPOILED = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError)
"""What code raises that is built from a configuration with a value missing, or of another type."""
OTHER_SIZES = ("ignore_mismatched_sizes", "Error(s) in loading state_dict")


def _reason(error: Exception) -> tuple[str, str]:
    """Why a part cannot be read, short, and what to do."""
    lines = str(error).strip().splitlines() or [""]
    if "sentencepiece" in str(error).lower():
        return short(lines[0])[:200], "install sentencepiece, which its tokenizer needs"
    if any(mark in lines[0] for mark in OTHER_SIZES):
        return "its weights are of other sizes than its configuration says", "save the model again"
    name = type(error).__name__
    # Those of huggingface_hub say in their last line what was expected of which field.
    strict = name.startswith("StrictDataclass")
    if strict or isinstance(error, SPOILED):
        said = short(lines[-1] if strict else f"{name}: {lines[0]}".rstrip(": "))[:160]
        return f"a value of its configuration is missing or of the wrong kind ({said})", "save the model again"
    first = lines[0].split(". ")[0].rstrip(".")
    plain = isinstance(error, EarwitnessError | OSError | ValueError | RuntimeError) and first
    text = short(first if plain else f"{name}: {first}".rstrip(": "))[:200]
    return text, "give a folder in the hub's format, or a hub id that can be reached"


def read_config(source: str, revision: str, *kinds: str) -> Any:
    """The configuration of a model of transformers of one of some types; raises ModelError where there is none."""
    from transformers import AutoConfig, GenerationConfig, PretrainedConfig

    place = at(source, revision)
    raw = attempt("configuration", place, lambda: table(PretrainedConfig.get_config_dict(source, revision=revision)[0]))
    kind = raw.get("model_type", kinds[0])
    if not isinstance(kind, str):
        raise ModelError(f"the configuration of {source} has no text as its model_type; save the model again")
    if kind not in kinds:
        raise other_family(source, kind, kinds[0])
    require_modest(source, raw)
    generation = Path(source, "generation_config.json")
    if generation.is_file():
        # transformers would go on without one that it cannot read.
        attempt("generation configuration", place, lambda: GenerationConfig.from_dict(parsed(generation)))
    return attempt("configuration", place, lambda: AutoConfig.from_pretrained(source, revision=revision))


def parsed(path: Path) -> dict[str, Any]:
    """The table that a JSON file holds; raises ValueError or OSError where it holds none."""
    return table(json.loads(path.read_text(encoding="utf-8")))


def table(read: Any) -> dict[str, Any]:
    """What was read, which must be a table; raises ValueError where it is none."""
    if not isinstance(read, dict):
        raise ValueError("its JSON is no table of keys and values")
    return read


def at(source: str, revision: str) -> str:
    """A source as messages name it: a hub id with its revision.

    Raises ModelError where it can be no hub id, so that it is the path of a folder, and there is none.
    """
    if Path(source).exists():
        return source
    if Path(source).is_absolute() or source.startswith((".", "~")) or source.count("/") > 1:
        raise ModelError(f"no such folder: {source}; name the folder that holds the model, or its hub id")
    return f"{source} (revision {revision})"


MOST, MOST_LAYERS = 10_000_000, 1_000
"""Of any number of a configuration, and of those that count layers: published models are far below."""
COUNTS = re.compile(r"layers?$|blocks$|codebooks$|quantizers$|depths?$|stages$|heads?$|experts$|bandwidths$")
LAYERS = re.compile(r"(^|\.)(num_hidden_layers|encoder_layers|decoder_layers|n_layers?)$")
"""Of which a model has one at least."""
LISTS = re.compile(r"(bandwidths|block_types|channels|depths|multiples|ratios|sizes)$")
"""Of which none is empty."""


def require_modest(source: str, config: Any, key: str = "") -> None:
    """Raise ModelError where a number in a configuration is far larger than any model's, or a list of sizes is empty.

    Building from it would fill the memory, or take for ever, before the weights are looked at.
    """
    if isinstance(config, dict):
        for name, value in config.items():
            require_modest(source, value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, list):
        if not config and LISTS.search(key):
            raise ModelError(f"the configuration of {source} has an empty {short(key)[:80]}; save the model again")
        for value in config:
            require_modest(source, value, key)
    elif isinstance(config, int | float) and not isinstance(config, bool):
        least, most = (0, MOST_LAYERS) if COUNTS.search(key) else (-MOST, MOST)
        least = 1 if LAYERS.search(key) else least
        if not least <= config <= most:
            raise ModelError(
                f"the configuration of {source} has {short(key)[:80]} = {config:.6g}, which no model has (it lies in "
                f"[{least}, {most}]); save the model again"
            )


FAMILIES = {
    "AudioLDM2Pipeline": ("audioldm2", "cvssp/audioldm2"),
    "AutoencoderOobleck": ("oobleck", "stabilityai/stable-audio-open-1.0"),
    "StableAudioPipeline": ("stable_audio", "stabilityai/stable-audio-open-1.0"),
    "audio-spectrogram-transformer": ("ast", "MIT/ast-finetuned-audioset-10-10-0.4593"),
    "cnn_judge": ("cnn", "the folder of a micro task's judge"),
    "encodec": ("encodec", "facebook/encodec_24khz"),
    "musicgen": ("musicgen", "facebook/musicgen-small, -medium or -large"),
    "spectral_codec": ("encodec", "this suite's own codec"),
    "speech_to_text": ("speech2text", "facebook/s2t-small-mustc-en-de-st"),
    "whisper": ("whisper", "openai/whisper-small.en"),
}
"""Adapter, of models and of judges, and published checkpoints of each class of diffusers and each model type of
transformers that is read."""


def other_family(source: str, found: Any, wanted: str) -> ModelError:
    """Says that a source is of another model type than an adapter reads, and which adapter reads it, if any does."""
    return ModelError(f"{source} is {named(found)} model, not {named(wanted)} one; {_adapter_of(found, wanted)}")


def other_class(source: str, found: Any, wanted: str) -> ModelError:
    """Says that a source is of another class of diffusers than an adapter reads; see `other_family`."""
    return ModelError(f"{source} holds {named(found)}, not {named(wanted)}; {_adapter_of(found, wanted)}")


def named(name: Any) -> str:
    """A name of a configuration with its article, short.

    >>> named("audioldm"), named("whisper"), named(None)
    ('an audioldm', 'a whisper', 'a None')
    """
    text = short(str(name))[:80]
    return f"{'an' if text[:1].lower() in ('a', 'e', 'i', 'o') else 'a'} {text}"


def _adapter_of(found: Any, wanted: str) -> str:
    own = FAMILIES.get(str(found))
    return f"name the adapter {own[0]}" if own else f"no adapter reads it; take {FAMILIES[wanted][1]}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings and progress bars of transformers from the terminal, and set both back afterwards."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def require_tokenizer_file(source: str, names: Sequence[str]) -> None:
    """Raise ModelError where a folder holds no file of a tokenizer."""
    # Without one transformers may build an empty tokenizer of the family, to which every token is unknown.
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in names):
        raise ModelError(f"{source} holds no tokenizer ({' or '.join(names)}); save it beside the weights")


def require_all(source: str, module: Any, report: Mapping[str, Any], folder: Path | None = None) -> None:
    """Raise ModelError where a model's weights lack tensors, or have layers beyond those of its configuration.

    `report` is the loading report of the library, whose unexpected tensors are mostly what older versions saved, too.
    `folder` is where the weights lie, if not in the source.
    """
    absent = sorted(report["missing_keys"])
    if absent:
        raise ModelError(f"the weights of {source} lack {_first_of(absent)}; save the model again")
    own = set(module.state_dict())
    known = {_numberless(name) for name in own}
    # Of a composite model the library hides some of them, so that those of a folder are read, too.
    unexpected = {*report["unexpected_keys"], *_saved(folder or Path(source))} - own
    beyond = sorted(name for name in unexpected if _numberless(name) in known)
    if beyond:
        raise ModelError(
            f"the weights of {source} have, beyond its configuration, {_first_of(beyond)}; save the model again"
        )


def _first_of(tensors: Sequence[str]) -> str:
    return tensors[0] if len(tensors) == 1 else f"{len(tensors)} tensors, {tensors[0]} first"


WEIGHTS = ("model.safetensors", "diffusion_pytorch_model.safetensors")
"""Files that transformers and diffusers read weights of; beside them a folder may hold others, such as adapters'."""


def _saved(folder: Path) -> Iterator[str]:
    """Names of the tensors of the safetensors files that a folder's model is read from, which may be in pieces."""
    from safetensors import safe_open

    for name in WEIGHTS:
        whole, pieces = folder / name, folder / f"{name}.index.json"
        if whole.is_file():
            with safe_open(whole, "pt") as file:
                yield from file.keys()
        elif pieces.is_file():
            yield from parsed(pieces)["weight_map"]


def _numberless(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def settle(source: str, module: Any, part: str = "") -> None:
    """Have a module and its parts return their plain outputs, whatever its folder says; see also `require_finite`."""
    from transformers import PretrainedConfig

    require_finite(source, module, part)
    for each in module.modules():
        config: Any = getattr(each, "config", None)
        if isinstance(config, PretrainedConfig):
            config.return_dict, config.torchscript = True, False
            config.output_attentions, config.output_hidden_states = False, False


def require_finite(source: str, module: Any, part: str = "") -> None:
    """Raise ModelError where a parameter of a module is NaN or infinite; buffers, such as masks, may be."""
    for name, parameter in module.named_parameters():
        # A sum is finite only where every addend is, and takes no memory; what overflows in it is looked at again.
        if not parameter.sum(dtype=_wide(parameter)).isfinite() and not parameter.isfinite().all():
            where = f"{part}.{name}" if part else name
            raise ModelError(f"the weights of {source} are not finite in {where}; take another checkpoint")


def _wide(parameter: Any) -> Any:
    import torch

    return torch.float32 if parameter.is_floating_point() else None
