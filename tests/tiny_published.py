"""Doubles of the published checkpoints: their own configurations, with widths, layers and vocabularies shrunk."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import diffusers
import pytest
import sentencepiece
import torch
import transformers
import yaml
from safetensors.torch import save_file
from torch import nn

from earwitness.models.audiogen_files import CODEC, LANGUAGE
from tiny_audiogen import published_audiogen, saved_by_audiocraft
from tiny_autoencoders import install_wavtokenizer
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


def shrunk_audiogen() -> dict[str, Any]:
    """Configurations of facebook/audiogen-medium and of its text encoder, with smaller widths and fewer layers."""
    files = published_audiogen()
    encoder = files["t5-large/config.json"]
    encoder |= {"d_model": 12, "d_kv": 6, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    encoder |= {"vocab_size": len(band_tokenizer())}
    files[LANGUAGE]["transformer_lm"] |= {"dim": 16, "num_heads": 2, "num_layers": 2}
    files[CODEC]["seanet"] |= {"n_filters": 2, "dimension": 8, "lstm": 1}
    return files


def audiogen(folder: Path, half: bool = False) -> Path:
    """facebook/audiogen-medium: audiocraft's own files, and the text encoder that they name in a folder beside them."""
    files = shrunk_audiogen()
    _save_transformers(folder / "t5-large", {"config.json": files["t5-large/config.json"]}, transformers.T5EncoderModel)
    band_tokenizer().save_pretrained(folder / "t5-large")
    return saved_by_audiocraft(folder, files, width=12, half=half)


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


WAV_WIDTH = 8
"""Of latents and of the backbone: 512 and 768 as published."""


class WavTokenizerDouble(nn.Module):
    """The public interface of WavTokenizer's install, with what its .yaml says but for widths and depths."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__()
        features, backbone, head = (given[name]["init_args"] for name in ("feature_extractor", "backbone", "head"))
        hop = math.prod(features["dowmsamples"])
        encodec = nn.Module()
        encodec.sample_rate = {"encodec_24khz": 24_000}[features["encodec_model"]]  # type: ignore[assignment]
        encodec.encoder = nn.Conv1d(1, WAV_WIDTH, hop, hop)
        self.codebook = nn.Parameter(torch.randn(features["vq_bins"], WAV_WIDTH) * 0.1)
        self.feature_extractor = nn.Module()
        self.feature_extractor.encodec = encodec
        self.backbone = _WavBackbone(backbone["adanorm_num_embeddings"])
        self.head = _WavHead(head["n_fft"], head["hop_length"])

    @classmethod
    def from_pretrained0802(cls, config_path: str, model_path: str) -> WavTokenizerDouble:
        """Read a configuration and the state of a training."""
        config = yaml.safe_load(Path(config_path).read_text(encoding="utf-8"))
        model = cls(config["model"]["init_args"])
        model.load_state_dict(torch.load(model_path, map_location="cpu", weights_only=True)["state_dict"])
        return model.eval()

    @torch.inference_mode()
    def encode_infer(self, audio: torch.Tensor, bandwidth_id: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [B, D, F] and codes [1, B, F] of audio [B, S]."""
        found = self.feature_extractor.encodec.encoder(audio[:, None])
        codes = torch.cdist(found.transpose(1, 2), self.codebook[None]).argmin(-1)[None]
        return self.codes_to_features(codes), codes

    @torch.inference_mode()
    def codes_to_features(self, codes: torch.Tensor) -> torch.Tensor:
        """Features [B, D, F] of codes [1, B, F]."""
        return self.codebook[codes].sum(0).transpose(1, 2)


class _WavBackbone(nn.Module):
    def __init__(self, bandwidths: int) -> None:
        super().__init__()
        self.mix, self.shift = nn.Conv1d(WAV_WIDTH, WAV_WIDTH, 7, padding=3), nn.Embedding(bandwidths, WAV_WIDTH)

    def forward(self, features: torch.Tensor, bandwidth_id: torch.Tensor) -> torch.Tensor:
        return self.mix(features).transpose(1, 2) + self.shift(bandwidth_id)


class _WavHead(nn.Module):
    """Magnitudes and phases, overlapped and added with the padding `same`: a hop of sound for each frame."""

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.out = nn.Linear(WAV_WIDTH, n_fft + 2)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        size, phase = self.out(states).chunk(2, -1)
        window = torch.hann_window(self.n_fft, device=states.device)
        frames = torch.fft.irfft(torch.polar(size.exp().clamp(max=100), phase), self.n_fft) * window
        length = (states.shape[1] - 1) * self.hop + self.n_fft
        added = nn.functional.fold(frames.transpose(1, 2), (1, length), (1, self.n_fft), stride=(1, self.hop))[:, 0, 0]
        cut = (self.n_fft - self.hop) // 2
        return added[:, cut : length - cut]


def wavtokenizer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """WavTokenizer-small-320-24k-4096, and a stand-in for the user's install among the modules that can be imported."""
    files = published("wavtokenizer")
    (content,) = files.values()
    content["model"]["init_args"]["feature_extractor"]["init_args"]["vq_bins"] = 16
    write(folder, files)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WavTokenizerDouble(content["model"]["init_args"])
    torch.save({"state_dict": model.state_dict()}, folder / "WavTokenizer_small_320_24k_4096.ckpt")
    install_wavtokenizer(monkeypatch)
    monkeypatch.setattr(sys.modules["decoder.pretrained"], "WavTokenizer", WavTokenizerDouble)
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
