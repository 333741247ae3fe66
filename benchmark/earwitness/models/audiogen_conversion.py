"""AudioGen of audiocraft, written as a MusicGen of transformers: `python -m earwitness.models.audiogen_conversion`.

The folder is read by the adapters `audiogen` and `musicgen` and by transformers itself; audiocraft is not needed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ModelError, short
from earwitness.models.audiogen_files import (
    CODEC,
    LANGUAGE,
    SAMPLING,
    SECONDS,
    Saved,
    find,
    read_checkpoint,
    require_fitting,
    require_tensors,
    shape_of,
)
from earwitness.models.audiogen_named_parts import read_named_codec, read_text_encoder
from earwitness.models.encodec_conversion import converted_codec
from earwitness.models.new_folder import exit_code, made_whole, require_free
from earwitness.models.pretrained_files import attempt, quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from earwitness.models.audiogen_files import AudiocraftCheckpoint, LanguageModel, SavedSettings

ALIKE: dict[str, tuple[Any, Any]] = {
    "activation": ("relu", "gelu"),
    "bias_attn": (True, False),
    "bias_ff": (True, False),
    "bias_proj": (True, False),
    "kv_repeat": (1, 1),
    "layer_scale": (None, None),
    "max_period": (10_000, 10_000),
    "norm": ("layer_norm", "layer_norm"),
    "norm_first": (False, True),
    "past_context": (None, None),
    "positional_embedding": ("sin", "sin"),
    "positional_scale": (1, 1),
    "qk_layer_norm": (False, False),
    "qk_layer_norm_cross": (False, False),
}
"""Of keys of `transformer_lm`: audiocraft's default, and the only value that transformers' MusicGen computes."""
ATTENTION = {"self_attn": "self_attn", "cross_attention": "encoder_attn"}
FORWARD = {"linear1": "fc1", "linear2": "fc2"}
NORMS = {"norm1": "self_attn_layer_norm", "norm_cross": "encoder_attn_layer_norm", "norm2": "final_layer_norm"}
"""Names of a layer's parts in audiocraft and in transformers."""
PROJECTIONS = ("q_proj", "k_proj", "v_proj")
"""In the order of audiocraft's one matrix."""
DECODER, PROJECTION = "decoder.model.decoder", "enc_to_dec_proj"


@dataclass(frozen=True)
class Transformer:
    """Sizes of the language model."""

    width: int
    inner: int
    layers: int
    heads: int


def convert(source: str, folder: str, revision: str = "main", say: Callable[[str], None] = lambda _: None) -> Path:
    """Write audiocraft's AudioGen, of a folder or a hub id, into a new folder in the MusicGen format of transformers.

    Numbers keep their precision; what reads the folder computes in float32. What is written appears at the end, whole.
    Raises ModelError where the source cannot be read, has a tensor too many or too few, or computes what MusicGen of
    transformers does not, and EarwitnessError where the folder is there already or cannot be written.
    """
    place = Path(folder)
    require_free(place)
    if find(source, LANGUAGE, revision) is None:
        raise ModelError(
            f"{source} has no {LANGUAGE}, audiocraft's language model; name a folder or a hub id that does"
        )
    say(f"reading {LANGUAGE} and {CODEC} of {source}")
    checkpoint = read_checkpoint(source, revision)
    sizes = _sizes(checkpoint.language.settings)
    say("reading the codec")
    codec = _codec(checkpoint)
    say(f"reading the text encoder {checkpoint.model.text_encoder}")
    text_encoder, tokenizer = read_text_encoder(checkpoint)
    say("converting")
    with quiet():
        model = attempt("language model", source, lambda: _filled(checkpoint, sizes, text_encoder, codec))
    say(f"writing {sum(tensor.numel() for tensor in model.parameters()):,} parameters to {folder}")
    _write(place, model, tokenizer)
    return place


