"""An AudioLDM2 pipeline's latents as the concept track has them, on a tiny random pipeline."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from earwitness.errors import InvalidItemError, ModelError
from earwitness.models import audioldm2_latents
from earwitness.models.audioldm2 import AudioLDM2Model
from earwitness.models.audioldm2_latents import AudioLDM2Latents
from earwitness.tracks.concept import Kind
from tiny_band import BAND_BINS, BAND_FRAMES, BAND_HOP, BAND_RATE, tiny_audioldm2

PROMPTS = ["a bass and a drum", "a recording of saxophone with piano"]
CELL, CHANNELS = 4, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_audioldm2(tmp_path_factory.mktemp("audioldm2"))


@pytest.fixture(scope="module")
def model(folder: Path) -> AudioLDM2Latents:
    return audioldm2_latents.from_pretrained(str(folder), steps=4, guidance=3.0)


def _audio(rows: int = 2) -> torch.Tensor:
    return torch.randn(rows, BAND_FRAMES * BAND_HOP, generator=torch.Generator().manual_seed(3)) * 0.1


def _with_scheduler(model: AudioLDM2Latents, scheduler: object, guidance: float = 3.0) -> AudioLDM2Latents:
    pipeline = copy.copy(model.diffusion.pipeline)
    pipeline.scheduler = scheduler
    return AudioLDM2Latents("x", AudioLDM2Model(pipeline, steps=4, guidance=guidance, strength=1.0))


def test_the_model_says_what_it_is(model: AudioLDM2Latents) -> None:
    assert (model.sample_rate, model.width) == (BAND_RATE, CHANNELS * BAND_BINS // CELL)
    assert model.frame_rate == BAND_RATE / (BAND_HOP * CELL)
    assert (model.kinds, model.kind) == ((Kind.CONTINUOUS,), Kind.CONTINUOUS)


def test_a_frame_is_all_channels_and_mel_rows_of_one_time_step(model: AudioLDM2Latents) -> None:
    diffusion = model.diffusion
    picture = diffusion.latents(diffusion.mel(_audio()))
    frames = model.encode(_audio())
    assert frames.shape == (2, BAND_FRAMES // CELL, model.width)
    wanted = torch.stack([picture[:, channel, :, row] for channel in range(CHANNELS) for row in range(4)], 2)
    assert torch.equal(frames, wanted)


def test_decoding_is_the_autoencoders_mel_through_the_vocoder(model: AudioLDM2Latents) -> None:
    picture = model.diffusion.latents(model.diffusion.mel(_audio()))
    mel = model.diffusion.decode(picture)
    wanted = model.diffusion.pipeline.vocoder(mel.transpose(1, 2))
    found = model.decode(model.encode(_audio()))
    assert found.shape == (2, BAND_FRAMES * BAND_HOP)
    assert torch.equal(found, wanted)


def test_clips_of_no_whole_frame_are_padded_with_silence(model: AudioLDM2Latents) -> None:
    short = _audio()[:, :-100]
    padded = torch.nn.functional.pad(short, (0, 100))
    assert torch.equal(model.encode(short), model.encode(padded))


def test_encoding_and_decoding_are_half_a_pass_each(model: AudioLDM2Latents) -> None:
    counted: list[float] = []
    hook = model.metered.register_forward_hook(
        lambda module, args, kwargs, output: counted.append(model.sequences(args, kwargs)), with_kwargs=True
    )
    model.decode(model.encode(_audio()))
    hook.remove()
    assert counted == [1.0, 1.0]


def test_the_last_traced_latents_are_the_generations_own(model: AudioLDM2Latents) -> None:
    found = model.trajectories(PROMPTS, [5, 6])
    assert found.shape == (2, 4, BAND_FRAMES // CELL, model.width)
    made = model.diffusion.generate(model.diffusion.encode(PROMPTS), [5, 6])
    torch.testing.assert_close(model.decode(found[:, -1]), made.audio)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_each_step_predicts_what_the_schedulers_noise_levels_say(
    model: AudioLDM2Latents, kind: str, guidance: float
) -> None:
    """Against DDIM (Song et al., arXiv 2010.02502, equation 12) by hand, without added noise."""
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, prediction_type=kind)
    traced = _with_scheduler(model, scheduler, guidance)
    found = traced.trajectories(PROMPTS[:1], [5])[0]
    diffusion = traced.diffusion
    text = diffusion._with_null(diffusion.encode(PROMPTS[:1]))
    now = torch.randn(1, 4, 16, 4, generator=torch.Generator().manual_seed(5))
    levels = scheduler.alphas_cumprod
    for step, time in enumerate([750, 500, 250, 0]):
        with torch.no_grad():
            said = diffusion._predict(torch.cat([now] * len(text.states)), torch.tensor(time), text)
        if guidance > 1:
            said = said[:1] + guidance * (said[1:] - said[:1])
        share, after = levels[time], levels[time - 250] if time else torch.tensor(1.0)
        if kind == "epsilon":
            noise, clean = said, (now - (1 - share).sqrt() * said) / share.sqrt()
        else:
            clean = share.sqrt() * now - (1 - share).sqrt() * said
            noise = share.sqrt() * said + (1 - share).sqrt() * now
        torch.testing.assert_close(found[step], clean[0].transpose(0, 1).flatten(1), rtol=1e-4, atol=1e-4)
        now = after.sqrt() * clean + (1 - after).sqrt() * noise
    torch.testing.assert_close(found[-1], now[0].transpose(0, 1).flatten(1), rtol=1e-4, atol=1e-4)


def test_a_scheduler_that_does_not_say_its_prediction_is_read_by_its_noise_levels(model: AudioLDM2Latents) -> None:
    """A solver of order 1 takes DDIM's steps, and gives no prediction away."""
    solver = DPMSolverMultistepScheduler(beta_schedule="scaled_linear", solver_order=1, timestep_spacing="trailing")
    ddim = DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, timestep_spacing="trailing")
    found, wanted = (_with_scheduler(model, each).trajectories(PROMPTS, [5, 6]) for each in (solver, ddim))
    torch.testing.assert_close(found[:, 0], wanted[:, 0], rtol=1e-3, atol=1e-3)
    assert not torch.equal(found[:, 0], found[:, -1])


def test_the_same_seed_traces_the_same_and_another_does_not(model: AudioLDM2Latents) -> None:
    found = model.trajectories([PROMPTS[0]] * 2, [5, 6])
    assert torch.equal(found, model.trajectories([PROMPTS[0]] * 2, [5, 6]))
    assert not torch.allclose(found[0], found[1])


def test_a_prompt_that_is_too_long_is_refused(model: AudioLDM2Latents) -> None:
    with pytest.raises(InvalidItemError, match="the model takes 64; shorten it"):
        model.trajectories(["bass " * 70], [5])


def test_what_is_no_such_pipeline_or_latents_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model_index\.json") as caught:
        audioldm2_latents.from_pretrained(str(tmp_path))
    assert "\n" not in str(caught.value)
    (tmp_path / "model_index.json").write_text('{"_class_name": "DDPMPipeline", "_diffusers_version": "0.30.0"}')
    with pytest.raises(ModelError, match="holds a DDPMPipeline, not an AudioLDM2Pipeline"):
        audioldm2_latents.from_pretrained(str(tmp_path))
    with pytest.raises(ModelError, match="has no quantised latents; choose among its own kinds: continuous"):
        audioldm2_latents.from_pretrained(str(folder), kind="quantised")
