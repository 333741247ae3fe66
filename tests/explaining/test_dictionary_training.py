from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from concept_baselines import concept_world
from earwitness.errors import EarwitnessError
from earwitness.explaining import training
from earwitness.explaining.latents import count, scaled
from earwitness.explaining.training import Adam, Plan, progress, train


def test_our_adam_is_torchs() -> None:
    rng = torch.Generator().manual_seed(0)
    mine = torch.randn(5, generator=rng)
    theirs = mine.clone()
    ours, reference = Adam([mine]), torch.optim.Adam([theirs], lr=0.01, eps=1e-6, foreach=False)
    for _ in range(20):
        mine.grad = theirs.grad = torch.randn(5, generator=rng)
        ours.step(0.01, eps=1e-6)
        reference.step()
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-6)


def test_every_frame_is_seen_once_an_epoch_in_an_order_of_the_seed() -> None:
    frames = np.arange(12, dtype=np.float32)[:, None]
    seen: dict[int, list[float]] = {}
    for seed in (0, 1):
        parameter = torch.zeros(1)
        parameter.grad = torch.zeros(1)
        order = seen.setdefault(seed, [])

        def step(batch: torch.Tensor, order: list[float] = order) -> float:
            order.extend(batch[:, 0].tolist())
            return 0.0

        train([parameter], frames, step, Plan(epochs=2, batch=4), seed, lambda: None)
        assert sorted(order[:12]) == sorted(order[12:]) == list(range(12))
    assert seen[0] != seen[1]


def test_ctrl_c_ends_a_training_at_once() -> None:
    parameter = torch.zeros(1)
    calls = []

    def step(batch: torch.Tensor) -> float:
        calls.append(len(batch))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train([parameter], np.zeros((8, 1), dtype=np.float32), step, Plan(epochs=9, batch=2), 0, lambda: None)
    assert calls == [2]
    assert parameter.item() == 0


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_shows_on_a_terminal_alone(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()

    def console(**_: bool) -> Console:
        return Console(file=written, force_terminal=terminal, width=80)

    monkeypatch.setattr(training, "Console", console)
    with progress() as bar:
        bar.update(bar.add_task("dictionary", total=2), completed=1)
    assert ("dictionary" in written.getvalue()) == terminal


def test_scaled_frames_have_mean_zero_and_deviation_one() -> None:
    found = scaled(concept_world()[1])
    np.testing.assert_allclose(found.frames.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.frames.std(0), 1, atol=1e-4)


def test_frames_scaled_alike_keep_what_their_latents_share_of_the_variance() -> None:
    item = concept_world()[1]
    found, frames = scaled(item, alike=True), item.train.reshape(-1, item.train.shape[-1])
    assert np.square(found.frames).mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(
        found.frames.var(0) / found.frames.var(0).sum(), frames.var(0) / frames.var(0).sum(), rtol=1e-4
    )


@pytest.mark.parametrize("alike", [False, True])
def test_latents_that_do_not_vary_are_left_as_they_are(alike: bool) -> None:
    item = concept_world()[1]
    found = scaled(replace(item, train=np.full_like(item.train, 0.1)), alike=alike)
    assert not found.frames.any()
    assert (found.scale == 1).all()


def test_an_item_without_frames_ends_in_one_line() -> None:
    item = concept_world()[1]
    with pytest.raises(EarwitnessError, match="no training latents"):
        scaled(replace(item, train=item.train[:0]))


def test_the_widest_dictionary_that_the_error_allows_is_allowed() -> None:
    item = concept_world()[1]
    with pytest.raises(EarwitnessError, match="256 MiB") as caught:
        count(item, 10**7)
    most = int(str(caught.value).rsplit(" ", 1)[1])
    assert count(item, most) == most
    bytes_of_all = 4 * len(item.explainer_seeds) * (2 * 16 * most + most + 16)
    assert 0.95 * (256 << 20) < bytes_of_all < 256 << 20
    with pytest.raises(EarwitnessError):
        count(item, most + 1)
