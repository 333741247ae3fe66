from pathlib import Path
from types import SimpleNamespace

import pytest

from earwitness.authoring.prompt.certificate import (
    RULES,
    certify_roles,
    mean_cost,
    verdict,
)
from earwitness.authoring.training import scene_floors
from earwitness.errors import EarwitnessError
from earwitness.task import Task
from earwitness.worlds.scene_captions import PUBLIC, SceneRole
from scoring_fakes import task

COSTLY = [5.0, 6.0, 7.0, 8.0]
FIGURES = {
    "classes": 0.97,
    "loudness": 0.96,
    "loudness_db": 10.0,
    "pitch": 0.9,
    "time_swapped": 0.9,
    "negation": 0.9,
    "denied_absent": 0.95,
    "unchanged": 0.96,
    "unchanged_fresh": 0.97,
}


@pytest.mark.parametrize("role", RULES)
def test_a_role_that_passes_its_rule_is_certified(role: str) -> None:
    assert verdict(role, FIGURES, COSTLY, RULES)["certified"]


@pytest.mark.parametrize("role", RULES)
def test_a_rate_under_its_threshold_is_shown_and_fails_roles_that_are_judged_by_it(role: str) -> None:
    rule = RULES[role]
    found = verdict(role, {**FIGURES, rule.rate: rule.threshold - 0.01}, COSTLY, RULES)
    assert found["reached"] is False
    assert found["certified"] is (role in ("class", "loudness"))


@pytest.mark.parametrize("role", RULES)
@pytest.mark.parametrize("costs", [[-5.0, 6.0, -7.0, 8.0], [], [5.0]])
def test_words_that_say_something_must_cost_something(role: str, costs: list[float]) -> None:
    assert verdict(role, FIGURES, costs, RULES)["certified"] is (role in ("filler", "negated", "interval"))


def test_a_role_that_was_not_measured_is_not_certified() -> None:
    without = {name: value for name, value in FIGURES.items() if name != "time_swapped"}
    found = verdict("time", without, COSTLY, RULES)
    assert not found["certified"]
    assert found["rate"] is None


def test_every_role_of_a_world_has_a_rule() -> None:
    assert set(RULES) == {*SceneRole, "interval"}


def test_a_world_without_rules_is_refused(tmp_path: Path) -> None:
    other = task(tmp_path, [{"metric": "fid_f", "parameters": {"mask": "top30"}}])
    card = other.card.model_copy(update={"dataset": other.card.dataset.model_copy(update={"adapter": "musiccaps"})})
    with pytest.raises(EarwitnessError, match="musiccaps have no rules; worlds that have: scenes"):
        certify_roles(Task(card, other.folder), None, {})


def test_scenes_are_fresh_ones_of_the_split_of_the_task_as_its_first_judge_hears_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def interventions(ensemble, drawn, count, judge, lexicon):
        assert lexicon is PUBLIC
        asked.append((drawn[0].id, judge))
        return {**FIGURES, f"classes_{judge}": 0.99}

    monkeypatch.setattr(scene_floors, "interventions", interventions)
    own = task(
        tmp_path, [{"metric": "fid_f", "parameters": {"mask": "top30"}}], dataset={"adapter": "scenes", "items": 3}
    )
    verdicts = certify_roles(own, SimpleNamespace(model=None, judges={}), {"pitch": COSTLY})
    assert asked == [("test-00000-1", own.card.judges[0].name)]
    assert verdicts["class"]["rate"] == 0.99
    assert verdicts["pitch"]["certified"]
    assert verdicts["interval"]["certified"]
    assert not verdicts["negator"]["certified"]


def test_the_cost_is_a_mean_with_an_interval_around_it() -> None:
    cost = mean_cost([1.0, 2.0, 3.0, 4.0] * 10)
    assert cost["mean"] == pytest.approx(2.5)
    assert cost["low"] < 2.5 < cost["high"]
    # The standard error is 1.12 / sqrt(40) = 0.18.
    assert cost["high"] - cost["low"] == pytest.approx(4 * 0.18, rel=0.2)
    assert cost["items"] == 40