def _sizes(settings: SavedSettings) -> Transformer:
    """Sizes of a language model that MusicGen of transformers computes; raises ModelError where it does not."""
    for key, (default, wanted) in ALIKE.items():
        value = settings.get(f"transformer_lm.{key}", default)
        if value != wanted:
            raise ModelError(
                f"the configuration (xp.cfg) of {settings.place} has transformer_lm.{key} = {short(repr(value))[:80]}, "
                f"and MusicGen of transformers computes {wanted!r} alone; read it through audiocraft, by the adapter "
                "audiogen"
            )
    width, scale = settings.size("transformer_lm.dim"), settings.need("transformer_lm.hidden_scale", int, float)
    return Transformer(
        width=width,
        inner=int(scale * width),
        layers=settings.size("transformer_lm.num_layers"),
        heads=settings.size("transformer_lm.num_heads"),
    )


def _codec(checkpoint: AudiocraftCheckpoint) -> tuple[Any, dict[str, Tensor]]:
    """Configuration of transformers and weights of the codec."""
    if isinstance(checkpoint.codec, Saved):
        config, weights = converted_codec(checkpoint.codec)
    else:
        module: Any = read_named_codec(checkpoint, checkpoint.codec)
        config, weights = module.config, module.state_dict()
    require_fitting(checkpoint, shape_of(config))
    return config, weights


def _filled(
    checkpoint: AudiocraftCheckpoint, sizes: Transformer, text_encoder: Any, codec: tuple[Any, dict[str, Tensor]]
) -> Any:
    """The model of transformers with all weights."""
    config, sound = codec
    model = _empty(checkpoint.model, sizes, text_encoder.config, config)
    place, empty = checkpoint.language.settings.place, model.state_dict()
    # Of attention that is not audiocraft's own, the names are those of torch's module.
    weights = {name.replace(".mha.", "."): tensor for name, tensor in checkpoint.language.weights.items()}
    text, language = _divided(weights, f"{_condition(checkpoint.model)}.t5.")
    require_tensors(place, text, text_encoder.state_dict() if checkpoint.model.finetuned else {})
    projected = hasattr(model, PROJECTION)
    if not projected:
        language = _without_projection(checkpoint, language)
    names = dict(_names(checkpoint.model, sizes, projected))
    require_tensors(place, language, {name: torch.cat([empty[new] for new in parts]) for name, parts in names.items()})
    filled = {f"audio_encoder.{name}": tensor for name, tensor in sound.items()}
    filled |= {f"text_encoder.{name}": tensor for name, tensor in (text or text_encoder.state_dict()).items()}
    for name, parts in names.items():
        # Copies, where there are several: they would share one memory, which tensors of a file do not.
        pieces = [each.clone() for each in language[name].chunk(len(parts))] if len(parts) > 1 else [language[name]]
        filled |= dict(zip(parts, pieces, strict=True))
    model.load_state_dict(filled, assign=True)
    model.tie_weights()
    model.generation_config = _generation(checkpoint.model, float(config.frame_rate))
    return model


def _empty(model: LanguageModel, sizes: Transformer, text: Any, codec: Any) -> Any:
    """MusicGen of transformers without memory for its weights."""
    from transformers import MusicgenConfig, MusicgenDecoderConfig, MusicgenForConditionalGeneration

    decoder = MusicgenDecoderConfig(
        vocab_size=model.codes,
        hidden_size=sizes.width,
        ffn_dim=sizes.inner,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_codebooks=model.codebooks,
        activation_function="gelu",
        dropout=0.0,
        pad_token_id=model.codes,
        bos_token_id=model.codes,
    )
    with torch.device("meta"):
        return MusicgenForConditionalGeneration(
            MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder, dtype="float32")
        )


