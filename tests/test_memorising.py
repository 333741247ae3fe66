"""What is known by heart of the public world is worth nothing in a private one, and asking the model is."""

from __future__ import annotations

import pytest

from earwitness.stats.verdicts import Verdict
from memorising import SETS, Measured, measure


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return measure(tmp_path_factory.mktemp("memorising"))


def words(measured: Measured, which: str, submission: str, other: str = "random") -> set[str]:
    return {record["verdict"] for record in measured.verdict(which, submission, other)}


@pytest.mark.parametrize("which", SETS)
def test_who_asks_the_model_is_above_the_floor_wherever_it_is_asked(measured: Measured, which: str) -> None:
    assert words(measured, which, "asks") == {Verdict.BETTER}


def test_who_knows_words_by_heart_falls_to_the_floor_in_a_private_world_alone(measured: Measured) -> None:
    assert words(measured, "public", "knows_words") == {Verdict.BETTER}
    assert words(measured, "fresh", "knows_words") == {Verdict.BETTER}
    assert Verdict.BETTER not in words(measured, "private", "knows_words")
    assert words(measured, "private", "knows_words", "asks") == {Verdict.WORSE}


def test_who_knows_captions_by_heart_falls_to_the_floor_on_fresh_items_already(measured: Measured) -> None:
    assert words(measured, "public", "knows_captions") == {Verdict.BETTER}
    for which in ("fresh", "private"):
        assert Verdict.BETTER not in words(measured, which, "knows_captions")


def test_public_and_other_items_part_who_knows_them_by_heart_from_who_does_not(measured: Measured) -> None:
    assert set(measured.apart("public", "fresh", "knows_captions").words) == {Verdict.BETTER}
    assert set(measured.apart("public", "fresh", "asks").words) == {Verdict.NOT_TOLD}
    assert set(measured.apart("public", "fresh", "knows_words").words) == {Verdict.NOT_TOLD}
