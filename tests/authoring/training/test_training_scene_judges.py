"""What judges of scenes hear in training: whole clips, halves, clips over clips, each under its own labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earwitness.authoring.training import scene_judges
from earwitness.authoring.training.data import Clips, presence
from earwitness.authoring.training.scene_judges import SceneSounds, overlapping_ast
from earwitness.worlds.events import SAMPLES
from earwitness.worlds.scenes import MadeScene, scene
from earwitness.worlds.sounds import LABELS

SCENES = [scene("train", index) for index in range(12)]


@pytest.fixture
def sounds() -> SceneSounds:
    """Clip i is a constant of 2 ** i, so that a sum tells what it was made of."""
    audio = np.ones((len(SCENES), SAMPLES), dtype=np.float32) * 2.0 ** np.arange(len(SCENES))[:, None]
    return SceneSounds(Clips(SCENES, audio, presence(SCENES)))


def labels_of(sounding: frozenset[str]) -> list[float]:
    return [float(label in sounding) for label in LABELS]


def clip(level: float) -> MadeScene:
    return SCENES[int(np.log2(level))]


def test_a_silent_half_takes_its_classes_along(sounds: SceneSounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_judges, "MIXED", 0.0)
    audio, labels = sounds.batch(np.random.default_rng(0), 400)
    kinds = {"early": 0, "late": 0, "whole": 0}
    for wave, present in zip(audio, labels, strict=True):
        first, last, item = float(wave[0]), float(wave[-1]), clip(float(wave.max()))
        if first and last:
            kinds["whole"] += 1
            assert present.tolist() == labels_of(item.labels)
        else:
            half = "early" if first else "late"
            kinds[half] += 1
            assert present.tolist() == labels_of(item.heard(half))
    assert kinds["whole"] / 400 == pytest.approx(0.6, abs=0.08)
    assert kinds["early"] / 400 == pytest.approx(0.2, abs=0.06)


def test_clips_over_clips_have_the_classes_of_both_at_random_levels(
    sounds: SceneSounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_judges, "HALVED", 0.0)
    monkeypatch.setattr(scene_judges, "MIXED", 0.0)
    plain, known = sounds.batch(np.random.default_rng(0), 300)
    monkeypatch.setattr(scene_judges, "MIXED", 0.4)
    audio, labels = sounds.batch(np.random.default_rng(0), 300)
    added = (audio - plain)[:, 0] / plain.roll(1, 0)[:, 0]
    mixed = added > 0
    assert mixed.float().mean() == pytest.approx(0.4, abs=0.08)
    decibel = 20 * added[mixed].log10()
    assert -6 <= decibel.min() < -4
    assert 4 < decibel.max() <= 6.01
    assert torch.equal(labels[~mixed], known[~mixed])
    assert torch.equal(labels[mixed], torch.maximum(known, known.roll(1, 0))[mixed])


def test_clips_on_disk_stay_as_they_are(sounds: SceneSounds) -> None:
    before = sounds.clips.audio.copy(), sounds.clips.labels.copy()
    sounds.batch(np.random.default_rng(0), 100)
    np.testing.assert_array_equal(sounds.clips.audio, before[0])
    np.testing.assert_array_equal(sounds.clips.labels, before[1])


def test_patches_of_the_ast_judge_overlap() -> None:
    judge = overlapping_ast(LABELS)
    # (64 - 16) // 10 + 1 by (208 - 16) // 10 + 1 patches, and two tokens.
    embeddings = judge.model.audio_spectrogram_transformer.embeddings
    assert embeddings.position_embeddings.shape[1] == 5 * 20 + 2
    assert judge(torch.zeros(1, SAMPLES)).shape == (1, len(LABELS))
