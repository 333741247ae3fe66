import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler
from diffusers.utils import is_torchsde_available
from torch import Tensor

from earwitness.errors import EarwitnessError, InvalidItemError, ModelError
from earwitness.models.stable_audio import StableAudioModel, from_pretrained
from earwitness.tracks.band import AttentionSums, Start, on_mel_grid
from tiny_band import tiny_audioldm2
from tiny_stable_audio import CELL, CELLS, HEADS, LAYERS, RATE, tiny_stable_audio

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
PROMPT = "a recording of saxophone and bass"
TOKENS = ["a", "recording", "of", "saxo", "phone", "and", "bass", "</s>"]
SECONDS = 0.5
HEARD = 8
"""Latents of half a second: 7.8."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_stable_audio(tmp_path_factory.mktemp("tiny") / "stable")


@pytest.fixture(scope="module")
def model(folder: Path) -> StableAudioModel:
    return from_pretrained(str(folder), steps=4, seconds=SECONDS)


def refused(made: Callable[[], object]) -> str:
    with pytest.raises(ModelError) as caught:
        made()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def recorded(model: StableAudioModel, prompts: list[str], seeds: list[int]) -> dict[tuple[int, int], Tensor]:
    seen: dict[tuple[int, int], Tensor] = {}
    model.generate(
        model.encode(prompts), seeds, record=lambda step, layer, found: seen.update({(step, layer): found.clone()})
    )
    return seen


def test_it_says_what_it_is(model: StableAudioModel) -> None:
    assert (model.sample_rate, model.frames, model.bins) == (RATE, 4 * HEARD, 64)
    assert model.frame_rate == pytest.approx(4 * RATE / CELL)
    assert (model.has_frequency, model.strength, model.layers) == (False, 1.0, LAYERS)
    assert from_pretrained(str(Path(model.pipeline.config._name_or_path)), strength=0.6).strength == 0.6
    assert from_pretrained(str(Path(model.pipeline.config._name_or_path))).frames == 4 * CELLS


@pytest.mark.parametrize("guidance", [1.0, 7.0])
def test_its_sounds_are_those_of_the_pipeline_to_the_last_bit(folder: Path, guidance: float) -> None:
    model = from_pretrained(str(folder), steps=4, guidance=guidance, seconds=SECONDS)
    model.pipeline.set_progress_bar_config(disable=True)
    mine = model.generate(model.encode([PROMPT]), 3)
    generator = [torch.Generator().manual_seed(3)]
    own = model.pipeline(
        [PROMPT], audio_end_in_s=SECONDS, num_inference_steps=4, guidance_scale=guidance, generator=generator
    ).audios
    assert mine.audio.shape == (1, HEARD * CELL)
    assert torch.equal(mine.audio[:, : own.shape[2]], own.mean(1).clamp(-1, 1))
    assert mine.mel.shape == (1, 64, model.frames)
    assert torch.equal(model.mel(mine.audio), mine.mel)


def test_recording_leaves_the_sound_as_it_is(model: StableAudioModel) -> None:
    text = model.encode([PROMPT])
    plain, watched = model.generate(text, [5]), model.generate(text, [5], record=AttentionSums())
    assert torch.equal(plain.audio, watched.audio)
    assert torch.equal(plain.mel, watched.mel)


def test_a_recorder_sees_each_step_and_layer_over_the_prompts_tokens_alone(model: StableAudioModel) -> None:
    seen = recorded(model, [PROMPT], [5])
    assert set(seen) == {(step, layer) for step in range(4) for layer in range(LAYERS)}
    for attention in seen.values():
        assert attention.shape == (1, HEADS, HEARD, 1, len(TOKENS))
        assert (attention >= 0).all()
        assert attention.sum(-1).max() < 1 + 1e-5
        assert attention.sum(-1).mean() < 0.9, "padding and the seconds have their share"


def test_attention_is_that_of_grouped_heads_on_the_conditional_half(model: StableAudioModel) -> None:
    """By hand: of 4 heads of queries and 2 of keys the last two queries look at the second key."""
    caught: dict[str, Tensor] = {}
    layer = model.pipeline.transformer.transformer_blocks[1].attn2
    hooks = [
        getattr(layer, name).register_forward_hook(lambda _, __, output, name=name: caught.update({name: output}))
        for name in ("to_q", "to_k")
    ]
    seen = recorded(model, [PROMPT], [5])[3, 1]
    for hook in hooks:
        hook.remove()
    query, key = caught["to_q"], caught["to_k"]
    assert query.shape == (2, 1 + CELLS, 32), "the null row, the conditional one"
    scores = query[1, :, 24:32] @ key[1, :, 8:16].T / 8**0.5
    wanted = scores.softmax(-1)[1 : 1 + HEARD, : len(TOKENS)]
    assert torch.allclose(seen[0, 3, :, 0], wanted, atol=1e-6)


def test_attention_of_the_first_step_does_not_depend_on_guidance(folder: Path, model: StableAudioModel) -> None:
    unguided = from_pretrained(str(folder), steps=4, guidance=1.0, seconds=SECONDS)
    assert torch.allclose(recorded(unguided, [PROMPT], [5])[0, 0], recorded(model, [PROMPT], [5])[0, 0], atol=1e-6)


def test_maps_come_to_the_mel_grid_the_same_in_every_bin(model: StableAudioModel) -> None:
    sums = AttentionSums()
    model.generate(model.encode([PROMPT]), [5], record=sums)
    mean = sums.means()[0].mean(1)[0].permute(2, 0, 1)
    maps = on_mel_grid(mean, (model.bins, model.frames))
    assert maps.shape == (len(TOKENS), 64, model.frames)
    assert torch.allclose(maps, maps[:, :1].expand_as(maps))
    assert maps[3].std() > 0


def test_noise_follows_the_seed_whatever_the_prompt_and_the_batch(model: StableAudioModel) -> None:
    text = model.encode([PROMPT, "a flute"])
    both = model.generate(text, [5, 6])
    alone = model.generate(model.encode(["a flute"]), 6)
    assert torch.allclose(both.audio[1], alone.audio[0], atol=1e-4)
    assert not torch.allclose(model.generate(text, [5, 7]).audio[1], both.audio[1], atol=1e-2)
    again = model.noised(torch.zeros(1, 4, CELLS), [6, 6, 7], 1)
    assert torch.equal(again[0], again[1])
    assert not torch.equal(again[0], again[2])


def test_one_text_serves_several_seeds(model: StableAudioModel) -> None:
    several = model.generate(model.encode([PROMPT]), [5, 6])
    assert several.audio.shape[0] == 2
    assert torch.allclose(several.audio[:1], model.generate(model.encode([PROMPT]), [5]).audio, atol=1e-4)


def test_keeping_all_attention_changes_nothing_and_taking_some_does(model: StableAudioModel) -> None:
    text = model.encode([PROMPT])
    plain = model.generate(text, [5]).audio
    keep = torch.ones(1, len(TOKENS), model.bins, model.frames)
    assert torch.allclose(model.generate(text, [5], keep=keep).audio, plain, atol=1e-4)
    keep[:, 3:5, :, : model.frames // 2] = 0
    assert (model.generate(text, [5], keep=keep).audio - plain).abs().max() > 1e-3


def test_what_is_kept_is_averaged_over_bins(model: StableAudioModel) -> None:
    text = model.encode([PROMPT])
    upper = torch.ones(1, len(TOKENS), model.bins, model.frames)
    upper[:, 3, : model.bins // 2] = 0
    even = torch.ones_like(upper)
    even[:, 3] = 0.5
    one, other = (model.generate(text, [5], keep=keep).audio for keep in (upper, even))
    assert torch.allclose(one, other, atol=1e-5)


def test_what_is_kept_is_in_force_at_its_time_alone(model: StableAudioModel) -> None:
    keep = torch.ones(1, len(TOKENS), model.bins, model.frames)
    keep[:, 3, :, 8:12] = 0
    share = model._shares(keep, CELLS, 0, 1 + CELLS)
    assert share.shape == (1, 1 + CELLS, 66)
    assert np.argwhere(share[0].numpy() == 0).tolist() == [[1 + 2, 3]], "the third latent, frames 8 to 11"
    assert share.sum() == share.numel() - 1


def test_denoising_is_differentiable_and_what_a_single_step_makes(folder: Path) -> None:
    model = from_pretrained(str(folder), steps=1, guidance=1.0, seconds=SECONDS)
    text = model.encode([PROMPT])
    noise, _ = model._noise([5])
    noisy = (noise * model._schedule.init_noise_sigma).requires_grad_()
    states = text.states.clone().requires_grad_()
    mel = model.decode(model.denoised(noisy, 0, text._replace(states=states)))
    assert torch.allclose(mel, model.generate(text, [5]).mel, atol=1e-4)
    mel.square().mean().backward()
    for leaf in (noisy, states):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.abs().sum() > 0


def test_tokens_belong_to_words(model: StableAudioModel) -> None:
    assert model.tokens([PROMPT]) == [TOKENS]
    assert model.words([PROMPT])[0].tolist() == [0, 1, 2, 3, 3, 4, 5, -1]
    assert model.special([PROMPT])[0].tolist() == [False] * 7 + [True]
    text = model.encode([PROMPT, "a flute"])
    assert text.states.shape[:2] == text.mask.shape == (2, len(TOKENS))
    assert text.mask.sum(1).tolist() == [8, 3]
    assert not text.states[1, 3:].any()


def test_a_prompt_that_is_too_long_is_an_invalid_item(model: StableAudioModel) -> None:
    with pytest.raises(InvalidItemError, match="65 tokens and the model takes 64"):
        model.encode([" ".join(["bass"] * 64)])


def test_a_guided_step_is_two_passes(model: StableAudioModel) -> None:
    assert model.sequences((torch.zeros(4, 4, 12),), {}) == 4
    assert model.sequences((), {"hidden_states": torch.zeros(2, 4, 12)}) == 2


def test_the_scheduler_is_the_pipelines_own(tmp_path: Path, folder: Path, model: StableAudioModel) -> None:
    other = EDMDPMSolverMultistepScheduler(sigma_min=0.3, sigma_max=9.0, sigma_data=1.0, prediction_type="v_prediction")
    changed = from_pretrained(str(tiny_stable_audio(tmp_path / "x", scheduler=other)), steps=4, seconds=SECONDS)
    assert changed._schedule.sigmas[0] == pytest.approx(9.0)
    assert model._schedule.sigmas[0] == pytest.approx(50.0)
    text = model.encode([PROMPT])
    assert torch.equal(text.states, changed.encode([PROMPT]).states)
    assert not torch.allclose(model.generate(text, 5).audio, changed.generate(text, 5).audio, atol=1e-3)


@pytest.mark.skipif(is_torchsde_available(), reason="torchsde is installed")
def test_a_scheduler_that_needs_torchsde_says_so(tmp_path: Path) -> None:
    folder = tiny_stable_audio(tmp_path / "x")
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "CosineDPMSolverMultistepScheduler"]
    (folder / "model_index.json").write_text(json.dumps(index))
    assert "needs torchsde; install it" in refused(lambda: from_pretrained(str(folder)))


def tone(model: StableAudioModel, start: float, stop: float) -> Tensor:
    """Audio [1, S] that sounds between two shares of the model's length."""
    samples = HEARD * CELL
    time = torch.arange(samples) / RATE
    inside = (time >= start * samples / RATE) & (time < stop * samples / RATE)
    return (0.5 * torch.sin(2 * torch.pi * 440 * time) * inside)[None]


