from pathlib import Path

import pytest

from earwitness.authoring import ceilings, certificates
from earwitness.authoring.prompt.certificate import RULES
from earwitness.errors import EarwitnessError
from earwitness.scoring.certificates import CERTIFICATE, folder
from earwitness.scoring.prompt import truth
from scoring_fakes import item, task

WORD = {"item": "a", "codes": "c", "text": "w", "shapley": 1.0, "cost": 1.0, "largest": 2.0}


def test_a_task_without_stored_truth_certifies_nothing(tmp_path: Path) -> None:
    found = truth.read_truth(task(tmp_path, [{"metric": "size"}]))
    assert not found.words
    assert found.causal_roles() == frozenset()


def test_what_is_stored_comes_back_in_the_order_of_words(tmp_path: Path) -> None:
    some = task(tmp_path, [{"metric": "size"}])
    rows = [{**WORD, "word": 1, "shapley": 2.0, "null": True}, {**WORD, "word": 0, "null": False}]
    ceilings.write_table(folder(some) / truth.SHAPLEY, rows, truth.SHAPLEY_SCHEMA)
    certificates.write_certificate(some, {"roles": {"class": {"certified": True}, "time": {"certified": False}}})
    found = truth.read_truth(some)
    assert found.words["a"].shapley.tolist() == [1.0, 2.0]
    assert found.words["a"].null.tolist() == [False, True]
    assert found.causal_roles() == {"class"}
    assert not found.certified("time")
    assert not found.knows_when()


def test_when_events_sound_is_certified_apart_from_words_of_time(tmp_path: Path) -> None:
    some = task(tmp_path, [{"metric": "size"}])
    certificates.write_certificate(some, {"roles": {"interval": {"certified": True}, "time": {"certified": False}}})
    assert truth.read_truth(some).knows_when()


def test_every_role_of_a_made_world_acts_on_the_sound_or_is_known_not_to(tmp_path: Path) -> None:
    still = {"filler", "negated", "interval"}
    assert {*RULES} - still == set(truth.CAUSAL)
    some = task(tmp_path, [{"metric": "size"}])
    certificates.write_certificate(some, {"roles": {role: {"certified": True} for role in RULES}})
    assert truth.read_truth(some).causal_roles() == {"class", "loudness", "pitch", "time", "negator"}


@pytest.mark.parametrize("name", [CERTIFICATE, truth.SHAPLEY])
def test_a_broken_file_ends_in_one_line_that_says_what_to_do(tmp_path: Path, name: str) -> None:
    some = task(tmp_path, [{"metric": "size"}])
    folder(some).mkdir()
    (folder(some) / name).write_text("{")
    with pytest.raises(EarwitnessError, match="earwitness train fake"):
        truth.read_truth(some)


def test_another_sound_has_another_digest() -> None:
    one, other = item("rain"), item("rain")
    assert truth.codes_digest(one) == truth.codes_digest(other)
    other.codes[0, 0] += 1
    assert truth.codes_digest(one) != truth.codes_digest(other)
