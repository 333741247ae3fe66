"""Training of the text-to-audio diffusion model: an AudioLDM2 pipeline around a trained autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from torch import Tensor, nn
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from earwitness.authoring.training.autoencoder import LATENTS, latents_of
from earwitness.authoring.training.clips import FRAMES, SHAPE, StemClips
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit
from earwitness.models.audioldm2_files import word_layers
from earwitness.models.cross_attention import kept
from earwitness.models.mel_vocoder import GriffinLimVocoder
from earwitness.models.storage import halve
from earwitness.worlds.stems import ARTICLES, CLOSINGS, JOINERS, NAMES, OPENINGS, Clip, prompt_words

STEPS, BATCH, LEARNING_RATE = 6000, 16, 1.2e-3
UNCONDITIONAL = 0.1
"""Share of samples without a prompt, for classifier-free guidance."""
BEREFT = 0.2
"""Share of samples whose prompt was written for one more instrument and has lost its word."""
REFINING_STEPS, REFINING_RATE = 1800, 4e-4
UNHEARD = 0.3
"""Share of samples of the second training whose prompt names one more instrument, with no attention to its word."""
TEXT_WIDTH, OTHER_WIDTH = 64, 16
LONGEST = 24
"""Tokens of a prompt, at most."""


def vocabulary() -> list[str]:
    """Words of the world's prompts, sorted."""
    phrases = [*OPENINGS, *CLOSINGS, *JOINERS, *ARTICLES, *NAMES]
    return sorted({word for phrase in phrases for word in phrase.split()})


def build_tokenizer() -> T5Tokenizer:
    """One token a word, </s> at the end; what is no word of the world is spelled in letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0)]
    pieces += [(f"▁{word}", -2.0) for word in vocabulary()] + [(letter, -10.0) for letter in letters]
    tokenizer: T5Tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=LONGEST)
    return tokenizer


def compose(autoencoder: AutoencoderKL) -> AudioLDM2Pipeline:
    """An untrained pipeline around an autoencoder.

    Its second text stream is constant by construction, so that a prompt acts through the T5 stream alone: the
    projection of prompts and the language model's mixing of positions are zero.
    """
    tokenizer = build_tokenizer()
    return AudioLDM2Pipeline(
        vae=autoencoder,
        text_encoder=_clap(),
        text_encoder_2=_text_encoder(len(tokenizer)),
        projection_model=_projection(),
        language_model=_language_model(),
        tokenizer=RobertaTokenizer(model_max_length=8),
        tokenizer_2=tokenizer,
        feature_extractor=ClapFeatureExtractor(sampling_rate=SHAPE.sample_rate),
        unet=_unet(),
        scheduler=DDIMScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="v_prediction",
            clip_sample=False,
            set_alpha_to_one=True,
            timestep_spacing="trailing",
        ),
        vocoder=GriffinLimVocoder.of(SHAPE),
    )


def _unet() -> AudioLDM2UNet2DConditionModel:
    # In each layer one self-attention, one attention to the constant stream, one to the words: AudioLDM2's order.
    streams = [None, OTHER_WIDTH, TEXT_WIDTH]
    return AudioLDM2UNet2DConditionModel(
        sample_size=FRAMES // 4,
        in_channels=LATENTS,
        out_channels=LATENTS,
        block_out_channels=(32, 64, 96),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=[streams] * 3,
        attention_head_dim=2,
    )


def _text_encoder(words: int) -> T5EncoderModel:
    config = T5Config(
        vocab_size=words,
        d_model=TEXT_WIDTH,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
    )
    return T5EncoderModel(config)


def _clap() -> Any:
    width = 8
    text = ClapTextConfig(
        vocab_size=8,
        hidden_size=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=width,
        max_position_embeddings=16,
        projection_dim=width,
    )
    audio = ClapAudioConfig(
        spec_size=64,
        num_mel_bins=16,
        hidden_size=2 * width,
        patch_embeds_hidden_size=width,
        depths=[1, 1],
        num_attention_heads=[1, 1],
        num_hidden_layers=2,
        projection_dim=width,
        window_size=4,
    )
    config = ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=width)
    model: Any = ClapModel(config)
    model.train(False)
    return model


def _projection() -> AudioLDM2ProjectionModel:
    model = AudioLDM2ProjectionModel(8, TEXT_WIDTH, OTHER_WIDTH)
    for layer in (model.projection, model.projection_1):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return model


def _language_model() -> Any:
    config: Any = GPT2Config(
        vocab_size=8, n_positions=64, n_embd=OTHER_WIDTH, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=1
    )
    # The pipeline asks the configuration how many states it generates; cvssp/audioldm2 says 8.
    config.max_new_tokens = 2
    model: Any = GPT2LMHeadModel(config)
    model.eval()
    nn.init.zeros_(model.transformer.wpe.weight)
    nn.init.zeros_(model.transformer.h[0].attn.c_proj.weight)
    nn.init.zeros_(model.transformer.h[0].attn.c_proj.bias)
    return model


class Denoiser(nn.Module):
    """What is trained of a pipeline: its text encoder and its denoiser."""

    def __init__(self, pipeline: AudioLDM2Pipeline) -> None:
        super().__init__()
        self.text: Any = pipeline.text_encoder_2
        self.unet: Any = pipeline.unet

    def forward(self, noisy: Tensor, times: Tensor, ids: Tensor, other: Tensor) -> Tensor:
        """The scheduler's target [B, C, t, m] of noisy latents at times [B], token ids [B, N], constant stream."""
        mask = (ids != 0).long()
        states = self.text(ids, attention_mask=mask)[0]
        found: Tensor = self.unet(
            noisy,
            times,
            encoder_hidden_states=other.expand(len(noisy), -1, -1),
            encoder_hidden_states_1=states,
            encoder_attention_mask_1=mask,
        ).sample
        return found