def test_latents_are_those_of_a_waveform_with_the_same_spectrogram(model: StableAudioModel) -> None:
    mel = model.mel(tone(model, 0.2, 0.8))
    latents = model.latents(mel)
    assert latents.shape == (1, 4, CELLS)
    assert torch.equal(latents, model.latents(mel))
    wave = model._vocoder(mel.transpose(1, 2))
    assert wave.shape == (1, HEARD * CELL)
    peaks, again = mel[0].amax(0), model.mel(wave)[0].amax(0)
    loud = peaks > peaks.max() - 2
    assert loud.sum() > 10
    assert (again - peaks)[loud].abs().mean() < 0.25, "in nepers"
    assert (again[~loud] < peaks.max() - 1).all()


def test_a_start_is_noised_as_its_strength_says_and_fewer_steps_are_run(model: StableAudioModel) -> None:
    mel = model.mel(tone(model, 0.0, 0.5))
    text, other = model.encode([PROMPT]), model.mel(tone(model, 0.5, 1.0))
    steps: list[int] = []
    half = model.generate(text, [5], Start(mel, 0.5), record=lambda step, layer, found: steps.append(step))
    assert sorted(set(steps)) == [2, 3]
    assert torch.equal(half.audio, model.generate(text, [5], Start(mel, 0.5)).audio)
    assert not torch.allclose(half.audio, model.generate(text, [5], Start(other, 0.5)).audio, atol=1e-3)
    assert not torch.allclose(half.audio, model.generate(text, [6], Start(mel, 0.5)).audio, atol=1e-3)
    noisy = model.noised(model.latents(mel), [5], 2)
    assert noisy.std() == pytest.approx(float(model._schedule.sigmas[2]), rel=0.3)


