"""AudioLDM2 (Liu et al., arXiv 2308.05734) in diffusers' format, behind the band track's model interface.

Of its two text streams only the T5 one maps to the prompt's words; the language model's eight states stand in
`Text.other`. A null prompt is the empty one, as the pipeline has it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from earwitness.errors import ModelError
from earwitness.models.audioldm2_files import empty_prompt, load_pipeline, word_layers
from earwitness.models.card_parameters import Guidance, Seconds, Steps, Strength
from earwitness.models.cross_attention import kept, watched
from earwitness.models.mel_vocoder import MelShape, log_mel
from earwitness.models.pretrained_files import adapter
from earwitness.models.prompted_diffusion import PromptedDiffusion
from earwitness.tracks.band import Generated, Recorder, Start, Text


class AudioLDM2Model(PromptedDiffusion):
    """An AudioLDM2 pipeline as a `BandModel`."""

    def __init__(
        self, pipeline: Any, *, steps: int, guidance: float, strength: float, seconds: float | None = None
    ) -> None:
        super().__init__(pipeline, pipeline.tokenizer_2, steps=steps, guidance=guidance, strength=strength)
        self.module: nn.Module = pipeline.unet
        self._config = pipeline.unet.config
        self.metered = self.module
        self.device = next(self.module.parameters()).device
        self._shape = MelShape.of(pipeline.vocoder)
        self.sample_rate, self.frame_rate, self.bins = self._shape.sample_rate, self._shape.frame_rate, self._shape.bins
        self._cell = int(pipeline.vae_scale_factor)
        self.frames = self._frames(seconds)
        self.has_frequency = True
        self._layers = word_layers(pipeline.unet)
        self.layers = len(self._layers)
        self._nulls: dict[int, Text] = {}

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """Rows of a pass of the denoiser: a guided step of one sound is two."""
        sample: Tensor = kwargs["sample"] if "sample" in kwargs else args[0]
        return float(len(sample))

    def encode(self, prompts: Sequence[str]) -> Text:
        """T5 states with their mask, and the language model's states, each prompt by itself.

        Padding would move the language model's positions, so that a prompt would depend on those beside it.
        """
        for prompt in prompts:
            self._tokens.special(prompt)  # raises where a prompt is too long, which the pipeline would cut
        each = [Text(*self.pipeline.encode_prompt(prompt, self.device, 1, False)) for prompt in prompts]
        longest = max(text.states.shape[1] for text in each)
        states = torch.cat([_wide(text.states, longest) for text in each])
        mask = torch.cat([_wide(text.mask, longest) for text in each])
        return Text(states, mask.bool(), torch.cat([_other(text) for text in each]))

    def mel(self, audio: Tensor) -> Tensor:
        """Log-mel spectrogram [B, M, T] of audio [B, S], T a whole number of latent cells; silence is added for it."""
        step = self._shape.hop * self._cell
        padded = nn.functional.pad(audio.to(self.device), (0, -audio.shape[1] % step))
        return log_mel(padded, self._shape).transpose(1, 2)

    def latents(self, mel: Tensor) -> Tensor:
        """Scaled means [B, C, t, m] of the autoencoder's posterior."""
        scaled: Tensor = self.pipeline.vae.encode(mel.transpose(1, 2)[:, None]).latent_dist.mean * self._scale
        return scaled

    def decode(self, latents: Tensor) -> Tensor:
        """Log-mel spectrogram [B, M, T] of latents [B, C, t, m]."""
        mel: Tensor = self.pipeline.vae.decode(latents / self._scale).sample[:, 0].transpose(1, 2)
        return mel

    def noised(self, latents: Tensor, seed: Sequence[int], step: int) -> Tensor:
        """Latents [B, C, t, m] as they are before a step; one row of latents serves all seeds."""
        rows = latents.expand(len(seed), *latents.shape[1:])
        time = self._schedule.timesteps[step : step + 1]
        noised: Tensor = self._schedule.add_noise(rows, self._noise(seed, rows.shape[1:]), time)
        return noised

    def denoised(self, noisy: Tensor, step: int, text: Text) -> Tensor:
        """Clean latents [B, C, t, m] as the conditional branch foretells them."""
        time = self._schedule.timesteps[step]
        found = self._predict(self._schedule.scale_model_input(noisy, time), time, _rows(text, len(noisy)))
        return self._clean(noisy, found, time)

    def generate(
        self,
        text: Text,
        seed: int | Sequence[int],
        start: Start | None = None,
        record: Recorder | None = None,
        keep: Tensor | None = None,
    ) -> Generated:
        """Sounds of prompts; see the interface. The scheduler and its settings are the pipeline's own."""
        seeds = [seed] if isinstance(seed, int) else list(seed)
        rows = max(len(seeds), len(text.states))
        seeds = seeds * (rows // len(seeds))
        latents, first, scheduler = self._begin(seeds, start)
        both = self._with_null(_rows(text, rows))
        grids = _grids(latents.shape[-2:])
        now = first

        def see(layer: int, attention: Tensor) -> None:
            assert record is not None
            time, bins = grids[attention.shape[2]]
            record(now, layer, attention.reshape(*attention.shape[:2], time, bins, -1))

        null_rows = rows if self._guided else 0
        with torch.no_grad(), ExitStack() as stack:
            if record is not None:
                stack.enter_context(watched(self._layers, see, null_rows))
            if keep is not None:
                shares = _Shares(keep.to(self.device), grids)
                stack.enter_context(kept(self._layers, shares, null_rows))
            for step, time in enumerate(scheduler.timesteps[first:], start=first):
                now = step
                latents = self._step(scheduler, latents, time, both)[0].prev_sample
            mel = self.decode(latents)
            audio = self.pipeline.vocoder(mel.transpose(1, 2))
        # Vocoders whose kernels are no whole number of strides long make some samples beyond the spectrogram.
        return Generated(audio.reshape(rows, -1)[:, : mel.shape[2] * self._shape.hop].float(), mel)

    def trajectory(self, text: Text, seeds: Sequence[int]) -> Tensor:
        """Clean latents [B, T, C, t, m] that each step of guided generations from noise alone predicts.

        The last are the generations' latents.
        """
        latents, _, scheduler = self._begin(list(seeds), None)
        both = self._with_null(_rows(text, len(seeds)))
        found = []
        with torch.no_grad():
            for time in scheduler.timesteps:
                stepped, said = self._step(scheduler, latents, time, both)
                clean = getattr(stepped, "pred_original_sample", None)
                found.append(self._clean(latents, said, time) if clean is None else clean)
                latents = stepped.prev_sample
        return torch.stack([*found[:-1], latents], 1)

    def _step(self, scheduler: Any, latents: Tensor, time: Tensor, both: Text) -> tuple[Any, Tensor]:
        """What the scheduler makes of one guided step, and what the denoiser says, guided."""
        given = scheduler.scale_model_input(self._doubled(latents), time)
        found = self._guide(self._predict(given, time, both))
        return scheduler.step(found, time, latents), found

    def _begin(self, seeds: list[int], start: Start | None) -> tuple[Tensor, int, Any]:
        """Latents before the first step that is run, that step's number, and a scheduler of one's own."""
        scheduler = copy.deepcopy(self._schedule)
        if start is None:
            shape = (int(self._config.in_channels), self.frames // self._cell, self.bins // self._cell)
            return self._noise(seeds, shape) * scheduler.init_noise_sigma, 0, scheduler
        first = self._first(start)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        with torch.no_grad():
            return self.noised(self.latents(start.mel), seeds, first), first, scheduler

    def _noise(self, seeds: Sequence[int], shape: Sequence[int]) -> Tensor:
        rows = [torch.randn(tuple(shape), generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
        return torch.stack(rows).to(self.device)

    def _predict(self, noisy: Tensor, time: Tensor, text: Text) -> Tensor:
        """What the denoiser says of latents, row by row."""
        found: Tensor = self.module(
            noisy,
            time,
            encoder_hidden_states=text.other,
            encoder_hidden_states_1=text.states,
            encoder_attention_mask_1=text.mask.long(),
        ).sample
        return found

    def _clean(self, noisy: Tensor, found: Tensor, time: Tensor) -> Tensor:
        """Clean latents from noisy ones and what the denoiser says."""
        kind = self._schedule.config.prediction_type
        share: Tensor = self._schedule.alphas_cumprod.to(noisy)[time.long()]
        if kind == "epsilon":
            return (noisy - (1 - share).sqrt() * found) / share.sqrt()
        return share.sqrt() * noisy - (1 - share).sqrt() * found if kind == "v_prediction" else found

    def _with_null(self, text: Text) -> Text:
        """The null prompt's rows, as many, before the prompts' rows; as they are where nothing is guided."""
        if not self._guided:
            return text
        longest = text.states.shape[1]
        null = [self._null(int(tokens)) for tokens in text.mask.sum(1)]
        states = torch.cat([*(_wide(row.states, longest) for row in null), text.states])
        mask = torch.cat([*(_wide(row.mask, longest) for row in null), text.mask])
        return Text(states, mask, torch.cat([*(_other(row) for row in null), _other(text)]))

    @property
    def _scale(self) -> float:
        return float(self.pipeline.vae.config.scaling_factor)

    def _null(self, tokens: int) -> Text:
        """The empty prompt, padded to the tokens of the prompt that it stands beside, as the pipeline has it."""
        if tokens not in self._nulls:
            with torch.no_grad():
                self._nulls[tokens] = empty_prompt(self.pipeline, tokens, self.device)
        return self._nulls[tokens]

    def _frames(self, seconds: float | None) -> int:
        own = int(self._config.sample_size) * self._cell
        frames = own if seconds is None else int(seconds * self._shape.frame_rate)
        if frames < 1:
            raise ModelError(f"{seconds:g} s are shorter than a frame of this AudioLDM2; change the task's seconds")
        return -(-frames // self._cell) * self._cell


class _Shares:
    """What `keep` [B, N, M, T] leaves of attention at the places of each layer's grid."""

    def __init__(self, keep: Tensor, grids: dict[int, tuple[int, int]]) -> None:
        self._keep = keep.transpose(-1, -2)
        self._grids = grids
        self._found: dict[int, Tensor] = {}

    def __call__(self, layer: int, places: int) -> Tensor:
        """[B, Q, N]: mean of `keep` over the mel cells that a place covers."""
        if places not in self._found:
            small = nn.functional.adaptive_avg_pool2d(self._keep, self._grids[places])
            self._found[places] = small.flatten(2).transpose(1, 2)
        return self._found[places]


def _other(text: Text) -> Tensor:
    if text.other is None:
        raise ModelError("AudioLDM2 needs the states of its language model: take the text that `encode` gives")
    return text.other


def _rows(text: Text, rows: int) -> Text:
    """Text of that many rows; one row serves all."""
    if len(text.states) == rows:
        return text
    other = None if text.other is None else text.other.expand(rows, -1, -1)
    return Text(text.states.expand(rows, -1, -1), text.mask.expand(rows, -1), other)


def _wide(tensor: Tensor, longest: int) -> Tensor:
    """A tensor [B, N, ...] padded with zeros to N = longest."""
    missing = longest - tensor.shape[1]
    return torch.cat([tensor, tensor.new_zeros(len(tensor), missing, *tensor.shape[2:])], 1) if missing else tensor


def _grids(latents: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Grids of time and frequency of a denoiser's levels, by their number of places."""
    time, bins = latents
    found: dict[int, tuple[int, int]] = {}
    while True:
        found.setdefault(time * bins, (time, bins))
        if time == bins == 1:
            return found
        time, bins = (time + 1) // 2, (bins + 1) // 2


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    steps: Steps = 50,
    guidance: Guidance = 3.5,
    strength: Strength = 1.0,
    seconds: Seconds | None = None,
) -> AudioLDM2Model:
    """The pipeline of a hub id or of a folder in its format, in float32, for generations of `seconds`.

    `strength` is the share of the diffusion that a task's clips are sent back through. Raises ModelError, in one line,
    where the pipeline cannot be read, has no cross-attention over its prompt's words, or where a parameter is none that
    it takes.
    """
    pipeline = load_pipeline(source, revision, device)
    if not word_layers(pipeline.unet):
        raise ModelError(
            f"the denoiser of {source} has no cross-attention over T5 tokens, so there is nothing to explain it by; "
            "give an AudioLDM2 pipeline whose cross_attention_dim has a third width"
        )
    model = AudioLDM2Model(pipeline, steps=steps, guidance=guidance, strength=strength, seconds=seconds)
    return model.scheduled(source)
