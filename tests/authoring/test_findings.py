"""What an audit finds of metrics with planted faults, of numbers alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earwitness.authoring.findings import LEVEL, Evidence, everything, found, gap_of, spearman
from earwitness.authoring.forms import BLIND, FORMS, shares

ITEMS, SEEDS = 30, 3
LEFT = 1 - np.array(shares())


def evidence(signal: float, noise: float = 0.1, blind: float = 0.0, seed: int = 0) -> Evidence:
    """Of a metric that gives what is left of a ceiling times `signal`, and `blind` to what knows nothing."""
    rng = np.random.default_rng(seed)
    item = rng.normal(0, 0.5, (ITEMS, 1, 1))

    def noisy(values: np.ndarray) -> np.ndarray:
        return values + rng.normal(0, noise, values.shape)

    forms = noisy(item + signal * np.broadcast_to(LEFT[:, None], (ITEMS, FORMS, SEEDS)))
    random = noisy(item + np.zeros((ITEMS, SEEDS, 3)))
    return Evidence(
        "higher",
        np.arange(ITEMS)[:, None],
        noisy(item[:, 0, 0] + signal),
        random,
        forms,
        {name: noisy(item[:, :, 0] + blind * np.ones((ITEMS, SEEDS))) for name in BLIND},
    )


def test_a_sound_metric_has_no_flag() -> None:
    audit = found(evidence(1.0))
    assert audit.informative
    assert audit.flags == []
    assert audit.ladder is not None
    assert (audit.ladder.means, audit.ladder.items) == (1.0, pytest.approx(1.0, abs=0.05))
    assert audit.gap is not None
    assert audit.gap.mean == pytest.approx(1.0, abs=0.1)
    assert audit.reliability == pytest.approx(1.0, abs=0.05)


def test_a_useless_metric_is_uninformative_and_is_told_so_whatever_its_direction() -> None:
    p = [gap.p for seed in range(20) if (gap := gap_of(evidence(0.0, seed=seed))) is not None]
    assert sum(value < LEVEL for value in p) <= 3
    told = found(evidence(0.0, seed=int(np.argmax(p))))
    assert not told.informative
    assert any(flag.startswith("uninformative") for flag in told.flags)
    backwards = found(replace(evidence(1.0), direction="lower"))
    assert not backwards.informative
    described = found(replace(evidence(1.0), direction="none"))
    assert (described.informative, described.flags, described.gap) == (False, [], None)


def test_a_metric_without_a_ceiling_has_no_gap_and_is_uninformative_for_want_of_one() -> None:
    audit = found(replace(evidence(1.0), ceiling=np.full(ITEMS, np.nan)))
    assert not audit.informative
    assert audit.gap is None
    assert audit.flags == ["uninformative: no ceiling is stored that could be told from the random explainer"]


def test_a_metric_without_any_value_is_uninformative_and_nothing_else() -> None:
    whole = evidence(1.0)
    nothing = {name: np.full_like(values, np.nan) for name, values in whole.blind.items()}
    audit = found(
        replace(
            whole,
            ceiling=np.full(ITEMS, np.nan),
            random=np.full_like(whole.random, np.nan),
            forms=np.full_like(whole.forms, np.nan),
            blind=nothing,
        )
    )
    assert (audit.informative, audit.ladder, audit.reliability, audit.shares, audit.gaming) == (
        False,
        None,
        None,
        None,
        {},
    )
    assert audit.flags == ["uninformative: no ceiling is stored that could be told from the random explainer"]


def test_a_gameable_metric_names_what_games_it() -> None:
    audit = found(evidence(1.0, blind=0.8))
    assert audit.informative
    assert {flag.split(" ")[1] for flag in audit.flags} == set(BLIND)
    assert audit.gaming["half"].calibrated == pytest.approx(0.8, abs=0.1)
    # What is ahead of random weights by a trifle is no way to win.
    assert found(evidence(1.0, blind=0.15, noise=0.01)).flags == []


def test_a_metric_that_a_second_draw_of_noise_turns_round_is_noisy() -> None:
    flags = found(evidence(1.0, noise=3.0)).flags
    assert any(flag.startswith("noisy") for flag in flags)


def test_a_metric_that_falls_by_no_order_is_unsteady() -> None:
    plain = evidence(1.0, noise=0.01)
    bent = plain.forms[:, [0, 4, 1, 3, 2, 5]]
    flags = found(replace(plain, forms=bent)).flags
    assert any(flag.startswith("unsteady") for flag in flags)


def test_agreement_with_model_truth_is_held_against_chance() -> None:
    plain = evidence(1.0)
    true = everything(plain.random, plain.forms, plain.blind)
    audit = found(replace(plain, truth=true))
    assert audit.truth is not None
    assert audit.truth.value == pytest.approx(1.0)
    assert audit.truth.high < 0.2  # type: ignore[operator]
    other = np.random.default_rng(1).normal(size=true.shape)
    assert any(flag.startswith("untrue") for flag in found(replace(plain, truth=other)).flags)


def test_what_another_judge_orders_otherwise_is_fragile() -> None:
    plain = evidence(1.0)
    own = everything(plain.random, plain.forms, plain.blind)
    same = found(replace(plain, changed={"judge cnn": (own, 2 * own)}))
    assert same.survival["judge cnn"].value == pytest.approx(1.0)
    other = found(replace(plain, changed={"judge cnn": (own, np.random.default_rng(3).normal(size=own.shape))}))
    assert any(flag.startswith("fragile: under judge cnn") for flag in other.flags)


def test_items_without_a_value_are_left_out() -> None:
    plain = evidence(1.0)
    plain.forms[3], plain.ceiling[3] = np.nan, np.nan
    audit = found(plain)
    assert audit.gap is not None
    assert audit.gap.items == ITEMS - 1
    nothing = np.full_like(plain.forms, np.nan)
    bare = found(replace(plain, forms=nothing, ceiling=np.full(ITEMS, np.nan)))
    assert (bare.informative, bare.ladder) == (False, None)


def test_ties_have_no_order() -> None:
    assert np.isnan(spearman(np.ones((1, 4)), np.arange(4.0)[None])[0])
