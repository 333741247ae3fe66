"""A codec over log-magnitude spectra: frames of a short-time Fourier transform, a residual quantiser, Griffin-Lim back.

Registered with transformers, with the part of EncodecModel's interface that MusicGen asks of its audio encoder.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput


class SpectralCodecConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Shape of a spectral codec."""

    model_type = "spectral_codec"

    sampling_rate: int = 16_000
    audio_channels: int = 1
    n_fft: int = 512
    hop_length: int = 160
    stride: int = 4
    width: int = 160
    blocks: int = 2
    codebook_size: int = 256
    codebook_dim: int = 48
    num_quantizers: int = 4
    magnitude_floor: float = 1e-2
    griffin_lim_iterations: int = 4

    @property
    def bins(self) -> int:
        """Frequency bins of a spectrum."""
        return self.n_fft // 2 + 1

    @property
    def frame_rate(self) -> float:
        """Code frames per second."""
        return self.sampling_rate / self.frame_length

    @property
    def frame_length(self) -> int:
        """Samples of a code frame."""
        return self.hop_length * self.stride

    @property
    def hidden_size(self) -> int:
        """Width of the latents, as transformers names it."""
        return self.codebook_dim


@dataclass
class EncodedAudio(ModelOutput):
    """Codes of a batch of clips."""

    audio_codes: Tensor | None = None
    """[1, B, K, F]."""
    audio_scales: list[Tensor | None] | None = None


@dataclass
class DecodedAudio(ModelOutput):
    """Audio of a batch of clips."""

    audio_values: Tensor | None = None
    """[B, 1, S]."""


@dataclass
class CodedAudio(ModelOutput):
    """Codes and their audio."""

    audio_codes: Tensor | None = None
    """[1, B, K, F]."""
    audio_values: Tensor | None = None
    """[B, 1, S]."""


class ConvBlock(nn.Module):
    """Residual block over [B, T, C]: depthwise convolution in time, then two pointwise layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] to [B, T, C]."""
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        out: Tensor = x + self.contract(F.gelu(self.expand(self.norm(y))))
        return out


