"""Training of the tones world's autoencoder: what it is trained on, that it learns, and that it is read again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from diffusers import AutoencoderOobleck

from earwitness.authoring.training import oobleck
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan
from earwitness.authoring.training.workshop import Workshop
from earwitness.models import oobleck as adapter
from earwitness.worlds.tones import SAMPLES, render, tone

if TYPE_CHECKING:
    from collections.abc import Callable

HANDFUL = 4


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tones")


@pytest.fixture(scope="module")
def handful(cache: Path) -> np.ndarray:
    return oobleck.tone_audio("train", HANDFUL, cache)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two short crops a step, through a narrow autoencoder."""
    crops = oobleck.crops
    for name, value in (("LATENTS", 4), ("DECODER_WIDTH", 4), ("MULTIPLES", (1, 1))):
        monkeypatch.setattr(oobleck, name, value)
    monkeypatch.setattr(oobleck, "BATCH", 2)
    monkeypatch.setattr(oobleck, "crops", lambda audio, rng, size: crops(audio, rng, size, 2560))


def test_rendered_clips_are_kept(handful: np.ndarray, cache: Path) -> None:
    written = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert np.array_equal(oobleck.tone_audio("train", HANDFUL, cache), handful)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == written
    assert handful.shape == (HANDFUL, SAMPLES)
    np.testing.assert_allclose(handful[2], render(tone("train", 2)), atol=1e-3)


def test_the_loss_of_a_sound_at_half_its_level_is_worked_out_by_hand() -> None:
    sound = torch.randn(1, 4096, generator=torch.Generator().manual_seed(0))
    assert float(oobleck.spectral_loss(sound, sound)) == 0
    # Convergence |X - X/2| / |X| is a half, and log magnitudes lie log 2 apart.
    assert float(oobleck.spectral_loss(0.5 * sound, sound)) == pytest.approx(0.5 + math.log(2), abs=2e-3)


def test_the_error_of_a_wave_is_relative_to_its_level() -> None:
    sound = torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    quieter = sound * torch.tensor([[1.0], [0.1]])
    assert float(oobleck.wave_loss(0.5 * quieter, quieter)) == pytest.approx(0.5, abs=1e-3)
    assert float(oobleck.wave_loss(torch.zeros(1, 4096), torch.zeros(1, 4096))) < 1e-4


@pytest.mark.parametrize("loss", [oobleck.wave_loss, oobleck.spectral_loss])
def test_gradients_stay_finite_in_silence(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
    silent = torch.zeros(1, 4096, requires_grad=True)
    loss(silent, torch.zeros(1, 4096)).backward()
    assert silent.grad is not None
    assert torch.isfinite(silent.grad).all()


def test_a_clip_has_whole_frames_and_the_posterior_is_narrow_before_training() -> None:
    model = oobleck.compose()
    assert model.hop_length == 80
    posterior = model.encode(torch.zeros(1, 1, SAMPLES)).latent_dist
    assert posterior.mean.shape == (1, oobleck.LATENTS, SAMPLES // 80)
    assert float(posterior.std.detach().mean()) < 0.02
    assert model.decode(posterior.mean).sample.shape == (1, 1, SAMPLES)
    assert sum(weight.numel() for weight in model.parameters()) < 5e5


@pytest.mark.usefixtures("small")
def test_twenty_steps_bring_the_loss_down(handful: np.ndarray, tmp_path: Path) -> None:
    held_out = torch.from_numpy(handful[:2, :5120].astype(np.float32))

    def loss(model: AutoencoderOobleck) -> float:
        with torch.no_grad():
            return float(oobleck.objective(model, held_out, np.random.default_rng(0)))

    torch.manual_seed(0)
    before = loss(oobleck.compose())
    plan = TrainingPlan("oobleck", 20, 2e-3, 0, warm_up=2)
    model, seconds = oobleck.train_autoencoder(handful, 0, TrainingCheckpoint(tmp_path / "o.pt"), plan)
    assert seconds > 0
    assert loss(model) < 0.8 * before


@pytest.mark.usefixtures("small")
def test_a_stopped_training_resumes_to_the_same_weights(handful: np.ndarray, tmp_path: Path) -> None:
    plan = TrainingPlan("oobleck", 4, 2e-3, 0, warm_up=1)

    def stop(reached: TrainingCheckpoint) -> None:
        if reached.step == 2:
            raise KeyboardInterrupt

    whole, _ = oobleck.train_autoencoder(handful, 0, TrainingCheckpoint(tmp_path / "whole.pt"), plan)
    with pytest.raises(KeyboardInterrupt):
        oobleck.train_autoencoder(handful, 0, TrainingCheckpoint(tmp_path / "part.pt", every=0.0), plan, stop)
    assert torch.load(tmp_path / "part.pt")["step"] == 2
    resumed, _ = oobleck.train_autoencoder(handful, 0, TrainingCheckpoint(tmp_path / "part.pt"), plan)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.usefixtures("small")
def test_what_the_recipe_writes_is_read_by_the_adapter_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CLIPS", HANDFUL), ("HELD_OUT", 2), ("STEPS", 1)):
        monkeypatch.setattr(oobleck, name, value)
    found = oobleck.train_oobleck(tmp_path / "out", Workshop(tmp_path / "work", 3))
    assert found["seed"] == 3
    for split in ("validation", "test"):
        floors = found["floors"][split]
        assert floors["silence_decibels"] > 1
        assert floors["decoded_decibels"] >= 0
        assert floors["signal_to_noise_low"] <= floors["signal_to_noise"] < 60
    folder = tmp_path / "out" / "model"
    model = adapter.from_pretrained(str(folder))
    assert (model.frame_rate, model.width) == (200, oobleck.LATENTS)
    assert {weight.dtype for weight in model.module.parameters()} == {torch.float32}
    assert (folder / "diffusion_pytorch_model.safetensors").stat().st_size < 4e6