def _divided(weights: dict[str, Tensor], prefix: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors whose names begin with a prefix, without it, and the others."""
    within = {name.removeprefix(prefix): each for name, each in weights.items() if name.startswith(prefix)}
    return within, {name: each for name, each in weights.items() if not name.startswith(prefix)}


def _without_projection(checkpoint: AudiocraftCheckpoint, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights without a projection of the text that changes nothing; raises ModelError where it changes something.

    Between a text encoder and a decoder of one width transformers has none, and audiocraft always.
    """
    own, others = _divided(weights, f"{_condition(checkpoint.model)}.output_proj.")
    weight, bias = own.pop("weight", None), own.pop("bias", None)
    same = weight is not None and torch.equal(weight, torch.eye(*weight.shape, dtype=weight.dtype))
    if own or not same or bias is None or bias.any():
        raise ModelError(
            f"{checkpoint.source} projects its text between equal widths (output_proj), for which MusicGen of "
            "transformers has no place; read it through audiocraft, by the adapter audiogen"
        )
    return others


def _names(model: LanguageModel, sizes: Transformer, projected: bool) -> Iterator[tuple[str, list[str]]]:
    """Each tensor of a language model of audiocraft, with the names in transformers of what it holds, row after row."""
    for k in range(model.codebooks):
        yield f"emb.{k}.weight", [f"{DECODER}.embed_tokens.{k}.weight"]
        yield f"linears.{k}.weight", [f"decoder.lm_heads.{k}.weight"]
    for number in range(sizes.layers):
        layer, new = f"transformer.layers.{number}", f"{DECODER}.layers.{number}"
        for block, attention in ATTENTION.items():
            yield f"{layer}.{block}.in_proj_weight", [f"{new}.{attention}.{part}.weight" for part in PROJECTIONS]
            yield f"{layer}.{block}.out_proj.weight", [f"{new}.{attention}.out_proj.weight"]
        for block, part in FORWARD.items():
            yield f"{layer}.{block}.weight", [f"{new}.{part}.weight"]
        for block, part in NORMS.items():
            yield from ((f"{layer}.{block}.{kind}", [f"{new}.{part}.{kind}"]) for kind in ("weight", "bias"))
    for kind in ("weight", "bias"):
        yield f"out_norm.{kind}", [f"{DECODER}.layer_norm.{kind}"]
        if projected:
            yield f"{_condition(model)}.output_proj.{kind}", [f"{PROJECTION}.{kind}"]


def _condition(model: LanguageModel) -> str:
    return f"condition_provider.conditioners.{model.condition}"


def _generation(model: LanguageModel, rate: float) -> Any:
    from transformers import GenerationConfig

    config: Any = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=round(SECONDS * rate) + model.codebooks - 1,
        do_sample=True,
        guidance_scale=SAMPLING.guidance,
        temperature=SAMPLING.temperature,
        top_k=SAMPLING.top_k,
        pad_token_id=model.codes,
        bos_token_id=model.codes,
        decoder_start_token_id=model.codes,
    )
    return config


def _write(folder: Path, model: Any, tokenizer: Any) -> None:
    from transformers import EncodecFeatureExtractor

    with made_whole(folder) as part:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        EncodecFeatureExtractor(sampling_rate=model.config.audio_encoder.sampling_rate).save_pretrained(part)


def main(words: list[str] | None = None) -> int:
    """The command: convert, say what is done on stderr, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m earwitness.models.audiogen_conversion",
        description="Write audiocraft's AudioGen as a MusicGen of transformers, which is read without audiocraft.",
        epilog="The text encoder that the checkpoint names (t5-large) is read from the hub, or from a folder of that "
        "name beside its files.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help=f"folder with {LANGUAGE} and {CODEC}, or hub id (facebook/audiogen-medium)"
    )
    parser.add_argument("folder", metavar="FOLDER", help="where to write: a folder that is not there yet")
    parser.add_argument("--revision", default="main", help="of a hub id: branch, tag or commit (default: main)")
    asked = parser.parse_args(words)
    return exit_code(partial(convert, asked.source, asked.folder, asked.revision), asked.folder)


if __name__ == "__main__":
    sys.exit(main())