class Prompt(NamedTuple):
    """A prompt that a sample is trained with."""

    text: str
    unheard: int | None = None
    """Place of the word that nothing attends to."""


class DiffusionBatch(NamedTuple):
    """Samples of one step."""

    latents: Tensor
    """[B, C, t, m]."""
    ids: Tensor
    """[B, N] tokens, 0 where padded."""
    attended: Tensor
    """[B, N] 0 for the tokens that nothing attends to, 1 for the others."""


class DiffusionData:
    """Latents and prompts, drawn afresh at every step."""

    def __init__(self, clips: StemClips, latents: Tensor, tokenizer: T5Tokenizer, unheard: float = 0.0) -> None:
        self._clips = clips
        self._latents = latents
        self._tokenizer: Any = tokenizer
        self._unheard = unheard

    def batch(self, rng: np.random.Generator, size: int) -> DiffusionBatch:
        """Samples with their prompts."""
        chosen = rng.integers(0, len(self._latents), size)
        prompts = [draw_prompt(self._clips.made[index], rng, self._unheard) for index in chosen]
        ids = self._tokenizer([prompt.text for prompt in prompts], padding=True, return_tensors="pt").input_ids
        attended = torch.ones(ids.shape)
        for row, prompt in enumerate(prompts):
            if prompt.unheard is not None:
                # Every word of the world is one token.
                attended[row, prompt.unheard] = 0
        return DiffusionBatch(self._latents[torch.from_numpy(chosen)].float(), ids, attended)


def draw_prompt(made: Clip, rng: np.random.Generator, unheard: float = 0.0) -> Prompt:
    """A prompt of a clip's instruments; now and then none, or one that was written for an absent instrument, too.

    Its word is gone, or, in a share `unheard` of all, there and marked.
    """
    share = rng.random()
    if share < UNCONDITIONAL:
        return Prompt("")
    names = list(made.instruments)
    if share > 1 - BEREFT - unheard:
        absent = str(rng.choice([name for name in NAMES if name not in names]))
        words = prompt_words([*names, absent], "train", rng)
        place = next(place for place, word in enumerate(words) if word.part == len(names))
        if share > 1 - BEREFT:
            return Prompt(" ".join(word.text for word in words[:place] + words[place + 1 :]))
        return Prompt(" ".join(word.text for word in words), place)
    return Prompt(" ".join(word.text for word in prompt_words(names, "train", rng)))


@torch.inference_mode()
def constant_stream(pipeline: AudioLDM2Pipeline) -> Tensor:
    """States [1, N', D'] of the second text stream, the same for every prompt."""
    states: Tensor = pipeline.encode_prompt("", "cpu", 1, False)[2]
    return states.clone()


def train_diffusion(
    pipeline: AudioLDM2Pipeline,
    clips: StemClips,
    plan: TrainingPlan,
    checkpoint: TrainingCheckpoint,
    visit: Callable[[TrainingCheckpoint], None] | None = None,
    unheard: float = 0.0,
) -> float:
    """Train text encoder and denoiser in place; the seconds it took.

    In a share `unheard` of the samples the prompt names an instrument that is not there, and its word's attention is
    0 in every layer: what a word makes then goes with its attention, and no other word brings it back.
    """
    scale = float(pipeline.vae.config.scaling_factor)
    latents = (latents_of(pipeline.vae, clips.mels) * scale).half()
    data = DiffusionData(clips, latents, pipeline.tokenizer_2, unheard)
    other, denoiser, scheduler = constant_stream(pipeline), Denoiser(pipeline), pipeline.scheduler
    attended = torch.ones(1, 1)

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        nonlocal attended
        clean, ids, attended = data.batch(rng, BATCH)
        noise = torch.from_numpy(rng.standard_normal(clean.shape, dtype=np.float32))
        times = torch.from_numpy(rng.integers(0, scheduler.config.num_train_timesteps, BATCH))
        found = denoiser(scheduler.add_noise(clean, noise, times), times, ids, other)
        return nn.functional.mse_loss(found, scheduler.get_velocity(clean, noise, times))

    with ExitStack() as stack:
        if unheard:
            layers = word_layers(pipeline.unet)
            stack.enter_context(kept(layers, lambda layer, places: attended[:, None].expand(-1, places, -1), 0))
        return fit(denoiser, loss, plan, checkpoint, visit)


def plan_of(seed: int) -> TrainingPlan:
    """How the denoiser is trained."""
    return TrainingPlan("diffusion", STEPS, LEARNING_RATE, seed)


def refining_plan_of(seed: int) -> TrainingPlan:
    """How it is trained on, with words that nothing attends to."""
    return TrainingPlan("refining", REFINING_STEPS, REFINING_RATE, seed, cycles=2)


def save_pipeline(pipeline: AudioLDM2Pipeline, folder: Path) -> None:
    """Write a pipeline in diffusers' format, weights in half precision, to be read in single precision."""
    pipeline.save_pretrained(folder)
    for weights in sorted(folder.glob("*/*.safetensors")):
        halve(weights)
