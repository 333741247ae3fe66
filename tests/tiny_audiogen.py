"""AudioGen as audiocraft saves it: small ones that it builds itself, and MusicGens of transformers in its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from transformers import AutoTokenizer, MusicgenForConditionalGeneration

from earwitness.models import spectral_codec  # noqa: F401  registers the micro codec
from earwitness.models.audiogen_files import CODEC, LANGUAGE
from earwitness.models.audiogen_parts import audiocraft

CONFIG = Path(__file__).parent / "published_configs" / "audiogen.json"
LAYERS = {
    "self_attn.out_proj.weight": "self_attn.out_proj.weight",
    "cross_attention.out_proj.weight": "encoder_attn.out_proj.weight",
    "linear1.weight": "fc1.weight",
    "linear2.weight": "fc2.weight",
    "norm1.weight": "self_attn_layer_norm.weight",
    "norm1.bias": "self_attn_layer_norm.bias",
    "norm_cross.weight": "encoder_attn_layer_norm.weight",
    "norm_cross.bias": "encoder_attn_layer_norm.bias",
    "norm2.weight": "final_layer_norm.weight",
    "norm2.bias": "final_layer_norm.bias",
}


def published_audiogen() -> dict[str, Any]:
    """Configurations of facebook/audiogen-medium: of its two files, and of its text encoder."""
    files: dict[str, Any] = json.loads(CONFIG.read_text(encoding="utf-8"))
    return files


def exported(path: Path, weights: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    """Write a file as audiocraft.utils.export does."""
    text = OmegaConf.to_yaml(OmegaConf.create(config))
    torch.save({"best_state": weights, "xp.cfg": text, "version": "1.3.0", "exported": True}, path)


@contextmanager
def known_to_audiocraft(name: str, width: int) -> Iterator[None]:
    """While it lasts, audiocraft's conditioner takes a T5 of another name, with whatever tokenizer it has."""
    conditioners = audiocraft("modules.conditioners")
    kind = conditioners.T5Conditioner
    before = kind.MODELS, kind.MODELS_DIMS, conditioners.T5Tokenizer
    kind.MODELS, kind.MODELS_DIMS = [*kind.MODELS, name], kind.MODELS_DIMS | {name: width}
    conditioners.T5Tokenizer = AutoTokenizer
    try:
        yield
    finally:
        kind.MODELS, kind.MODELS_DIMS, conditioners.T5Tokenizer = before


def own_language_model(folder: Path, config: dict[str, Any], width: int) -> Any:
    """The language model that audiocraft builds of a configuration, its T5 in a folder beside its files.

    Its attention is torch's, since xformers is not installed.
    """
    config = deepcopy(config) | {"device": "cpu", "dtype": "float32"}
    config["transformer_lm"] |= {"custom": True, "memory_efficient": False}
    (condition,) = (each for each in config["conditioners"].values() if "t5" in each)
    condition["t5"]["name"] = str(folder / condition["t5"]["name"])
    with known_to_audiocraft(condition["t5"]["name"], width):
        return audiocraft("models.builders").get_lm_model(OmegaConf.create(config)).eval()


def own_codec(config: dict[str, Any]) -> Any:
    """The codec that audiocraft builds of a configuration, with codebooks that differ."""
    codec = audiocraft("models.builders").get_compression_model(OmegaConf.create(config | {"device": "cpu"})).eval()
    for layer in codec.quantizer.vq.layers:
        torch.nn.init.normal_(layer._codebook.embed)
        torch.nn.init.ones_(layer._codebook.inited)
    return codec


def saved_by_audiocraft(folder: Path, files: dict[str, Any], width: int, half: bool = False) -> Path:
    """Both files, of models that audiocraft builds; the text encoder, of that width, lies in the folder already."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lm, codec = own_language_model(folder, files[LANGUAGE], width), own_codec(files[CODEC])
        for parameter in lm.parameters():
            # Weights as small as the initial ones would make every token matter next to nothing.
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.4)
    weights = {name: tensor.half() if half else tensor for name, tensor in lm.state_dict().items()}
    exported(folder / LANGUAGE, weights, files[LANGUAGE])
    exported(folder / CODEC, codec.state_dict(), files[CODEC])
    return folder


def as_audiocraft(model: Path, folder: Path, config: dict[str, Any]) -> Path:
    """A MusicGen of transformers in audiocraft's files, with its text encoder and its codec in folders beside them."""
    module = MusicgenForConditionalGeneration.from_pretrained(model)
    decoder = module.config.decoder
    config = deepcopy(config) | {"sample_rate": module.config.audio_encoder.sampling_rate}
    config["transformer_lm"] |= {
        "dim": decoder.hidden_size, "num_heads": decoder.num_attention_heads, "num_layers": decoder.num_hidden_layers,
        "hidden_scale": decoder.ffn_dim / decoder.hidden_size, "card": decoder.vocab_size,
    }  # fmt: skip
    config["conditioners"]["description"]["t5"]["name"] = "text_encoder"
    folder.mkdir(parents=True, exist_ok=True)
    module.text_encoder.save_pretrained(folder / "text_encoder")
    AutoTokenizer.from_pretrained(model).save_pretrained(folder / "text_encoder")
    module.audio_encoder.save_pretrained(folder / "codec")
    exported(folder / LANGUAGE, audiocraft_names(module), config)
    torch.save({"pretrained": "codec", "exported": True, "version": "1.3.0"}, folder / CODEC)
    return folder


def audiocraft_names(module: Any) -> dict[str, torch.Tensor]:
    """The weights of transformers' decoder, by audiocraft's names."""
    weights = module.state_dict()
    inner = "decoder.model.decoder"
    found = {}
    for k in range(module.config.decoder.num_codebooks):
        found[f"emb.{k}.weight"] = weights[f"{inner}.embed_tokens.{k}.weight"]
        found[f"linears.{k}.weight"] = weights[f"decoder.lm_heads.{k}.weight"]
    for i in range(module.config.decoder.num_hidden_layers):
        layer, new = f"{inner}.layers.{i}", f"transformer.layers.{i}"
        for attention, name in (("self_attn", "self_attn"), ("encoder_attn", "cross_attention")):
            parts = [weights[f"{layer}.{attention}.{part}_proj.weight"] for part in "qkv"]
            found[f"{new}.{name}.in_proj_weight"] = torch.cat(parts)
        found |= {f"{new}.{name}": weights[f"{layer}.{own}"] for name, own in LAYERS.items()}
    projection = "condition_provider.conditioners.description.output_proj"
    width = module.config.decoder.hidden_size
    found[f"{projection}.weight"] = weights.get("enc_to_dec_proj.weight", torch.eye(width))
    found[f"{projection}.bias"] = weights.get("enc_to_dec_proj.bias", torch.zeros(width))
    return found | {f"out_norm.{kind}": weights[f"{inner}.layer_norm.{kind}"] for kind in ("weight", "bias")}
