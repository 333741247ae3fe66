import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.errors import USAGE
from earwitness.gate import Rule, RuleError, parse


def test_a_percentage_is_a_share_of_the_baseline() -> None:
    text = "fid_f worse by >2% at p<0.05"
    assert parse(text) == Rule(text, metrics="fid_f", tasks="*", margin=0.02, relative=True, level=0.05)


def test_tasks_stand_before_a_colon_and_a_margin_may_be_absolute() -> None:
    text = "micro_*: deletion_* worse by >0.01 at p<0.01"
    assert parse(text) == Rule(text, metrics="deletion_*", tasks="micro_*", margin=0.01, relative=False, level=0.01)


@given(st.lists(st.sampled_from(["", " ", "  "]), min_size=8, max_size=8))
def test_spaces_do_not_matter_where_words_stay_apart(spaces: list[str]) -> None:
    a, b, c, d, e, f, g, h = spaces
    rule = parse(f"{a}t:{b}fid_f@top30 worse by{c}>{d}2{e}%{f} at p{g}<{h}.05 ")
    assert (rule.tasks, rule.metrics, rule.margin, rule.level) == ("t", "fid_f@top30", 0.02, 0.05)


@pytest.mark.parametrize(
    ("text", "marked", "complaint"),
    [
        ("fid_f worse than 2%", "fid_f worse >>>than 2%", "expected 'by'"),
        ("fid_f is worse", "fid_f >>>is worse", "expected 'worse'"),
        ("fid_f worse by 2% at p<0.05", "fid_f worse by >>>2% at p<0.05", "expected '>'"),
        ("fid_f worse by >much at p<0.05", "fid_f worse by >>>>much at p<0.05", "expected a number"),
        ("fid_f worse by >2% p<0.05", "fid_f worse by >2% >>>p<0.05", "expected 'at'"),
        ("fid_f worse by >2% at p=0.05", "fid_f worse by >2% at p>>>=0.05", "expected '<'"),
        ("fid_f worse by >2% at p<0.05 please", "at p<0.05 >>>please", "expected the end"),
        ("micro: worse by >2% at p<0.05", "micro: worse >>>by >2% at p<0.05", "expected 'worse'"),
        ("", ">>>", "expected a name"),
        ("fid_f worse by >0% at p<0.05", "by >>>>0% at", "a margin of 0"),
        ("fid_f worse by >0.0 at p<0.05", "by >>>>0.0 at", "a margin of 0"),
        ("fid_f worse by >101% at p<0.05", "by >>>>101% at", "above 100%"),
        ("fid_f worse by >2% at p<0", "p<>>>0", "between 0 and 0.5"),
        ("fid_f worse by >2% at p<0.5", "p<>>>0.5", "between 0 and 0.5"),
    ],
)
def test_a_rule_that_cannot_be_read_has_its_place_marked(text: str, marked: str, complaint: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert marked in str(caught.value)
    assert complaint in str(caught.value)
    assert caught.value.exit_code == USAGE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "metric", "about"),
    [
        ("fid_f", "fid_f@top30", True),
        ("fid_f", "fid_f", True),
        ("fid_f", "fid_f_other@top30", False),
        ("fid_f@top30", "fid_f@top30", True),
        ("fid_f@top30", "fid_f@top30+cnn", False),
        ("fid_f@top30*", "fid_f@top30+cnn", True),
        ("fid_*", "fid_cf@soft", True),
        ("*", "kl_f@soft", True),
        ("FID_F", "fid_f", False),
    ],
)
def test_a_pattern_without_parameters_is_about_a_metric_under_all_of_them(
    pattern: str, metric: str, about: bool
) -> None:
    assert parse(f"{pattern} worse by >2% at p<0.05").matches("any", metric) is about


def test_a_rule_of_one_task_is_about_no_other() -> None:
    rule = parse("micro_*: fid_f worse by >2% at p<0.05")
    assert rule.matches("micro_prompt", "fid_f")
    assert not rule.matches("musicgen_musiccaps", "fid_f")
