from pathlib import Path

import pytest

from earwitness.errors import InvalidCardError
from earwitness.scoring.prompt.readings import Source, read_card
from earwitness.tracks.prompt import Removal
from scoring_fakes import task


def test_parameters_have_the_published_defaults(tmp_path: Path) -> None:
    (reading,) = read_card(task(tmp_path, [{"metric": "kl_cf"}]))
    assert (reading.mask, reading.removal, reading.judge) == ("soft", Removal.SCALE, "ear")
    assert reading.complement
    assert reading.repeated


def test_what_needs_no_generation_has_one_value_whatever_the_seeds(tmp_path: Path) -> None:
    readings = read_card(
        task(tmp_path, [{"metric": "size"}, {"metric": "logit_kl_f", "parameters": {"mask": "top10"}}])
    )
    assert [reading.repeated for reading in readings] == [False, False]
    assert [reading.source for reading in readings] == [Source.WEIGHTS, Source.LOGITS]
    assert [reading.judge for reading in readings] == ["", ""]


@pytest.mark.parametrize(
    ("metric", "complaint"),
    [
        ({"metric": "size", "parameters": {"mask": "soft"}}, "size@soft has no parameter mask"),
        ({"metric": "fid_f", "parameters": {"mask": "top0"}}, "no mask is called 'top0'"),
        ({"metric": "fid_f", "parameters": {"removal": "delete"}}, "no removal operator is called 'delete'"),
        ({"metric": "fid_f", "parameters": {"judge": "eye"}}, "no judge is called 'eye'; judges: ear"),
        ({"metric": "word_ap", "parameters": {"roles": "verbs"}}, "roles are class or causal"),
    ],
)
def test_a_bad_parameter_is_named_with_its_card(tmp_path: Path, metric: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidCardError, match=complaint) as caught:
        read_card(task(tmp_path, [metric]))
    assert str(tmp_path / "task.toml") in str(caught.value)


def test_a_metric_that_listens_needs_a_judge(tmp_path: Path) -> None:
    with pytest.raises(InvalidCardError, match="asks a judge, and the card names none"):
        read_card(task(tmp_path, [{"metric": "fid_f"}], judges=[]))