class Halve(nn.Module):
    """Joins neighbouring frames: [B, T, C] to [B, T/2, C]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] to [B, T/2, C]."""
        batch, time, width = x.shape
        out: Tensor = self.project(x.reshape(batch, time // 2, 2 * width))
        return out


class Double(nn.Module):
    """Splits each frame in two: [B, T, C] to [B, 2T, C]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, C] to [B, 2T, C]."""
        batch, time, width = x.shape
        out: Tensor = self.project(x).reshape(batch, 2 * time, width)
        return out


class ResidualQuantiser(nn.Module):
    """K codebooks, each coding what the ones before it left over (SoundStream, arXiv 2107.03312, section III-C)."""

    codebooks: Tensor
    """[K, V, D]."""

    def __init__(self, quantisers: int, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("codebooks", torch.randn(quantisers, size, width))

    def encode(self, latents: Tensor) -> Tensor:
        """Codes [B, K, F] of latents [B, F, D]."""
        residual, codes = latents, []
        for codebook in self.codebooks:
            nearest = nearest_codes(residual, codebook)
            residual = residual - F.embedding(nearest, codebook)
            codes.append(nearest)
        return torch.stack(codes, 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Quantised latents [B, F, D] of codes [B, K, F]."""
        parts = [F.embedding(codes[:, k], codebook) for k, codebook in enumerate(self.codebooks)]
        return torch.stack(parts).sum(0)


def nearest_codes(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Index [...] of the codebook's row [V, D] that is nearest to each vector [..., D]."""
    return (vectors @ codebook.T - 0.5 * codebook.square().sum(-1)).argmax(-1)


class SpectralCodec(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Audio to codes and back; see the module's text."""

    config_class = SpectralCodecConfig
    main_input_name = "input_values"
    base_model_prefix = "spectral_codec"
    # It has no attention, so that every implementation suits it: MusicGen hands its own down to its parts.
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = True

    def __init__(self, config: SpectralCodecConfig) -> None:
        super().__init__(config)
        width, levels = config.width, config.stride.bit_length() - 1
        self.encoder = nn.Sequential(nn.Linear(config.bins, width))
        self.decoder = nn.Sequential(nn.Linear(config.codebook_dim, width))
        for level in range(levels + 1):
            self.encoder.extend(ConvBlock(width) for _ in range(config.blocks if level else 1))
            self.decoder.extend(ConvBlock(width) for _ in range(config.blocks if level < levels else 1))
            if level < levels:
                self.encoder.append(Halve(width))
                self.decoder.append(Double(width))
        self.encoder.append(nn.Linear(width, config.codebook_dim))
        self.decoder.append(nn.Linear(width, config.bins))
        self.quantiser = ResidualQuantiser(config.num_quantizers, config.codebook_size, config.codebook_dim)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep torch's own initialisation."""

    def log_magnitude(self, audio: Tensor) -> Tensor:
        """Natural log of the floored magnitude spectrum [B, T, bins] of audio [B, S], S padded to whole code frames."""
        config = self.config
        audio = F.pad(audio, (0, -audio.shape[-1] % config.frame_length))
        spectrum = _stft(audio, config.n_fft, config.hop_length)[:, :, :-1]
        return spectrum.abs().clamp_min(config.magnitude_floor).log().transpose(1, 2)

    def latents(self, audio: Tensor) -> Tensor:
        """Latents [B, F, D] before quantisation of audio [B, S]."""
        latents: Tensor = self.encoder(self.log_magnitude(audio) / 3)
        return latents

    def quantise(self, latents: Tensor) -> Tensor:
        """Codes [B, K, F] of latents [B, F, D]."""
        return self.quantiser.encode(latents)

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Log magnitude [B, T, bins] of latents [B, F, D]."""
        magnitude: Tensor = 3 * self.decoder(latents)
        return magnitude

    def decode_magnitude(self, codes: Tensor) -> Tensor:
        """Log magnitude [B, T, bins] of codes [B, K, F]."""
        return self.decode_latents(self.quantiser.decode(codes))

    def waveform(self, log_magnitude: Tensor) -> Tensor:
        """Audio [B, S] of log magnitude [B, T, bins]; what lies at the floor is silent."""
        config = self.config
        magnitude = log_magnitude.exp()
        magnitude = torch.where(magnitude > 1.5 * config.magnitude_floor, magnitude, torch.zeros(()).to(magnitude))
        magnitude = torch.cat([magnitude, magnitude[:, -1:]], 1)
        return griffin_lim(magnitude, config.hop_length, config.griffin_lim_iterations)

    def audio(self, codes: Tensor) -> Tensor:
        """Audio [B, S] of codes [B, K, F]."""
        return self.waveform(self.decode_magnitude(codes))

    def encode(self, input_values: Tensor, padding_mask: Tensor | None = None, **_: Any) -> EncodedAudio:
        """Codes of audio [B, 1, S]; samples under a zero of the padding mask are silenced."""
        audio = input_values.squeeze(1)
        if padding_mask is not None:
            audio = audio * padding_mask.reshape(audio.shape)
        return EncodedAudio(audio_codes=self.quantise(self.latents(audio))[None], audio_scales=[None])

    def decode(self, audio_codes: Tensor, audio_scales: Any = None, **_: Any) -> DecodedAudio:
        """Audio of codes [1, B, K, F]; scales are not used."""
        return DecodedAudio(audio_values=self.audio(audio_codes[0])[:, None])

    def forward(self, input_values: Tensor, padding_mask: Tensor | None = None, **_: Any) -> CodedAudio:
        """Codes of audio [B, 1, S] and what they decode to."""
        encoded = self.encode(input_values, padding_mask)
        assert encoded.audio_codes is not None
        audio = self.decode(encoded.audio_codes).audio_values
        return CodedAudio(audio_codes=encoded.audio_codes, audio_values=audio)


# What is cached must serve gradients, even if it is first asked for in inference mode.
@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def _window(n_fft: int, device: torch.device) -> Tensor:
    return torch.hann_window(n_fft, device=device)


def _stft(audio: Tensor, n_fft: int, hop: int) -> Tensor:
    window = _window(n_fft, audio.device)
    return torch.stft(audio, n_fft, hop, window=window, return_complex=True, pad_mode="constant")


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def _first_phase(frames: int, bins: int, device: torch.device) -> Tensor:
    """Unit phasors [T, bins], the same in every process."""
    generator = torch.Generator().manual_seed(0)
    angles = 2 * torch.pi * torch.rand(frames, bins, generator=generator)
    return torch.polar(torch.ones_like(angles), angles).to(device)


def griffin_lim(magnitude: Tensor, hop: int, iterations: int, momentum: float = 0.99) -> Tensor:
    """Audio [B, S] whose spectrum comes near a magnitude [B, T, bins], S = hop (T - 1).

    Fast Griffin-Lim (Perraudin, Balazs and Sondergaard, 2013, algorithm 2), from phases that are always the same.
    """
    # One clip at a time stays in the processor's cache and gives the same bits in any batch; a GPU wants them all.
    chunks = torch.split(magnitude, len(magnitude) if magnitude.is_cuda else 1)
    return torch.cat([_griffin_lim(chunk, hop, iterations, momentum) for chunk in chunks])


def _griffin_lim(magnitude: Tensor, hop: int, iterations: int, momentum: float) -> Tensor:
    _, frames, bins = magnitude.shape
    n_fft, length = 2 * (bins - 1), hop * (frames - 1)
    window, weight = _window(n_fft, magnitude.device), _overlap(n_fft, hop, frames, magnitude.device)
    spectrum, before = magnitude * _first_phase(frames, bins, magnitude.device), magnitude.new_zeros(())
    for _ in range(iterations):
        frame = _overlap_add(spectrum, window, hop, weight).unfold(-1, n_fft, hop) * window
        # Real and imaginary parts: torch's complex arithmetic takes twice as long.
        now = torch.view_as_real(torch.fft.rfft(frame))
        ahead = torch.lerp(before.expand_as(now), now, 1 + momentum)
        before = now
        real, imaginary = ahead.unbind(-1)
        power = torch.addcmul(real * real, imaginary, imaginary)
        spectrum = torch.view_as_complex(ahead) * (magnitude * torch.rsqrt(power + 1e-16))
    return _overlap_add(spectrum, window, hop, weight)[:, n_fft // 2 : n_fft // 2 + length]


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def _overlap(n_fft: int, hop: int, frames: int, device: torch.device) -> Tensor:
    """[hop (T - 1) + n_fft] what overlapping windows must be divided by; zero where a clip has not begun or is over."""
    total = torch.zeros(hop * (frames - 1) + n_fft)
    for start in range(0, hop * frames, hop):
        total[start : start + n_fft] += _window(n_fft, torch.device("cpu")) ** 2
    weight = 1 / total.clamp_min(1e-8)
    weight[: n_fft // 2] = 0
    weight[n_fft // 2 + hop * (frames - 1) :] = 0
    return weight.to(device)


def _overlap_add(spectrum: Tensor, window: Tensor, hop: int, weight: Tensor) -> Tensor:
    """Signal [B, hop (T - 1) + n_fft] of a spectrum [B, T, bins]."""
    n_fft = len(window)
    frames = torch.fft.irfft(spectrum, n_fft) * window
    hops = -(-n_fft // hop)
    signal: Tensor = frames.new_zeros(len(frames), frames.shape[1] + hops - 1, hop)
    for number in range(hops):
        piece = frames[..., number * hop : (number + 1) * hop]
        signal[:, number : number + frames.shape[1], : piece.shape[-1]] += piece
    return signal.flatten(1)[:, : len(weight)] * weight


AutoConfig.register(SpectralCodecConfig.model_type, SpectralCodecConfig, exist_ok=True)
AutoModel.register(SpectralCodecConfig, SpectralCodec, exist_ok=True)
