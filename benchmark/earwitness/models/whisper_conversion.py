"""Whisper of CTranslate2 (faster-whisper), written as one of transformers.

The command is `python -m earwitness.models.whisper_conversion`. The folder is read by the adapter `whisper` and by
transformers itself; CTranslate2 is not needed. Sizes are those of the weights; what CTranslate2 does not keep of a
published checkpoint (the mel settings, the tokens that open a transcript) is the same in all of them.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.errors import ModelError, short
from earwitness.models.ctranslate2_files import read_variables
from earwitness.models.new_folder import exit_code, made_whole, require_free
from earwitness.models.pretrained_files import attempt, parsed, quiet
from earwitness.models.whisper_prompt import MULTILINGUAL_END

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

Variables = dict[str, "NDArray[Any]"]

WEIGHTS, CONFIG, TOKENIZER = "model.bin", "config.json", "tokenizer.json"
SPECIFICATION = "WhisperSpec"
STEPS = 50
"""Encoder positions of a second: a frame of 10 ms, halved."""
TIMESTAMPS = 50
"""The first timestamp of a transcript lies within so many steps of 20 ms, as in the published settings."""
NAMED = ("endoftext", "startoftranscript", "translate", "transcribe", "startofprev", "notimestamps")
PLAIN = {"weight": "weight", "bias": "bias"}
NORM = {"gamma": "weight", "beta": "bias"}
EMBEDDING = "decoder/embeddings/weight"
POSITIONS = "position_encodings/encodings"


@dataclass(frozen=True)
class ConvertedWhisper:
    """A model of CTranslate2: its variables, its settings and the place of its tokenizer."""

    place: str
    variables: Variables
    settings: dict[str, Any]
    tokenizer: Path


def convert(sources: Sequence[str], folder: str, say: Callable[[str], None] = lambda _: None) -> Path:
    """Write CTranslate2's Whisper into a new folder in the format of transformers, in float32.

    `sources` are the folder that holds `model.bin`, `config.json` and `tokenizer.json`, or several among which they are
    spread; `model.bin` may be in parts (`model.bin.part1`, ...), which are put together in the order of their names.
    What is written appears at the end, whole. Raises ModelError where a file is missing or damaged, the model is none
    of Whisper or quantised, or has a variable too many or too few, and EarwitnessError where the folder is there
    already or cannot be written.
    """
    place = Path(folder)
    require_free(place)
    say(f"reading {' and '.join(sources)}")
    found = _read([Path(source) for source in sources])
    say("converting")
    with quiet():
        tokenizer = attempt("tokenizer", found.place, lambda: _tokenizer(found.tokenizer))
        ids = _ids(found, tokenizer)
        model = attempt("weights", found.place, lambda: _filled(found, ids))
        model.generation_config = attempt("settings", found.place, lambda: _generation(found, tokenizer, ids))
    say(f"writing {sum(tensor.numel() for tensor in model.parameters()):,} parameters to {folder}")
    from transformers import WhisperFeatureExtractor

    kind: Any = WhisperFeatureExtractor
    seconds = model.config.max_source_positions // STEPS
    extractor = kind(feature_size=model.config.num_mel_bins, chunk_length=seconds)
    with made_whole(place) as part:
        for each in (model, tokenizer, extractor):
            each.save_pretrained(part)
    return place


def _read(sources: Sequence[Path]) -> ConvertedWhisper:
    """What the sources hold; raises ModelError where one of the files is not there, or is another model's."""
    place = str(sources[0])
    for source in sources:
        if not source.is_dir():
            raise ModelError(f"no such folder: {source}; name the folder that holds {WEIGHTS}, {CONFIG}, {TOKENIZER}")
    weights = sorted((path for source in sources for path in source.glob(f"{WEIGHTS}*")), key=lambda path: path.name)
    if len({path.name for path in weights}) < len(weights) or len({path.name == WEIGHTS for path in weights}) > 1:
        raise ModelError(f"{place} holds {WEIGHTS} twice ({', '.join(map(str, weights))[:160]}); leave one of them")
    if not weights:
        raise ModelError(f"{place} holds no {WEIGHTS}; name the folder of a model that CTranslate2 converted")
    saved = read_variables(weights)
    if saved.specification != SPECIFICATION:
        raise ModelError(f"{weights[0]} is a {short(saved.specification)[:80]} of CTranslate2, and no {SPECIFICATION}")
    config, tokenizer = (_one(sources, name) for name in (CONFIG, TOKENIZER))
    settings = attempt(f"configuration {CONFIG}", place, lambda: parsed(config))
    return ConvertedWhisper(str(weights[0]), saved.variables, settings, tokenizer)


