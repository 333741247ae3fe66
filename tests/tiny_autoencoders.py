"""Tiny randomly initialised audio autoencoders, in the hub's formats or with the interface of another's install."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderOobleck
from torch import Tensor, nn
from transformers import EncodecConfig, EncodecModel

from earwitness.models.spectral_codec import SpectralCodec, SpectralCodecConfig

ENCODEC_RATE, ENCODEC_FRAME, ENCODEC_WIDTH = 1600, 64, 8
SPECTRAL_FRAME, SPECTRAL_WIDTH = 640, 8
OOBLECK_RATE, OOBLECK_FRAME, OOBLECK_WIDTH = 4000, 256, 4
WAV_RATE, WAV_FRAME, WAV_WIDTH, WAV_CODES = 2400, 24, 6, 16


def tiny_encodec_config(**other: Any) -> EncodecConfig:
    """4 codebooks of 16 codes at 25 Hz; of its two bandwidths the smaller has 2 codebooks."""
    given = {
        "sampling_rate": ENCODEC_RATE, "upsampling_ratios": [8, 8], "num_filters": 4, "hidden_size": ENCODEC_WIDTH,
        "codebook_size": 16, "num_lstm_layers": 1, "target_bandwidths": [0.2, 0.4], "kernel_size": 3,
        "last_kernel_size": 3,
    }  # fmt: skip
    return EncodecConfig(**(given | other))


def tiny_encodec(folder: Path, seed: int = 0, **other: Any) -> Path:
    """Save an EncodecModel whose codebooks are of the size of its latents; its folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = EncodecModel(tiny_encodec_config(**other)).eval()
        spread_codes(model)
    model.save_pretrained(folder)
    return folder


def spread_codes(model: EncodecModel) -> None:
    """Draw the codebooks, which are zero in an untrained model, about as large as latents of noise are."""
    rows = (1, model.config.audio_channels, 3200)
    with torch.no_grad():
        size = model.encoder(torch.randn(rows) * 0.1).std()
        for layer in model.quantizer.layers:
            layer.codebook.embed.normal_(std=float(size))


def tiny_spectral_codec(folder: Path, seed: int = 0) -> Path:
    """Save a SpectralCodec; its folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        SpectralCodec(SpectralCodecConfig(width=24, codebook_dim=SPECTRAL_WIDTH, blocks=1)).save_pretrained(folder)
    return folder


def tiny_autoencoder(seed: int = 0, channels: int = 2, ratios: tuple[int, ...] = (4, 8, 8)) -> AutoencoderOobleck:
    """An untrained AutoencoderOobleck."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoencoderOobleck(
            encoder_hidden_size=2 * OOBLECK_WIDTH, downsampling_ratios=list(ratios), channel_multiples=[1, 2, 2],
            decoder_channels=8, decoder_input_channels=OOBLECK_WIDTH, audio_channels=channels,
            sampling_rate=OOBLECK_RATE,
        ).eval()  # fmt: skip


def tiny_oobleck(folder: Path, seed: int = 0, channels: int = 2, ratios: tuple[int, ...] = (4, 8, 8)) -> Path:
    """Save an AutoencoderOobleck in diffusers' format; its folder."""
    tiny_autoencoder(seed, channels, ratios).save_pretrained(folder)
    return folder


