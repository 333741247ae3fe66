import numpy as np
import pytest

from earwitness.authoring.prompt.certificate import RULES, mean_cost, replace_fillers, verdict
from earwitness.worlds.captions import FILLERS, Role

COSTLY = [5.0, 6.0, 7.0, 8.0]
FIGURES = {
    "classes": 0.97,
    "loudness": 0.96,
    "loudness_db": 10.0,
    "order_swapped": 0.9,
    "unchanged": 0.96,
    "unchanged_fresh": 0.97,
}


@pytest.mark.parametrize("role", list(RULES))
def test_a_role_that_passes_its_rule_is_certified(role: Role) -> None:
    assert verdict(role, FIGURES, COSTLY)["certified"]


@pytest.mark.parametrize(("role", "fails"), [(Role.order, True), (Role.filler, True), (Role.class_, False)])
def test_a_rate_under_its_threshold_is_shown_and_fails_roles_that_are_judged_by_it(role: Role, fails: bool) -> None:
    rule = RULES[role]
    found = verdict(role, {**FIGURES, rule.rate: rule.threshold - 0.01}, COSTLY)
    assert found["reached"] is False
    assert found["certified"] is not fails


def test_fillers_may_cost_nothing() -> None:
    assert verdict(Role.filler, FIGURES, [-1.0, 1.0, 0.5])["certified"]


@pytest.mark.parametrize("role", [Role.class_, Role.loudness, Role.order])
@pytest.mark.parametrize("costs", [[-5.0, 6.0, -7.0, 8.0], [], [5.0]])
def test_words_whose_removal_costs_nothing_are_not_certified(role: Role, costs: list[float]) -> None:
    assert not verdict(role, FIGURES, costs)["certified"]


def test_a_role_that_was_not_measured_is_not_certified() -> None:
    without = {name: value for name, value in FIGURES.items() if name != "order_swapped"}
    found = verdict(Role.order, without, COSTLY)
    assert not found["certified"]
    assert found["rate"] is None


def test_the_cost_is_a_mean_with_an_interval_around_it() -> None:
    cost = mean_cost([1.0, 2.0, 3.0, 4.0] * 10)
    assert cost["mean"] == pytest.approx(2.5)
    assert cost["low"] < 2.5 < cost["high"]
    # The standard error is 1.12 / sqrt(40) = 0.18.
    assert cost["high"] - cost["low"] == pytest.approx(4 * 0.18, rel=0.2)
    assert cost["items"] == 40


def test_every_filler_is_replaced_by_another_and_nothing_else() -> None:
    prompt = "listen the loud dog and more"
    for seed in range(20):
        words = replace_fillers(prompt, np.random.default_rng(seed)).split()
        assert words[2:4] == ["loud", "dog"]
        for before, after in zip(prompt.split(), words, strict=True):
            if before in FILLERS:
                assert after in FILLERS
                assert after != before
