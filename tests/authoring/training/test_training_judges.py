"""Training of the PaSST judge: resumed to the same weights, and at another sample rate than the world's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from earwitness.authoring.training import judges
from earwitness.authoring.training.data import Clips, presence
from earwitness.authoring.training.loop import TrainingCheckpoint
from earwitness.worlds.events import SAMPLES, render
from earwitness.worlds.scenes import scene


@pytest.fixture(scope="module")
def clips() -> Clips:
    scenes = [scene("train", index) for index in range(4)]
    audio = np.stack([render(item).audio for item in scenes]).astype(np.float16)
    return Clips(scenes, audio, presence(scenes))


def trained(clips: Clips, path: Path) -> dict[str, torch.Tensor]:
    coded = Clips(clips.scenes[:2], np.zeros((2, SAMPLES), dtype=np.float32), clips.labels[:2])
    judge, _ = judges.train_passt(clips, coded, 0, TrainingCheckpoint(path, every=0.0), steps=3)
    assert not judge.training
    return judge.network.state_dict()


def test_a_killed_training_of_passt_goes_on_to_the_same_weights(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges, "BATCH", 2)
    whole = trained(clips, tmp_path / "whole.pt")
    resample, calls = judges.at_rate, []

    def killed(audio: torch.Tensor, rate: int) -> torch.Tensor:
        calls.append(rate)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return resample(audio, rate)

    monkeypatch.setattr(judges, "at_rate", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(clips, tmp_path / "cut.pt")
    torch.manual_seed(99)
    found = trained(clips, tmp_path / "cut.pt")
    assert len(calls) == 4
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())


def test_a_clip_at_twice_the_rate_is_twice_as_long_and_the_same_tone() -> None:
    tone = torch.sin(torch.arange(SAMPLES) * 2 * torch.pi * 1000 / 16_000)[None]
    found = judges.at_rate(tone, 32_000)
    assert found.dtype == torch.float32
    expected = torch.sin(torch.arange(2 * SAMPLES) * 2 * torch.pi * 1000 / 32_000)[None]
    torch.testing.assert_close(found[:, 100:-100], expected[:, 100:-100], rtol=0, atol=2e-3)