class _Exportable(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv1d(channels, 2 * OOBLECK_WIDTH, 2 * OOBLECK_FRAME, OOBLECK_FRAME, OOBLECK_FRAME // 2)
        self.up = nn.ConvTranspose1d(OOBLECK_WIDTH, channels, 2 * OOBLECK_FRAME, OOBLECK_FRAME, OOBLECK_FRAME // 2)

    def encode_export(self, audio: Tensor) -> Tensor:
        return self.down(audio).tanh()

    def decode_export(self, latents: Tensor) -> Tensor:
        return self.up(latents).tanh()


def tiny_script(path: Path, channels: int = 2, methods: tuple[str, ...] = ("encode_export", "decode_export")) -> Path:
    """Trace a double of DiffRhythm's autoencoder, with some of its methods, into a TorchScript file."""
    given = {
        "encode_export": torch.zeros(1, channels, 4 * OOBLECK_FRAME),
        "decode_export": torch.zeros(1, OOBLECK_WIDTH, 4),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        double = _Exportable(channels)
    traced = torch.jit.trace_module(double, {name: given[name] for name in methods})
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.save(traced, str(path))
    return path


class _Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(WAV_WIDTH, WAV_WIDTH, 3, padding=1)
        self.shift = nn.Embedding(4, WAV_WIDTH)

    def forward(self, features: Tensor, bandwidth_id: Tensor) -> Tensor:
        return (self.mix(features) + self.shift(bandwidth_id)[..., None]).transpose(1, 2)


class WavTokenizerDouble(nn.Module):
    """The public interface of WavTokenizer at a tiny size: a codebook of 16, and a row of shifts a bandwidth."""

    def __init__(self) -> None:
        super().__init__()
        encodec = nn.Module()
        encodec.sample_rate = WAV_RATE  # type: ignore[assignment]
        encodec.encoder = nn.Conv1d(1, WAV_WIDTH, 3 * WAV_FRAME, WAV_FRAME, WAV_FRAME)
        self.codebook = nn.Parameter(torch.randn(WAV_CODES, WAV_WIDTH) * 0.1)
        self.feature_extractor = nn.Module()
        self.feature_extractor.encodec = encodec
        self.backbone = _Backbone()
        self.head = nn.Sequential(nn.Linear(WAV_WIDTH, WAV_FRAME), nn.Flatten(1))

    @classmethod
    def from_pretrained0802(cls, config_path: str, model_path: str) -> WavTokenizerDouble:
        """Read a checkpoint as training leaves it; prints, as the real one does."""
        Path(config_path).read_text()
        model = cls()
        print("CHECKPOINT LOADED RESULT:", model.load_state_dict(torch.load(model_path)["state_dict"]))
        return model.eval()

    @torch.inference_mode()
    def encode_infer(self, audio: Tensor, bandwidth_id: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, D, F] and codes [1, B, F] of audio [B, S]."""
        found = self.feature_extractor.encodec.encoder(audio[:, None])
        distances = (found.transpose(1, 2)[:, :, None] - self.codebook).square().sum(-1)
        codes = distances.argmin(-1)[None]
        return self.codes_to_features(codes), codes

    @torch.inference_mode()
    def codes_to_features(self, codes: Tensor) -> Tensor:
        """Features [B, D, F] of codes [1, B, F]."""
        return self.codebook[codes].sum(0).transpose(1, 2)

    @torch.inference_mode()
    def decode(self, features: Tensor, bandwidth_id: Tensor) -> Tensor:
        """Audio [B, S] of features [B, D, F]."""
        return self.head(self.backbone(features, bandwidth_id=bandwidth_id))


def tiny_wavtokenizer(folder: Path, seed: int = 0) -> Path:
    """Save a configuration and a checkpoint for the double; its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WavTokenizerDouble()
    (folder / "tiny.yaml").write_text("model: {}\n")
    torch.save({"state_dict": model.state_dict()}, folder / "tiny.ckpt")
    return folder


def install_wavtokenizer(monkeypatch: pytest.MonkeyPatch, package: str = "decoder") -> None:
    """Put a stand-in for the user's install of WavTokenizer among the modules that can be imported."""
    name = f"{package}.pretrained"
    parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
    for parent in parents:
        module = types.ModuleType(parent)
        module.__path__ = []
        monkeypatch.setitem(sys.modules, parent, module)
    pretrained: Any = types.ModuleType(name)
    pretrained.WavTokenizer = WavTokenizerDouble
    monkeypatch.setitem(sys.modules, name, pretrained)
