"""Doubles of the published checkpoints: their own configurations, with widths, layers and vocabularies shrunk."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import sentencepiece
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

from tiny_band import band_tokenizer, tiny_audioldm2
from tiny_speech import SPEECH_WORDS, whisper_tokenizer

CONFIGS = Path(__file__).parent / "published_configs"


def published(name: str) -> dict[str, Any]:
    """The JSON files of a published checkpoint, by their path in its folder."""
    files: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    return files


def write(folder: Path, files: dict[str, Any]) -> None:
    """Lay files of JSON out in a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def save_weights(module: nn.Module, path: Path, half: bool = False) -> None:
    """Save what a module holds, in the names that it has; tensors that share memory once."""
    kept: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in module.state_dict().items():
        if tensor.data_ptr() not in seen:
            kept[name] = tensor.half().contiguous() if half and tensor.is_floating_point() else tensor.contiguous()
            seen.add(tensor.data_ptr())
    save_file(kept, path, metadata={"format": "pt"})


def musicgen(folder: Path) -> Path:
    """facebook/musicgen-small."""
    files = published("musicgen")
    config = files["config.json"]
    codes = 256
    config["decoder"] |= {
        "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": codes,
        "pad_token_id": codes, "bos_token_id": codes,
    }  # fmt: skip
    config["text_encoder"] |= {"d_model": 12, "d_kv": 6, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1}
    config["text_encoder"] |= {"num_heads": 2, "vocab_size": len(band_tokenizer())}
    config["audio_encoder"] |= {"num_filters": 2, "hidden_size": 8, "codebook_dim": 8, "codebook_size": codes}
    # Four codebooks, as published: 50 frames a second of 4 codes of 8 bits.
    config["audio_encoder"] |= {"num_lstm_layers": 1, "target_bandwidths": [1.6]}
    for key in ("bos_token_id", "decoder_start_token_id", "pad_token_id"):
        files["generation_config.json"][key] = codes
    _save_transformers(folder, files, transformers.MusicgenForConditionalGeneration)
    band_tokenizer().save_pretrained(folder)
    write(folder, {"tokenizer_config.json": files["tokenizer_config.json"]})
    return folder


def whisper(folder: Path) -> Path:
    """openai/whisper-small.en, whose tokenizer names all languages."""
    files = published("whisper")
    tokenizer = whisper_tokenizer()
    names = tokenizer.convert_tokens_to_ids
    end, start, silent = (names(f"<|{name}|>") for name in ("endoftext", "startoftranscript", "notimestamps"))
    sizes = {
        "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "num_hidden_layers": 1, "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
        "vocab_size": len(tokenizer),
    }  # fmt: skip
    ids = {
        "bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start,
        "forced_decoder_ids": [[1, silent]], "suppress_tokens": [start], "begin_suppress_tokens": [4, end],
    }  # fmt: skip
    files["config.json"] |= sizes | ids
    files["generation_config.json"] |= ids | {"no_timestamps_token_id": silent}
    _save_transformers(folder, files, transformers.WhisperForConditionalGeneration)
    tokenizer.save_pretrained(folder)
    return folder


def speech2text(folder: Path) -> Path:
    """facebook/s2t-small-mustc-en-de-st: no generation_config.json, and a tokenizer of sentencepiece alone."""
    files = published("speech2text")
    folder.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(SPEECH_WORDS)] * 9), model_writer=model, vocab_size=30,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *(piece for piece in pieces if not piece.startswith("<"))]
    files["vocab.json"] = {piece: i for i, piece in enumerate(vocabulary)}
    files["config.json"] |= {
        "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "num_hidden_layers": 1, "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16, "conv_channels": 16, "vocab_size": len(vocabulary),
    }  # fmt: skip
    _save_transformers(folder, files, transformers.Speech2TextForConditionalGeneration)
    return folder


def encodec(folder: Path) -> Path:
    """facebook/encodec_24khz."""
    files = published("encodec")
    files["config.json"] |= {"num_filters": 2, "hidden_size": 8, "codebook_dim": 8, "num_lstm_layers": 1}
    _save_transformers(folder, files, transformers.EncodecModel)
    return folder


def ast(folder: Path) -> Path:
    """MIT/ast-finetuned-audioset-10-10-0.4593."""
    files = published("ast")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    files["config.json"] |= sizes
    _save_transformers(folder, files, transformers.ASTForAudioClassification)
    return folder


def oobleck(folder: Path) -> Path:
    """stabilityai/stable-audio-open-1.0, of which the autoencoder alone is read."""
    files = published("oobleck")
    files["vae/config.json"] |= {"encoder_hidden_size": 8, "decoder_channels": 4, "decoder_input_channels": 4}
    write(folder, files)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = diffusers.AutoencoderOobleck.from_config(files["vae/config.json"])
    save_weights(module, folder / "vae" / "diffusion_pytorch_model.safetensors")
    return folder


def audioldm2(folder: Path) -> Path:
    """cvssp/audioldm2: an index of an older diffusers, whose language model is the bare GPT2Model."""
    files = published("audioldm2")
    tiny_audioldm2(folder)
    words = len(band_tokenizer())
    files["language_model/config.json"] |= {"n_embd": 8, "n_head": 2, "n_layer": 1, "n_inner": 16, "vocab_size": 8}
    files["language_model/config.json"] |= {"bos_token_id": 0, "eos_token_id": 0, "n_positions": 160, "n_ctx": 160}
    files["text_encoder_2/config.json"] |= {"d_model": 12, "d_kv": 6, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    files["text_encoder_2/config.json"] |= {"num_decoder_layers": 1, "vocab_size": words}
    files["unet/config.json"] |= {
        "block_out_channels": [4, 4, 8, 8], "norm_num_groups": 4, "attention_head_dim": 2,
        "cross_attention_dim": [[None, 8, 12]] * 4,
    }  # fmt: skip
    files["vae/config.json"] |= {"block_out_channels": [4, 4, 4], "norm_num_groups": 2}
    files["vocoder/config.json"] |= {"upsample_initial_channel": 32}
    files["projection_model/config.json"] |= {"text_encoder_dim": 8, "text_encoder_1_dim": 12, "langauge_model_dim": 8}
    write(folder, files)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name in ("language_model", "text_encoder_2", "vocoder"):
            kind, config = files["model_index.json"][name][1], files[f"{name}/config.json"]
            built = getattr(transformers, kind)
            save_weights(built(built.config_class.from_dict(config)), folder / name / "model.safetensors")
        for name in ("unet", "vae", "projection_model"):
            kind, config = files["model_index.json"][name][1], files[f"{name}/config.json"]
            module = getattr(diffusers, kind).from_config(config)
            save_weights(module, folder / name / "diffusion_pytorch_model.safetensors")
    return folder


def _save_transformers(folder: Path, files: dict[str, Any], kind: Any, half: bool = False) -> None:
    """Lay a checkpoint of transformers out: its files, and weights for the configuration among them."""
    write(folder, files)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = kind(kind.config_class.from_dict(json.loads(json.dumps(files["config.json"]))))
        for name, buffer in module.named_buffers():
            if name.endswith("codebook.embed"):
                nn.init.normal_(buffer)
    save_weights(module, folder / "model.safetensors", half)


def copied(folder: Path, place: Path) -> Path:
    """A copy of a double, to be changed."""
    return Path(shutil.copytree(folder, place))
