"""Stable Audio (Evans et al., arXiv 2407.14358) in diffusers' format, behind the band track's model interface.

Its denoiser runs over latents of the waveform, so its attention has a time axis alone. It has no spectrogram of its
own: `mel` is a log-mel of the waveform, `decode` that of the decoded waveform, channels averaged. Its autoencoder
encodes no log-mel: `latents`, and so a generation's start, are those of the waveform that Griffin-Lim makes of one
(ours).
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from earwitness.errors import ModelError
from earwitness.models.card_parameters import Guidance, Seconds, Steps, Strength
from earwitness.models.cross_attention import kept, watched
from earwitness.models.mel_vocoder import GriffinLimVocoder, MelShape, log_mel
from earwitness.models.pretrained_files import adapter, attempt
from earwitness.models.prompted_diffusion import PromptedDiffusion
from earwitness.models.stable_audio_files import cross_layers, load_pipeline
from earwitness.tracks.band import Generated, Recorder, Start, Text

BINS = 64
HOPS = 4
"""Mel frames to a latent: 86 a second where a latent is 2048 samples at 44.1 kHz. A frame's window is a latent long."""
ITERATIONS = 32
"""Of Griffin-Lim."""


@dataclass
class _Run:
    """A generation under way."""

    latents: Tensor
    """[B, C, t] before `step`."""
    step: int
    scheduler: Any
    generators: list[torch.Generator]
    """Of each row, for schedulers that add noise between steps."""


