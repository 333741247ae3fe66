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
        given = {name: value for name, value in kwargs.items() if name not in PLACE}
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
    except EarwitnessError:
        raise
    except Exception as error:
        advice = "give a folder in the hub's format, or a hub id that can be reached"
        if "sentencepiece" in str(error).lower():
            advice = "install sentencepiece, which its tokenizer needs"
        raise ModelError(f"cannot read the {part} of the model {source}: {_reason(error)}; {advice}") from error


def _reason(error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), "").split(". ")[0].rstrip(".")
    named = isinstance(error, OSError | ValueError | RuntimeError) and first
    return short(first if named else f"{type(error).__name__}: {first}".rstrip(": "))[:200]


def read_config(source: str, revision: str, *kinds: str) -> Any:
    """The configuration of a model of transformers of one of some types; raises ModelError where there is none."""
    from transformers import AutoConfig, PretrainedConfig

    place = at(source, revision)
    raw = attempt(
        "configuration", place, lambda: _table(PretrainedConfig.get_config_dict(source, revision=revision)[0])
    )
    if raw.get("model_type", kinds[0]) not in kinds:
        raise other_family(source, raw["model_type"], kinds[0])
    require_modest(source, raw)
    generation = Path(source, "generation_config.json")
    if generation.is_file():
        # transformers would go on without one that it cannot read.
        attempt("generation configuration", place, lambda: _parsed(generation))
    return attempt("configuration", place, lambda: AutoConfig.from_pretrained(source, revision=revision))


def _parsed(path: Path) -> dict[str, Any]:
    return _table(json.loads(path.read_text(encoding="utf-8")))


def _table(read: Any) -> dict[str, Any]:
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


def require_modest(source: str, config: Any, key: str = "") -> None:
    """Raise ModelError where a number in a configuration is far larger than any model's.

    Building from it would fill the memory, or take for ever, before the weights are looked at.
    """
    if isinstance(config, dict):
        for name, value in config.items():
            require_modest(source, value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, list):
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
    "audio-spectrogram-transformer": ("ast", "MIT/ast-finetuned-audioset-10-10-0.4593"),
    "cnn_judge": ("cnn", "the folder of a micro task's judge"),
    "encodec": ("encodec", "facebook/encodec_24khz"),
    "musicgen": ("musicgen", "facebook/musicgen-small, -medium or -large"),
    "spectral_codec": ("encodec", "this suite's own codec"),
    "speech_to_text": ("speech2text", "facebook/s2t-small-mustc-en-de-st"),
    "whisper": ("whisper", "openai/whisper-small.en"),
}
"""Adapter, of models and of judges, and published checkpoints of each model type of transformers that is read."""


def require_modest_parts(source: str, folder: Path) -> None:
    """Raise ModelError where a part of a pipeline has a configuration that is no JSON or no model's."""
    for path in sorted(folder.glob("*/config.json")):
        name = path.parent.name
        require_modest(source, attempt(f"configuration of {name}", source, functools.partial(_parsed, path)), name)


def other_family(source: str, found: str, wanted: str) -> ModelError:
    """Says that a source is of another family than an adapter reads, and which adapter reads it, if any does."""
    name = short(str(found))[:80]
    own = FAMILIES.get(name)
    advice = f"name the adapter {own[0]}" if own else f"no adapter reads it; take {FAMILIES[wanted][1]}"
    article = "an" if wanted[0] in "aeiou" else "a"
    return ModelError(f"{source} is a {name} model, not {article} {wanted} one; {advice}")


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


def require_all(source: str, module: Any, report: Mapping[str, Any]) -> None:
    """Raise ModelError where a model's weights lack tensors, or have layers beyond those of its configuration.

    `report` is the loading report of the library, whose unexpected tensors are mostly what older versions saved, too.
    """
    absent = sorted(report["missing_keys"])
    if absent:
        raise ModelError(f"the weights of {source} lack {len(absent)} tensors, {absent[0]} first; save the model again")
    own = set(module.state_dict())
    known = {_numberless(name) for name in own}
    # Of a composite model the library hides some of them, so that those of a folder are read, too.
    unexpected = {*report["unexpected_keys"], *_saved(source)} - own
    beyond = sorted(name for name in unexpected if _numberless(name) in known)
    if beyond:
        raise ModelError(
            f"the weights of {source} have {len(beyond)} tensors beyond its configuration, {beyond[0]} first; save the "
            "model again"
        )


def require_saved(source: str, folder: Path, module: Any) -> None:
    """Raise ModelError where the safetensors of a pipeline's part lack tensors, which diffusers draws at random."""
    saved = set(_saved(str(folder)))
    absent = sorted(set(module.state_dict()) - saved) if saved else []
    if absent:
        raise ModelError(
            f"the weights of {folder.name} of {source} lack {len(absent)} tensors, {absent[0]} first; save the "
            "pipeline again"
        )


def _saved(source: str) -> Iterator[str]:
    """Names of the tensors that the safetensors files of a folder hold."""
    from safetensors import safe_open

    for path in sorted(Path(source).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            yield from file.keys()


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