def test_a_start_is_followed_where_hardly_any_noise_is_added(tmp_path: Path) -> None:
    """By hand: at a vanishing level of noise what is foretold is what is given, and the sound that of its latents."""
    calm = EDMDPMSolverMultistepScheduler(sigma_min=1e-3, sigma_max=9.0, sigma_data=1.0, prediction_type="v_prediction")
    model = from_pretrained(str(tiny_stable_audio(tmp_path / "x", scheduler=calm)), steps=4, seconds=SECONDS)
    mel = model.mel(tone(model, 0.3, 0.7))
    made = model.generate(model.encode([PROMPT]), [5], Start(mel, 0.25))
    assert torch.allclose(made.audio, model._waveform(model.latents(mel)), atol=0.02)


def test_a_strength_that_is_none_is_one_line(model: StableAudioModel) -> None:
    text, mel = model.encode([PROMPT]), torch.zeros(1, 64, model.frames)
    for strength in (0.0, 1.5):
        says = refused(lambda strength=strength: model.generate(text, 5, Start(mel, strength)))  # type: ignore[misc]
        assert "lies in (0, 1]" in says


def test_a_pipeline_that_is_no_use_is_one_line(tmp_path: Path, folder: Path) -> None:
    bare = tiny_stable_audio(tmp_path / "bare", layers=0)
    assert "has no cross-attention" in refused(lambda: from_pretrained(str(bare)))
    (tmp_path / "empty").mkdir()
    assert "holds no model_index.json" in refused(lambda: from_pretrained(str(tmp_path / "empty")))
    other = tiny_audioldm2(tmp_path / "other")
    assert "holds an AudioLDM2Pipeline, not a StableAudioPipeline; name the adapter audioldm2" in refused(
        lambda: from_pretrained(str(other))
    )
    assert "up to 0.77 s, not 9" in refused(lambda: from_pretrained(str(folder), seconds=9.0))
    assert issubclass(ModelError, EarwitnessError)