class StableAudioModel(PromptedDiffusion):
    """A Stable Audio pipeline as a `BandModel`; `seconds` of audio are rounded up to whole latents."""

    def __init__(
        self, pipeline: Any, *, steps: int, guidance: float, strength: float = 1.0, seconds: float | None = None
    ) -> None:
        super().__init__(pipeline, pipeline.tokenizer, steps=steps, guidance=guidance, strength=strength)
        self.module: nn.Module = pipeline.transformer
        self.metered = self.module
        self.device = next(self.module.parameters()).device
        self.sample_rate, self.bins = int(pipeline.vae.config.sampling_rate), BINS
        self._cell = int(pipeline.vae.hop_length)
        self._shape = MelShape(self.sample_rate, n_fft=self._cell, hop=self._cell // HOPS, bins=BINS)
        self.frame_rate = self._shape.frame_rate
        longest = int(pipeline.transformer.config.sample_size)
        self._seconds = longest * self._cell / self.sample_rate if seconds is None else seconds
        self._cells = -(-round(self._seconds * self.sample_rate) // self._cell)
        if not 0 < self._cells <= longest:
            most = longest * self._cell / self.sample_rate
            raise ModelError(f"this Stable Audio makes up to {most:.2f} s, not {seconds:g}; change the task's seconds")
        self.frames = self._cells * HOPS
        self.has_frequency = False
        self._layers = cross_layers(pipeline.transformer)
        self.layers = len(self._layers)

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Rows of a pass of the denoiser: a guided step of one sound is two."""
        sample: Tensor = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        return float(len(sample))

    def encode(self, prompts: Sequence[str]) -> Text:
        """Projected T5 states with their mask; the states of the seconds, which no word has, are added later."""
        _, mask = self._tokens.padded(prompts)
        with torch.no_grad():
            states = self.pipeline.encode_prompt(list(prompts), self.device, False)
        return Text(states[:, : mask.shape[1]], mask.to(self.device))

    def mel(self, audio: Tensor) -> Tensor:
        """Log-mel spectrogram [B, M, T] of audio [B, S], T a whole number of latents; silence is added for it."""
        padded = nn.functional.pad(audio.to(self.device), (0, -audio.shape[1] % self._cell))
        return log_mel(padded, self._shape).transpose(1, 2)

    def latents(self, mel: Tensor) -> Tensor:
        """Means [B, C, t] of the autoencoder's posterior for what Griffin-Lim makes of log-mels, and silence after."""
        audio = self._vocoder(mel.transpose(1, 2))
        longest = int(self.pipeline.transformer.config.sample_size) * self._cell
        padded = nn.functional.pad(audio, (0, longest - audio.shape[1]))
        channels = padded[:, None].expand(-1, int(self.pipeline.vae.config.audio_channels), -1)
        mean: Tensor = self.pipeline.vae.encode(channels).latent_dist.mean
        return mean

    def decode(self, latents: Tensor) -> Tensor:
        """Log-mel spectrogram [B, M, T] of the waveform of latents [B, C, t]."""
        return self.mel(self._waveform(latents))

    def noised(self, latents: Tensor, seed: Sequence[int], step: int) -> Tensor:
        """Latents [B, C, t] as they are before a step; one row of latents serves all seeds."""
        noise, _ = self._noise(seed)
        noised: Tensor = latents + self._schedule.sigmas[step].to(latents) * noise
        return noised

    def denoised(self, noisy: Tensor, step: int, text: Text) -> Tensor:
        """Clean latents [B, C, t] as the conditional branch foretells them."""
        sigma = self._schedule.sigmas[step].to(noisy)
        given = self._schedule.precondition_inputs(noisy, sigma)
        states, seconds = self._conditions(text, len(noisy))
        found = self._predict(given, self._schedule.timesteps[step], states, seconds)
        clean: Tensor = self._schedule.precondition_outputs(noisy, found, sigma)
        return clean

    def generate(
        self,
        text: Text,
        seed: int | Sequence[int],
        start: Start | None = None,
        record: Recorder | None = None,
        keep: Tensor | None = None,
    ) -> Generated:
        """Sounds of prompts, as the pipeline itself makes them; see the interface. `keep` is averaged over M."""
        seeds = [seed] if isinstance(seed, int) else list(seed)
        rows = max(len(seeds), len(text.states))
        with torch.no_grad(), ExitStack() as stack:
            run = self._begin(seeds * (rows // len(seeds)), start)
            null_rows = rows if self._guided else 0
            if record is not None:
                stack.enter_context(watched(self._layers, self._seer(record, text, run), null_rows))
            if keep is not None:
                shares = functools.partial(self._shares, keep.to(self.device), int(run.latents.shape[-1]))
                stack.enter_context(kept(self._layers, shares, null_rows))
            self._denoise(run, self._guided_conditions(text, rows))
            audio = self._waveform(run.latents)
        return Generated(audio, self.mel(audio))

    def _begin(self, seeds: list[int], start: Start | None) -> _Run:
        """Latents before the first step that is run."""
        noise, generators = self._noise(seeds)
        scheduler = copy.deepcopy(self._schedule)
        if start is None:
            return _Run(noise * scheduler.init_noise_sigma, 0, scheduler, generators)
        first = self._first(start)
        scheduler.set_begin_index(first)
        return _Run(self.noised(self.latents(start.mel), seeds, first), first, scheduler, generators)

    def _seer(self, record: Recorder, text: Text, run: _Run) -> Any:
        """Hands a recorder the attention of the sound's own places over the prompt's tokens.

        A pass has one place before the sound, which stands for step and seconds, and keys after the tokens.
        """

        def see(layer: int, attention: Tensor) -> None:
            places = attention[:, :, 1 : 1 + self._cells, None, : text.states.shape[1]]
            record(run.step, layer, places)

        return see

    def _shares(self, keep: Tensor, cells: int, layer: int, places: int) -> Tensor:
        """[B, Q, keys] of `keep` [B, N, M, T]: 1 at places and keys that are no part of the sound or its prompt."""
        over_time = nn.functional.adaptive_avg_pool1d(keep.mean(2), self._cells).transpose(1, 2)
        share = keep.new_ones(len(keep), places, self._keys)
        share[:, places - cells : places - cells + self._cells, : keep.shape[1]] = over_time
        return share

    def _denoise(self, run: _Run, conditions: tuple[Tensor, Tensor]) -> None:
        """Take all steps of a generation."""
        takes = inspect.signature(run.scheduler.step).parameters
        drawn = {"generator": run.generators} if "generator" in takes else {}
        for step, time in enumerate(run.scheduler.timesteps[run.step :], start=run.step):
            run.step = step
            given = run.scheduler.scale_model_input(self._doubled(run.latents), time)
            found = self._guide(self._predict(given, time, *conditions))
            run.latents = run.scheduler.step(found, time, run.latents, **drawn).prev_sample

    def _predict(self, given: Tensor, time: Tensor, states: Tensor, seconds: Tensor) -> Tensor:
        """What the denoiser says of scaled latents, row by row."""
        from diffusers.models.embeddings import get_1d_rotary_pos_embed

        places = given.shape[2] + seconds.shape[1]
        rotary = get_1d_rotary_pos_embed(
            self.pipeline.rotary_embed_dim, places, use_real=True, repeat_interleave_real=False
        )
        found: Tensor = self.module(
            given,
            time.reshape(1),
            encoder_hidden_states=states,
            global_hidden_states=seconds,
            rotary_embedding=tuple(part.to(self.device) for part in rotary),
            return_dict=False,
        )[0]
        return found

    def _conditions(self, text: Text, rows: int) -> tuple[Tensor, Tensor]:
        """Keys [B, K, D]: the prompt's tokens, padding, start and end in seconds; and the seconds [B, 1, 2 D]."""
        ends = self.pipeline.encode_duration(0.0, self._seconds, self.device, False, rows)
        states = text.states.expand(rows, -1, -1)
        missing = self._keys - len(ends) - states.shape[1]
        padding = states.new_zeros(rows, missing, states.shape[2])
        return torch.cat([states, padding, *ends], 1), torch.cat(ends, 2)

    def _guided_conditions(self, text: Text, rows: int) -> tuple[Tensor, Tensor]:
        """The same with the null branch's rows before them, whose keys are zero."""
        states, seconds = self._conditions(text, rows)
        if not self._guided:
            return states, seconds
        return torch.cat([torch.zeros_like(states), states]), torch.cat([seconds] * 2)

    def _waveform(self, latents: Tensor) -> Tensor:
        """Audio [B, S] in [-1, 1] of latents [B, C, t], channels averaged."""
        audio: Tensor = self.pipeline.vae.decode(latents).sample
        return audio.mean(1)[:, : self._cells * self._cell].float().clamp(-1, 1)

    def _noise(self, seeds: Sequence[int]) -> tuple[Tensor, list[torch.Generator]]:
        """Standard noise [B, C, t] of each seed, and the generators that it was drawn from, for what comes after."""
        config = self.pipeline.transformer.config
        shape = (int(config.in_channels), int(config.sample_size))
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        rows = [torch.randn(shape, generator=generator) for generator in generators]
        return torch.stack(rows).to(self.device), generators

    @property
    def _keys(self) -> int:
        """Keys of cross-attention: every prompt is padded to the longest, and two tell the seconds."""
        return int(self.pipeline.tokenizer.model_max_length) + 2

    @functools.cached_property
    def _vocoder(self) -> Any:
        """Griffin-Lim for this model's spectrograms."""
        with torch.inference_mode(False):
            vocoder: Any = GriffinLimVocoder.of(self._shape, ITERATIONS)
            return vocoder.to(self.device)


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    steps: Steps = 100,
    guidance: Guidance = 7.0,
    strength: Strength = 1.0,
    seconds: Seconds | None = None,
) -> StableAudioModel:
    """The pipeline of a hub id or of a folder in its format, in float32, for generations of `seconds`.

    `strength` is the share of the diffusion that a task's clips are sent back through; at 1 items start from noise.
    Raises ModelError, in one line, where the pipeline cannot be read, has no cross-attention, or where a parameter
    is none that it takes.
    """
    pipeline = load_pipeline(source, revision, device)
    if not cross_layers(pipeline.transformer):
        raise ModelError(
            f"the denoiser of {source} has no cross-attention, so there is nothing to explain it by; give a Stable "
            "Audio pipeline whose transformer has blocks"
        )
    model = StableAudioModel(pipeline, steps=steps, guidance=guidance, strength=strength, seconds=seconds)
    attempt("text encoder", source, lambda: model.encode(["a bell"]))
    return model.scheduled(source)
