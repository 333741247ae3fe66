import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.gate import CheckReport, Mode, check, parse, print_report, to_json, to_junit, to_markdown
from earwitness.gate.reports import error_to_junit, error_to_markdown, sentence
from gate_rows import scores, table

NOISE = np.random.default_rng(3).normal(0, 0.02, 60)
VALUES = scores(60)
RULES = [parse("fid_* worse by >2% at p<0.05")]


@pytest.fixture(scope="module")
def report() -> CheckReport:
    """A regression, an inconclusive verdict and a pass."""
    before = {"fid_cf@top10": VALUES, "fid_cf@top20": VALUES, "fid_cf@top30": VALUES}
    lost = [None if n == 7 else value for n, value in enumerate(VALUES - 0.1 + NOISE)]
    after = {"fid_cf@top10": lost, "fid_cf@top20": np.minimum(VALUES + 5 * NOISE, 1), "fid_cf@top30": VALUES}
    return check(table(after), table(before), RULES)


def test_the_table_names_every_metric_and_the_items_that_got_worst(report: CheckReport) -> None:
    shown = io.StringIO()
    print_report(report, Console(width=120, file=shown))
    text = shown.getvalue()
    lines = text.splitlines()
    assert [line for line in lines if "fid_cf@top10" in line and "60, 1 failed" in line]
    assert "mine on planted" in lines[0]
    assert max(map(len, lines[: lines.index(next(line for line in lines if line.startswith("└")))])) <= 120
    assert "worst items: i0007 -" in text
    assert lines[-1] == "regression: 1 regression, 1 inconclusive, 1 pass"
    assert [line.split("│")[1].strip() for line in lines if "fid_cf@" in line and "│" in line] == [
        "regression", "inconclusive", "pass",
    ]  # fmt: skip


def test_a_sentence_says_why_nothing_is_proven(report: CheckReport) -> None:
    (verdict,) = [verdict for verdict in report.verdicts if verdict.outcome == "inconclusive"]
    assert f"these 60 items tell no drop below {verdict.smallest:.4f} from none" in sentence(verdict)


def test_json_holds_every_figure_and_is_strict_json(report: CheckReport) -> None:
    found = json.loads(to_json(report), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (found["exit_code"], found["mode"], len(found["verdicts"])) == (1, "proven-worse", 3)
    first, verdict = found["verdicts"][0], report.verdicts[0]
    assert (first["rule"], first["outcome"], first["failed"]) == (RULES[0].text, "regression", 1)
    assert first["worst"][0] == {"item": verdict.worst[0][0], "effect": verdict.worst[0][1]}
    names = ("effect", "low", "high", "p", "smallest", "margin", "before", "after", "items")
    assert all(first[name] == getattr(verdict, name) for name in names)


def test_what_cannot_be_a_number_in_json_is_null() -> None:
    few = {"fid_cf@top30": VALUES[:4]}
    assert json.loads(to_json(check(table(few), table(few), RULES)))["verdicts"][0]["smallest"] is None


@pytest.mark.parametrize(("mode", "failures", "skipped"), [(Mode.PROVEN_WORSE, 1, 1), (Mode.NON_INFERIOR, 2, 0)])
def test_junit_counts_as_failures_what_fails_the_check(
    report: CheckReport, mode: Mode, failures: int, skipped: int
) -> None:
    root = ElementTree.fromstring(to_junit(CheckReport(report.verdicts, mode)))
    (suite,) = root
    assert [suite.get(name) for name in ("tests", "failures", "skipped", "errors")] == [
        "3", str(failures), str(skipped), "0",
    ]  # fmt: skip
    assert len(root.findall(".//failure")) == failures
    case = root.find(".//testcase")
    assert case is not None
    assert case.get("classname") == "planted.mine"
    assert case.get("name") == f"fid_cf@top10: {RULES[0].text}"


def test_markdown_is_one_table_with_every_verdict(report: CheckReport) -> None:
    lines = to_markdown(report).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert lines[0] == "### earwitness check: regression: 1 regression, 1 inconclusive, 1 pass"
    assert len(rows) == 2 + 3
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert rows[2].startswith("| **regression** | mine | planted | fid\\_cf@top10 |")


def test_an_error_can_be_shown_where_a_report_is_expected() -> None:
    error = NotComparableError("task <micro> differs")
    assert error_to_markdown(error) == "### earwitness check: not comparable\n\ntask \\<micro\\> differs\n"
    found = ElementTree.fromstring(error_to_junit(error)).find(".//error")
    assert found is not None
    assert found.get("message") == "task <micro> differs"
    assert "no answer" in error_to_markdown(EarwitnessError("x"))
