"""The metrics of a card: their parameters, and what is said of bad ones."""

from pathlib import Path

import pytest

from earwitness.errors import InvalidCardError
from earwitness.metrics.responses.prompt import Logits, TokenWeights
from earwitness.scoring.columns import read_columns
from earwitness.tracks.prompt import Removal
from scoring_fakes import task


def test_parameters_have_the_published_defaults(tmp_path: Path) -> None:
    (column,) = read_columns(task(tmp_path, [{"metric": "kl_cf"}]))
    asked = column.response
    assert (asked.mask, asked.removal, asked.judge) == ("soft", Removal.SCALE, "ear")
    assert asked.removed
    assert column.seeds((0, 1)) == (0, 1)


def test_what_needs_no_generation_has_one_value_whatever_the_seeds(tmp_path: Path) -> None:
    columns = read_columns(
        task(tmp_path, [{"metric": "size"}, {"metric": "logit_kl_f", "parameters": {"mask": "top10"}}])
    )
    assert [column.seeds((0, 1)) for column in columns] == [(0,), (0,)]
    assert isinstance(columns[0].response, TokenWeights)
    assert isinstance(columns[1].response, Logits)
    assert [column.judge for column in columns] == ["", ""]


@pytest.mark.parametrize(
    ("metric", "complaint"),
    [
        ({"metric": "size", "parameters": {"mask": "soft"}}, "metric size@soft: parameter mask is unknown"),
        ({"metric": "fid_f", "parameters": {"mask": "top0"}}, "no mask is called 'top0'"),
        ({"metric": "fid_f", "parameters": {"mask": "top\u0663\u0660"}}, "no mask is called"),
        ({"metric": "fid_f", "parameters": {"removal": "delete"}}, "removal must be 'scale', 'renormalise', 'null'"),
        ({"metric": "fid_f", "parameters": {"judge": "eye"}}, "judge is one of ear, not 'eye'"),
        ({"metric": "fid_f", "parameters": {"masks": "soft"}}, "masks is unknown; did you mean 'mask'?"),
        ({"metric": "word_ap", "parameters": {"roles": "verbs"}}, "roles must be 'class' or 'causal'"),
        ({"metric": "deletion_wer"}, "explanations of the speech track and this task is of the prompt track"),
    ],
)
def test_a_bad_parameter_is_named_with_its_card(tmp_path: Path, metric: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidCardError, match=complaint) as caught:
        read_columns(task(tmp_path, [metric]))
    assert str(tmp_path / "task.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_metric_that_listens_needs_a_judge(tmp_path: Path) -> None:
    with pytest.raises(InvalidCardError, match="asks a judge, and the card has none"):
        read_columns(task(tmp_path, [{"metric": "fid_f"}], judges=[]))


def test_one_metric_in_other_words_is_refused(tmp_path: Path) -> None:
    twice = [
        {"metric": "fid_f", "parameters": {"mask": "top30"}},
        {"metric": "fid_f", "parameters": {"judge": "ear", "mask": "top30"}},
    ]
    with pytest.raises(InvalidCardError, match=r"metric fid_f@top30\+ear is fid_f@top30 in other words"):
        read_columns(task(tmp_path, twice))