def _one(sources: Sequence[Path], name: str) -> Path:
    for source in sources:
        if (source / name).is_file():
            return source / name
    raise ModelError(f"{sources[0]} holds no {name}; put the one that belongs to the weights beside them")


def _tokenizer(path: Path) -> Any:
    from transformers import WhisperTokenizer

    end = "<|endoftext|>"
    kind: Any = WhisperTokenizer
    tokenizer = kind(tokenizer_file=str(path), bos_token=end, eos_token=end, pad_token=end, unk_token=end)
    # The file says which tokens are special; of the others than these four the class is told apart.
    special = [token.content for _, token in sorted(tokenizer.added_tokens_decoder.items()) if token.special]
    tokenizer.add_special_tokens({"additional_special_tokens": [token for token in special if token != end]})
    return tokenizer


def _ids(found: ConvertedWhisper, tokenizer: Any) -> dict[str, int]:
    """Ids of the tokens that frame a transcript; raises ModelError where one is missing or beyond the vocabulary."""
    vocabulary, known = len(_of(found, EMBEDDING)), tokenizer.get_vocab()
    ids = {name: known.get(f"<|{name}|>") for name in NAMED}
    for name, token in ids.items():
        if token is None or token >= vocabulary:
            raise ModelError(
                f"the tokenizer {found.tokenizer} has no <|{name}|> among the {vocabulary} tokens of the weights; put "
                "the one that belongs to them beside them"
            )
    return ids


def _filled(found: ConvertedWhisper, ids: Mapping[str, int]) -> Any:
    """The model of transformers with all weights, in float32."""
    from transformers import WhisperForConditionalGeneration

    config = _config(found, ids)
    weights = {name: torch.from_numpy(array.astype(np.float32)) for name, array in _renamed(found, config).items()}
    with torch.device("meta"):
        model: Any = WhisperForConditionalGeneration(config)
    # Not strict, since the head is the embedding again; what is missing or of another size is looked for here.
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name != "proj_out.weight"}
    for name in sorted(set(wanted) | set(weights)):
        sizes = [list(each[name].shape) if name in each else None for each in (weights, wanted)]
        if sizes[0] != sizes[1]:
            raise ModelError(f"{found.place} has {name} of sizes {sizes[0]}, and Whisper of its sizes {sizes[1]}")
    model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    return model


def _config(found: ConvertedWhisper, ids: Mapping[str, int]) -> Any:
    from transformers import WhisperConfig

    vocabulary, width = _of(found, EMBEDDING).shape
    sides: dict[str, Any] = {}
    for side in ("encoder", "decoder"):
        sides |= {
            f"{side}_layers": _layers(found, side),
            f"{side}_attention_heads": int(_of(found, f"{side}/num_heads")),
            f"{side}_ffn_dim": len(_of(found, f"{side}/layer_0/ffn/linear_0/bias")),
        }
    end = ids["endoftext"]
    return WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        num_mel_bins=_of(found, "encoder/conv1/weight").shape[1],
        max_source_positions=len(_of(found, f"encoder/{POSITIONS}")),
        max_target_positions=len(_of(found, f"decoder/{POSITIONS}")),
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=ids["startoftranscript"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **sides,
    )


def _generation(found: ConvertedWhisper, tokenizer: Any, ids: Mapping[str, int]) -> Any:
    """Settings of a transcript's search, as the published checkpoints have them."""
    from transformers import GenerationConfig

    told = found.settings
    multilingual = ids["endoftext"] == MULTILINGUAL_END
    languages = {str(tokenizer.convert_ids_to_tokens(token)): token for token in told.get("lang_ids") or ()}
    tasks = {task: ids[task] for task in ("transcribe", "translate")}
    opening = {"lang_to_id": languages, "task_to_id": tasks} if multilingual else {}
    settings = {
        "alignment_heads": told.get("alignment_heads"),
        "begin_suppress_tokens": told.get("suppress_ids_begin"),
        "suppress_tokens": told.get("suppress_ids"),
    }
    end = ids["endoftext"]
    return GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=ids["startoftranscript"],
        is_multilingual=multilingual,
        max_initial_timestamp_index=TIMESTAMPS,
        max_length=len(_of(found, f"decoder/{POSITIONS}")),
        no_timestamps_token_id=ids["notimestamps"],
        prev_sot_token_id=ids["startofprev"],
        return_timestamps=False,
        **{name: value for name, value in settings.items() if value is not None},
        **opening,
    )


