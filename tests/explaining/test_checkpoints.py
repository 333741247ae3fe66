"""An interrupted fit goes on where it stood, to the same bits; what cannot be read or written costs time alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from concept_baselines import concept_baseline, concept_world
from concept_fakes import FakeConceptModel
from earwitness.explaining import checkpoints
from earwitness.explaining.checkpoints import Checkpoint
from earwitness.explaining.training import Adam, Plan, train

if TYPE_CHECKING:
    from earwitness.tracks.concept import Dictionary

TRAINED = ["sae_l1", "sae_l1_printed", "sae_topk", "sae_batch_topk", "sae_jumprelu", "sae_gated", "sae_matryoshka"]
SIZE = {"epochs": 3, "batch": 128, "features": 40}
MODEL = FakeConceptModel()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is appended to at every step of a training; the training is interrupted at the step after the 20th."""
    made: list[int] = []
    step = Adam.step

    def counted(self: Adam, rate: float, eps: float = 6.25e-10) -> None:
        if len(made) == 20:
            made.append(-1)
            raise KeyboardInterrupt
        made.append(self.steps)
        step(self, rate, eps)

    monkeypatch.setattr(Adam, "step", counted)
    return made


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(checkpoints.SCRATCH, str(tmp_path))
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    return tmp_path


def fit(name: str, seed: int = 0) -> Dictionary:
    found: Dictionary = concept_baseline(name, **SIZE).fit(MODEL, concept_world()[1], seed)
    return found


def assert_same(one: Dictionary, other: Dictionary) -> None:
    for part in ("encoder", "bias", "decoder", "offset"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


@pytest.mark.parametrize("name", TRAINED)
def test_an_interrupted_fit_goes_on_to_the_same_bits(
    name: str, scratch: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with monkeypatch.context() as nothing_kept:
        nothing_kept.delenv(checkpoints.SCRATCH)
        whole = fit(name)
    assert not list(scratch.iterdir())
    made: list[int] = request.getfixturevalue("steps")
    with pytest.raises(KeyboardInterrupt):
        fit(name)
    assert made[:20] == list(range(20))
    assert_same(fit(name), whole)
    assert made[21] == 20
    done = len(made)
    assert_same(fit(name), whole)
    assert len(made) == done, "a fit that was ended is not made again"


def test_another_seed_is_another_fit(scratch: Path) -> None:
    first, second = fit("sae_topk"), fit("sae_topk", 1)
    assert not np.array_equal(first.encoder, second.encoder)
    assert len(list(scratch.iterdir())) == 2


def test_fits_that_differ_in_their_objective_alone_are_not_taken_for_one(scratch: Path) -> None:
    item = concept_world()[1]
    fits = [concept_baseline("sae_topk", **SIZE, k=k).fit(MODEL, item, 0) for k in (2, 4)]
    fits += [concept_baseline("sae_l1", **SIZE, penalty=penalty).fit(MODEL, item, 0) for penalty in (0.1, 1.0)]
    assert len({found.decoder.tobytes() for found in fits}) == len(list(scratch.iterdir())) == 4


def test_a_fit_that_says_nothing_of_itself_is_not_kept(scratch: Path) -> None:
    parameter = torch.zeros(1)
    parameter.grad = torch.ones(1)
    train([parameter], np.zeros((8, 1)), lambda batch: 0.0, Plan(epochs=2, batch=4), 0)
    assert parameter.item() < 0
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("wrong", ["broken", "folder", "nowhere"])
def test_what_cannot_be_read_or_written_is_made_again(
    wrong: str, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit("sae_topk")
    (kept,) = scratch.iterdir()
    if wrong == "broken":
        kept.write_bytes(kept.read_bytes()[:100])
    elif wrong == "folder":
        kept.unlink()
        kept.mkdir()
    else:
        monkeypatch.setenv(checkpoints.SCRATCH, str(scratch / "nowhere"))
    assert_same(fit("sae_topk"), whole)


def test_nothing_is_written_before_its_time(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 3600.0)
    checkpoint = Checkpoint([np.zeros(3)], np.zeros(2), "plan")
    assert not checkpoint.due()
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    assert checkpoint.due()
    monkeypatch.delenv(checkpoints.SCRATCH)
    assert not Checkpoint([np.zeros(3)], np.zeros(2), "plan").due()
