"""`earwitness check` and `earwitness baseline update`: exits, files, settings."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from earwitness.cli import main
from earwitness.errors import DONE, ITEM_FAILED, NO, NOT_COMPARABLE, USAGE
from earwitness.results.rows import write_table
from gate_rows import recipe, scores, table

RULE = "fid_cf worse by >2% at p<0.05"
VALUES = {"fid_cf@top30": scores(40)}
Earwitness = Callable[..., tuple[int, str, str]]


@pytest.fixture
def earwitness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Earwitness:
    """The command line in a folder with the runs `same`, `worse` and a baseline of `same`."""
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["earwitness", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        code = caught.value.code
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    write_run("same", table(VALUES))
    write_run("worse", table({"fid_cf@top30": VALUES["fid_cf@top30"] - 0.1}))
    assert command("baseline", "update", "same")[0] == DONE
    return command


def write_run(name: str, rows: pa.Table, state: str = "done") -> None:
    write_table(rows, Path(name) / "rows" / "0.parquet")
    (Path(name) / "run.json").write_text(json.dumps(recipe(rows, state=state)), encoding="utf-8")


def test_a_run_like_the_baseline_exits_with_0_and_a_worse_one_with_1(earwitness: Earwitness) -> None:
    code, out, _ = earwitness("check", "same", "--against", "baseline.parquet", "--fail-if", RULE)
    assert (code, out.splitlines()[-1]) == (DONE, "pass: 1 pass")
    code, out, _ = earwitness("check", "worse", "--against", "baseline.parquet", "--fail-if", RULE)
    assert (code, out.splitlines()[-1]) == (NO, "regression: 1 regression")
    assert "worst items: i00" in out


def test_several_rules_share_a_report(earwitness: Earwitness) -> None:
    other = "fid_* worse by >0.5 at p<0.05"
    code, out, _ = earwitness("check", "worse", "--fail-if", RULE, "--fail-if", other, "--json")
    found = json.loads(out)
    assert (code, found["exit_code"]) == (NO, NO)
    assert [(v["rule"], v["outcome"]) for v in found["verdicts"]] == [(RULE, "regression"), (other, "pass")]


def test_reports_are_written_beside_the_table(earwitness: Earwitness) -> None:
    code, out, _ = earwitness("check", "worse", "--fail-if", RULE, "--junit", "j.xml", "--markdown", "m.md")
    assert code == NO
    assert "regression" in out
    assert len(ElementTree.parse("j.xml").findall(".//failure")) == 1
    assert Path("m.md").read_text().startswith("### earwitness check: regression")


def test_rules_baseline_and_mode_come_from_the_pyproject_and_options_go_first(earwitness: Earwitness) -> None:
    shutil.move("baseline.parquet", "reviewed.parquet")
    Path("pyproject.toml").write_text(
        f'[tool.earwitness.check]\nfail_if = ["{RULE}"]\nagainst = "reviewed.parquet"\nmode = "non-inferior"\n'
    )
    code, out, _ = earwitness("check", "worse")
    assert (code, out.splitlines()[-1]) == (NO, "regression (mode non-inferior): 1 regression")
    options = ("--mode", "proven-worse", "--fail-if", "fid_cf worse by >0.5 at p<0.05")
    code, out, _ = earwitness("check", "worse", *options)
    assert (code, out.splitlines()[-1]) == (DONE, "pass: 1 pass")


def test_what_is_not_proven_fails_a_release_alone(earwitness: Earwitness) -> None:
    few = table({"fid_cf@top30": VALUES["fid_cf@top30"][:4]})
    write_run("few", few)
    earwitness("baseline", "update", "few", "--against", "few.parquet")
    words = ("check", "few", "--against", "few.parquet", "--fail-if", RULE)
    assert earwitness(*words)[0] == DONE
    code, out, _ = earwitness(*words, "--mode", "non-inferior")
    assert (code, out.splitlines()[-1]) == (NO, "not proven (mode non-inferior): 1 inconclusive")


def test_an_update_of_the_baseline_says_what_changed(earwitness: Earwitness) -> None:
    code, out, _ = earwitness("baseline", "update", "worse")
    assert code == DONE
    assert "changed: mine on planted" in out
    assert "fid_cf@top30: mean" in out
    assert "(worse)" in out
    assert earwitness("check", "worse", "--fail-if", RULE)[0] == DONE
    code, out, _ = earwitness("baseline", "update", "worse", "--json")
    assert json.loads(out)["changes"][0]["kind"] == "unchanged"


def plant(name: str) -> tuple[str, ...]:
    """Write what is wrong into the folder and return the words of the command."""
    words = ["check", "same", "--fail-if", RULE]
    if name == "no baseline":
        Path("baseline.parquet").unlink()
    elif name == "no parquet":
        Path("baseline.parquet").write_text("x")
    elif name == "empty baseline":
        write_table(table({}), Path("baseline.parquet"))
    elif name == "duplicate rows":
        write_table(pa.concat_tables([table(VALUES), table(VALUES)]), Path("baseline.parquet"))
    elif name == "other schema":
        pq.write_table(table(VALUES).drop_columns(["seconds"]), "baseline.parquet")
    elif name == "other task version":
        write_run("same", table(VALUES, task_version=2, task_hash="h2"))
    elif name == "run not done":
        write_run("same", table(VALUES), state="incomplete")
    elif name == "explainer failed":
        write_run("same", table({"fid_cf@top30": [None] * 40}))
    elif name == "no run":
        words[1] = "nowhere"
    elif name == "no rule":
        del words[2:]
    elif name == "no mode":
        words += ["--mode", "strict"]
    else:
        words[3] = name
    return tuple(words)


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("no baseline", USAGE, "no such baseline; write it with `earwitness baseline update RUN`"),
        ("no parquet", USAGE, "no Parquet file of rows"),
        ("empty baseline", USAGE, "no row"),
        ("duplicate rows", USAGE, "40 rows are there more than once: mine on planted"),
        ("other schema", USAGE, "rows of another schema"),
        ("other task version", NOT_COMPARABLE, "task version 1 and 2"),
        ("run not done", USAGE, "same is incomplete; run the same command again to finish it"),
        ("explainer failed", ITEM_FAILED, "mine on planted: none of 40 items has a value"),
        ("no run", USAGE, "nowhere is no run and holds none"),
        ("no rule", USAGE, "no rule says what is worse; give --fail-if"),
        ("no mode", USAGE, "no mode is called 'strict'; modes: proven-worse, non-inferior"),
        ("fid_cg worse by >2% at p<0.05", USAGE, "did you mean 'fid_cf'?"),
        ("fid_cf worse than 2%", USAGE, "'fid_cf worse >>>than 2%': expected 'by' at >>>"),
        ("fid_cf worse by >0% at p<0.05", USAGE, "a margin of 0"),
        ("fid_cf worse by >101% at p<0.05", USAGE, "a margin above 100%"),
        ("other: fid_cf worse by >2% at p<0.05", USAGE, "no row is of a task 'other'"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_its_exit_code(
    earwitness: Earwitness, name: str, code: int, complaint: str
) -> None:
    found, out, err = earwitness(*plant(name))
    assert (found, out) == (code, "")
    assert complaint in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_a_check_that_has_no_answer_says_so_in_the_files_too(earwitness: Earwitness) -> None:
    write_run("same", table(VALUES, task_hash="h2"))
    words = ("check", "same", "--fail-if", RULE, "--junit", "j.xml", "--markdown", "m.md")
    assert earwitness(*words)[0] == NOT_COMPARABLE
    assert "task hash h1 and h2" in Path("m.md").read_text()
    assert len(ElementTree.parse("j.xml").findall(".//error")) == 1


def test_a_file_that_cannot_be_written_is_one_line(earwitness: Earwitness) -> None:
    code, _, err = earwitness("check", "same", "--fail-if", RULE, "--markdown", "no/such/folder.md")
    assert (code, "cannot write no/such/folder.md" in err) == (USAGE, True)


def test_runs_without_rows_are_named_and_the_others_compared(earwitness: Earwitness) -> None:
    Path("runs", "begun").mkdir(parents=True)
    Path("runs", "begun", "run.json").write_text('{"state": "running"}')
    Path("runs", "foreign").mkdir()
    Path("runs", "foreign", "run.json").write_text("[]")
    for words in (["check", "runs", "--fail-if", RULE], ["baseline", "update", "runs"]):
        code, _, err = earwitness(*words)
        assert (code, err.count("\n")) == (USAGE, 1)
        assert "no run that has rows: " in err
        assert "begun has no rows (running); run the same command again to finish it, or delete the folder" in err
        assert "foreign/run.json is no recipe of a run: it is no JSON object" in err
    shutil.move("worse", "runs/worse")
    written = ("--junit", "j.xml", "--markdown", "m.md")
    code, out, err = earwitness("check", "runs", "--fail-if", RULE, "--json", *written)
    assert (code, err.count("\n"), err.count("earwitness: left out: ")) == (NO, 2, 2)
    first, second = json.loads(out)["left_out"]
    assert ("begun has no rows" in first, "foreign/run.json is no recipe" in second) == (True, True)
    said = ElementTree.parse("j.xml").findtext("testsuite/system-out") or ""
    assert (said.count("left out: "), Path("m.md").read_text().count("- left out: ")) == (2, 2)
    wrong = ("check", "runs", "--fail-if", "xyzzy worse by >2% at p<0.05", *written)
    assert earwitness(*wrong)[0] == USAGE
    said = ElementTree.parse("j.xml").findtext("testsuite/system-out") or ""
    assert (said.count("left out: "), Path("m.md").read_text().count("- left out: ")) == (2, 2)
    code, _, err = earwitness("baseline", "update", "runs")
    assert (code, err.count("earwitness: left out: ")) == (DONE, 2)


@pytest.mark.parametrize("state", ["done", "incomplete"])
def test_rows_that_are_lost_are_no_pass(earwitness: Earwitness, state: str) -> None:
    shutil.move("worse", "runs/worse")
    lost = Path("runs", "lost")
    (lost / "explanations").mkdir(parents=True)
    (lost / "run.json").write_text(f'{{"state": "{state}"}}')
    if state == "incomplete":
        (lost / "explanations" / "0000.safetensors").touch()
    code, _, err = earwitness("check", "runs", "--fail-if", RULE)
    assert (code, err.count("\n")) == (USAGE, 1)
    assert f"lost has no rows ({state})" in err


def test_a_run_that_is_named_or_has_rows_must_be_done(earwitness: Earwitness) -> None:
    Path("begun").mkdir()
    Path("begun", "run.json").write_text('{"state": "running"}')
    code, _, err = earwitness("check", "begun", "--fail-if", RULE)
    assert (code, err) == (USAGE, "earwitness: begun is running; run the same command again to finish it\n")
    write_run("runs/half", table(VALUES), state="incomplete")
    code, _, err = earwitness("check", "runs", "--fail-if", RULE)
    assert (code, err) == (USAGE, "earwitness: half is incomplete; run the same command again to finish it\n")