def _renamed(found: ConvertedWhisper, config: Any) -> Variables:
    """Weights under the names of transformers; raises ModelError where a variable is left over or is quantised."""
    taken, weights = {EMBEDDING, "decoder/projection/weight"}, {}
    for source, targets in _names(config):
        whole = _of(found, source)
        taken.add(source)
        for target, array in zip(targets, np.split(whole, len(targets)), strict=True):
            if target is None and array.any():
                raise ModelError(f"{found.place} has a bias of keys in {source}, for which Whisper has no place")
            if target is not None:
                weights[target] = array
    weights["model.decoder.embed_tokens.weight"] = _of(found, EMBEDDING)
    if not np.array_equal(
        found.variables.get("decoder/projection/weight", _of(found, EMBEDDING)), _of(found, EMBEDDING)
    ):
        raise ModelError(f"{found.place} has a head that is not its embedding, for which Whisper has no place")
    # What is no array is a setting.
    beyond = sorted(name for name, array in found.variables.items() if array.ndim and name not in taken)
    if beyond:
        raise ModelError(
            f"{found.place} holds {len(beyond)} variables that Whisper has not, {short(beyond[0])[:80]} first"
        )
    return weights


def _names(config: Any) -> Iterator[tuple[str, list[str | None]]]:
    """Each variable, with the names in transformers of what it holds, row after row; None where there is no place."""
    for conv in ("conv1", "conv2"):
        yield from _pairs(f"encoder/{conv}", [f"encoder.{conv}"], PLAIN)
    for side, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        yield f"{side}/{POSITIONS}", [f"model.{side}.embed_positions.weight"]
        yield from _pairs(f"{side}/layer_norm", [f"{side}.layer_norm"], NORM)
        for i in range(layers):
            yield from _layer(f"{side}/layer_{i}", f"{side}.layers.{i}", crossed=side == "decoder")


def _layer(source: str, target: str, crossed: bool) -> Iterator[tuple[str, list[str | None]]]:
    own, other = f"{target}.self_attn", f"{target}.encoder_attn"
    yield from _pairs(f"{source}/self_attention/layer_norm", [f"{target}.self_attn_layer_norm"], NORM)
    yield from _pairs(f"{source}/self_attention/linear_0", [f"{own}.{part}_proj" for part in "qkv"], PLAIN)
    yield from _pairs(f"{source}/self_attention/linear_1", [f"{own}.out_proj"], PLAIN)
    if crossed:
        yield from _pairs(f"{source}/attention/layer_norm", [f"{target}.encoder_attn_layer_norm"], NORM)
        yield from _pairs(f"{source}/attention/linear_0", [f"{other}.q_proj"], PLAIN)
        yield from _pairs(f"{source}/attention/linear_1", [f"{other}.{part}_proj" for part in "kv"], PLAIN)
        yield from _pairs(f"{source}/attention/linear_2", [f"{other}.out_proj"], PLAIN)
    yield from _pairs(f"{source}/ffn/layer_norm", [f"{target}.final_layer_norm"], NORM)
    for linear, part in (("linear_0", "fc1"), ("linear_1", "fc2")):
        yield from _pairs(f"{source}/ffn/{linear}", [f"{target}.{part}"], PLAIN)


def _pairs(source: str, targets: Sequence[str], kinds: Mapping[str, str]) -> Iterator[tuple[str, list[str | None]]]:
    """Weight and bias of a part; keys have no bias in Whisper, and one of zeros in CTranslate2."""
    for theirs, ours in kinds.items():
        places = [None if ours == "bias" and each.endswith(".k_proj") else f"model.{each}.{ours}" for each in targets]
        yield f"{source}/{theirs}", places


def _of(found: ConvertedWhisper, name: str) -> NDArray[Any]:
    """A variable; raises ModelError where it is missing, or an array of integers."""
    array = found.variables.get(name)
    if array is None:
        raise ModelError(f"{found.place} lacks {name}; fetch or convert it again")
    if array.ndim and array.dtype.kind != "f":
        raise ModelError(
            f"{found.place} is quantised ({array.dtype.name} in {name}): its weights are others than the checkpoint's; "
            "take a model in float16 or float32"
        )
    return array


def _layers(found: ConvertedWhisper, side: str) -> int:
    """How many layers a side has."""
    layer = re.compile(rf"{side}/layer_(\d+)/")
    return len({told[1] for name in found.variables if (told := layer.match(name))})


def main(words: list[str] | None = None) -> int:
    """The command: convert, say what is done on stderr, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m earwitness.models.whisper_conversion",
        description="Write CTranslate2's Whisper as one of transformers, which is read without CTranslate2.",
    )
    parser.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="+",
        help=f"folder with {WEIGHTS}, {CONFIG} and {TOKENIZER}, or several over which they are spread",
    )
    parser.add_argument("folder", metavar="FOLDER", help="where to write: a folder that is not there yet")
    asked = parser.parse_args(words)
    return exit_code(partial(convert, asked.sources, asked.folder), asked.folder)


if __name__ == "__main__":
    sys.exit(main())
