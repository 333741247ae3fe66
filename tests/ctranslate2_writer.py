"""A Whisper of transformers, written as CTranslate2 lays it out (its `ModelSpec._serialize` and `WhisperSpec`)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def text(said: str) -> bytes:
    return struct.pack("<H", len(said) + 1) + said.encode() + b"\0"


def binary(
    variables: dict[str, np.ndarray], aliases: dict[str, str], name: str = "WhisperSpec", version: int = 6
) -> bytes:
    """A `model.bin`."""
    parts = [struct.pack("<I", version), text(name), struct.pack("<II", 3, len(variables))]
    for key, array in variables.items():
        parts += [text(key), struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)]
        parts += [struct.pack("<BI", TYPES[array.dtype.name], array.nbytes), array.tobytes()]
    parts += [struct.pack("<I", len(aliases)), *(text(each) for pair in aliases.items() for each in pair)]
    return b"".join(parts)


def variables_of(module: Any, dtype: str) -> dict[str, np.ndarray]:
    """Variables of WhisperSpec: projections of one input in one array, keys with a bias of zeros."""
    found: dict[str, np.ndarray] = {}

    def put(name: str, *tensors: torch.Tensor) -> None:
        found[name] = torch.cat(tensors).numpy().astype(dtype)

    def norm(name: str, part: Any) -> None:
        put(f"{name}/gamma", part.weight)
        put(f"{name}/beta", part.bias)

    def linear(name: str, *parts: Any) -> None:
        put(f"{name}/weight", *(part.weight for part in parts))
        put(f"{name}/bias", *(torch.zeros(len(part.weight)) if part.bias is None else part.bias for part in parts))

    for side in ("encoder", "decoder"):
        part = getattr(module.model, side)
        found[f"{side}/num_heads"] = np.int16(part.layers[0].self_attn.num_heads).reshape(())
        put(f"{side}/position_encodings/encodings", part.embed_positions.weight)
        norm(f"{side}/layer_norm", part.layer_norm)
        for i, layer in enumerate(part.layers):
            own, at = layer.self_attn, f"{side}/layer_{i}"
            norm(f"{at}/self_attention/layer_norm", layer.self_attn_layer_norm)
            linear(f"{at}/self_attention/linear_0", own.q_proj, own.k_proj, own.v_proj)
            linear(f"{at}/self_attention/linear_1", own.out_proj)
            norm(f"{at}/ffn/layer_norm", layer.final_layer_norm)
            linear(f"{at}/ffn/linear_0", layer.fc1)
            linear(f"{at}/ffn/linear_1", layer.fc2)
            if side == "decoder":
                other = layer.encoder_attn
                norm(f"{at}/attention/layer_norm", layer.encoder_attn_layer_norm)
                linear(f"{at}/attention/linear_0", other.q_proj)
                linear(f"{at}/attention/linear_1", other.k_proj, other.v_proj)
                linear(f"{at}/attention/linear_2", other.out_proj)
    linear("encoder/conv1", module.model.encoder.conv1)
    linear("encoder/conv2", module.model.encoder.conv2)
    put("decoder/embeddings/weight", module.model.decoder.embed_tokens.weight)
    found["decoder/scale_embeddings"] = np.int8(0).reshape(())
    return found


ALIASES = {"decoder/projection/weight": "decoder/embeddings/weight"}


def write(folder: Path, module: Any, tokenizer: Any, dtype: str = "float32") -> Path:
    """The folder of a model: `model.bin`, `config.json` and `tokenizer.json`."""
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(binary(variables_of(module, dtype), ALIASES))
    settings = module.generation_config
    config = {
        "suppress_ids": settings.suppress_tokens,
        "suppress_ids_begin": settings.begin_suppress_tokens,
        "lang_ids": [tokenizer.convert_tokens_to_ids(f"<|{code}|>") for code in ("en", "de")],
        "alignment_heads": [[1, 0]],
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    return folder
