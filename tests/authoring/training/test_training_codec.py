"""Training of the codec: on what it is trained, and that all else that micro_prompt ships is trained around it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from earwitness.authoring.training import codec, scenes, train
from earwitness.authoring.training.data import codec_clips
from earwitness.authoring.training.workshop import Workshop
from earwitness.models.spectral_codec import SpectralCodec
from earwitness.worlds.events import render
from earwitness.worlds.soundscape import scene


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CLIPS": 2, "STEPS": 1, "BATCH": 2}.items():
        monkeypatch.setattr(codec, name, value)


def test_it_hears_the_clips_of_the_soundscape(tmp_path: Path) -> None:
    work = Workshop(tmp_path, seed=0)
    codec.fit_codec(work)
    assert [path.name for path in work.clips.iterdir()] == ["soundscape_1_train_2_order.npy"]
    heard = codec_clips(2, work.clips)
    assert heard.scenes == [scene(0), scene(1)]
    np.testing.assert_array_equal(heard.audio, [render(some).audio.astype(np.float16) for some in heard.scenes])


def test_the_same_seed_is_the_same_codec_and_another_is_another(tmp_path: Path) -> None:
    first, again, other = (
        codec.fit_codec(Workshop(tmp_path / name, seed))[0].state_dict()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_micro_prompt_is_trained_around_a_new_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def train_scenes(out: Path, work: Workshop, around: SpectralCodec) -> dict[str, object]:
        given.extend([work.seed, around])
        return {"seed": work.seed, "seconds": {"text_to_audio": 2.0}, "floors": {}}

    monkeypatch.setattr(scenes, "train_scenes", train_scenes)
    (tmp_path / "out").mkdir()
    figures = train("micro_prompt", tmp_path / "out", 3, tmp_path / "work")
    assert given[0] == figures["seed"] == 3
    assert isinstance(given[1], SpectralCodec)
    assert set(figures["seconds"]) == {"codec", "text_to_audio"}
    assert (tmp_path / "work" / "seed3" / "codec.pt").is_file()
    assert json.loads((tmp_path / "out" / "training.json").read_text()) == figures
