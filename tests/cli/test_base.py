"""`earwitness check --base REF`: branch against base, in small repositories, on a tiny task, in this process."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from earwitness.cli import base as base_module
from earwitness.errors import DONE, ITEM_FAILED, NO, NOT_COMPARABLE, USAGE
from gate_task import make_gate_task
from in_process import Ended, earwitness_here
from small_git import begun, commit, git, write

CARD = """
id = "mine"
track = "prompt"
title = "Leaves words out"
authors = ["A"]
licence = "Apache-2.0"
explainer = "Mine"
"""
EXPLAINER = """
import numpy as np

from earwitness.tracks.prompt import PromptExplainer, TokenMap


class Mine(PromptExplainer):
    def explain(self, model, item):
        words = [token.strip("\\u2581 ") for token in item.tokens]
        weights = np.array([{weight} for word in words])
        return TokenMap(np.clip(weights, 0, 1))
"""
LONG_WORDS_FIRST = "min(len(word), 9) / 10"
SHORT_WORDS_FIRST = "1 - min(len(word), 9) / 10"
RULE = "logit_kl_f@top30 worse by >0.01 at p<0.05"
ITEMS = 8
Earwitness = Callable[..., Ended]


def explainer(weight: str) -> dict[str, str]:
    return {"src/mine/explainer.py": EXPLAINER.replace("{weight}", weight), "src/mine/submission.toml": CARD}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gate_task(tmp_path_factory.mktemp("task"), ITEMS, ("logit_kl_f",))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's repository with an explainer on the branch main, and a branch of it."""
    found = begun(tmp_path / "repository", {**explainer(LONG_WORDS_FIRST), "README.md": "mine\n"})
    monkeypatch.chdir(found)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return found


@pytest.fixture
def check(
    repository: Path, task: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Earwitness:
    def run(*words: str, base: str = "main", task_name: str = str(task)) -> Ended:
        given = ["check", "--base", base, "--task", task_name, "--submission", "src/mine", "--fail-if", RULE, *words]
        ended = earwitness_here(given, monkeypatch, capsys)
        assert not list(Path(tempfile.gettempdir()).glob("earwitness-base-*"))
        return ended

    return run


def one_line(ended: Ended, code: int, complaint: str) -> None:
    assert ended.code == code, ended
    (line,) = [line for line in ended.err.splitlines() if line.startswith("earwitness: ")]
    assert re.search(complaint, line), line


def test_a_branch_that_explains_worse_fails_and_says_which_commits(check: Earwitness, repository: Path) -> None:
    head = commit(repository, {**explainer("0.5"), "notes.txt": "x"})
    ended = check("--json", "--markdown", "m.md", "--junit", "j.xml", "--out", "kept")
    found = json.loads(ended.out)
    (verdict,) = found["verdicts"]
    assert (verdict["submission"], verdict["task"], verdict["items"]) == ("mine", "tiny_gate", ITEMS)
    assert verdict["before"] != verdict["after"]
    before = git(repository, "rev-parse", "main")
    assert found["notes"][0] == f"mine: baseline is main {before[:10]}, run is HEAD {head[:10]}"
    assert "outside of src/mine/ notes.txt changed, too: both sides ran with what is here" in found["notes"]
    assert Path("m.md").read_text().startswith("### earwitness check: ")
    assert "testcase" in Path("j.xml").read_text()
    assert len(list(Path("kept").glob("tiny_gate__mine__*"))) == 2
    assert not (repository / ".git" / "worktrees").exists()
    # What the same rows say by way of a stored baseline.
    runs = {json.loads((run / "run.json").read_text())["submission"]["hash"]: run for run in Path("kept").glob("t*")}
    from earwitness import gate, registry

    mine = registry.submission("src/mine").hash_for("prompt")
    (other,) = runs.keys() - {mine}
    report = gate.check(gate.read_rows([runs[mine]]), gate.read_rows([runs[other]]), [gate.parse(RULE)])
    assert json.loads(gate.to_json(report))["verdicts"] == found["verdicts"]
    assert (ended.code, found["exit_code"]) == (report.exit_code, report.exit_code)


def test_a_change_that_changes_nothing_passes_and_runs_nothing(
    check: Earwitness, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "_compared", lambda *_: pytest.fail("it was run"))
    text = EXPLAINER.replace("{weight}", LONG_WORDS_FIRST)
    commit(repository, {"src/mine/explainer.py": f"# A comment.\n{text}", "src/mine/README.md": "For people.\n"})
    ended = check("--junit", "j.xml", "--markdown", "m.md")
    assert ended.code == DONE
    lines = ended.out.splitlines()
    assert lines[-1] == "pass: nothing changed"
    assert lines[-2] == "mine on tiny_gate: nothing changed, so that neither side was run"
    assert Path("m.md").read_text().startswith("### earwitness check: pass: nothing changed\n")
    assert 'tests="1" failures="0"' in Path("j.xml").read_text()


def test_a_dirty_tree_is_compared_by_the_settings_of_the_pyproject_and_it_is_said_so(
    repository: Path, task: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = f'[tool.earwitness.check]\ntask = "{task}"\nsubmission = "src/mine"\nitems = 5\nfail_if = ["{RULE}"]\n'
    write(repository, {"pyproject.toml": table, "inner/x.txt": "x", **explainer(SHORT_WORDS_FIRST)})
    write(repository, {"src/mine/new.txt": "x"})
    monkeypatch.chdir(repository / "inner")
    found = json.loads(earwitness_here(["check", "--base", "main", "--json"], monkeypatch, capsys).out)
    assert found["verdicts"][0]["items"] == 5
    assert "run is the working tree on HEAD" in found["notes"][0]
    assert "with src/mine/explainer.py and 1 more not committed" in found["notes"][0]


def test_an_explainer_that_fails_on_either_side_is_no_pass(check: Earwitness, repository: Path) -> None:
    commit(repository, explainer("1 / 0"))
    one_line(check(), ITEM_FAILED, "mine on tiny_gate: none of 8 items has a value: .*ZeroDivisionError")
    broken = git(repository, "rev-parse", "HEAD")
    commit(repository, explainer("0.5"))
    one_line(check(base=broken), ITEM_FAILED, r"no item has a value at .*anything would pass: .*ZeroDivisionError")


def test_an_interrupt_leaves_no_copy(check: Earwitness, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository, explainer("0.5"))
    seen = []

    def interrupted(sides: object, asked: object, *_: object) -> None:
        seen.extend(Path(tempfile.gettempdir()).glob("earwitness-base-*/base/src/mine/explainer.py"))
        raise KeyboardInterrupt

    monkeypatch.setattr(base_module, "_compared", interrupted)
    ended = check()
    assert (ended.code, len(seen)) == (130, 1)


def test_what_cannot_be_compared_is_one_line(check: Earwitness, repository: Path, task: Path) -> None:
    one_line(check(base="nowhere"), USAGE, "no commit is called 'nowhere' in .*; fetch it first")
    one_line(check("run", base="main"), USAGE, "RUN has no place beside --base")
    one_line(check("--against", "b.parquet"), USAGE, "--against has no place beside --base")
    one_line(check("--fail-if", "nothing worse by >2% at p<0.05"), USAGE, "is about no metric of tiny_gate")
    one_line(check("--device", "tpu"), USAGE, "no device is called 'tpu'")
    empty = commit(repository, dict.fromkeys(explainer("0.5"), ""))
    commit(repository, explainer("0.5"))
    one_line(check(base=empty), USAGE, "submission mine is not in .*src/mine/submission.toml: it is new")
    other = commit(repository, {"src/mine/submission.toml": CARD.replace('"mine"', '"other"')})
    commit(repository, explainer("0.5"))
    one_line(check(base=other), NOT_COMPARABLE, "is mine here and was other at")
    bad = commit(repository, {"src/mine/submission.toml": "id = 1\n"})
    commit(repository, explainer("0.5"))
    one_line(check(base=bad), USAGE, f"{bad[:10]}:src/mine/submission.toml")
    installed = commit(repository, {"src/mine/submission.toml": CARD.replace('"Mine"', '"json.decoder:JSONDecoder"')})
    commit(repository, explainer("0.5"))
    one_line(check(base=installed), USAGE, "json.decoder:JSONDecoder, is an installed package's")


def test_a_task_that_differs_between_both_is_not_comparable(check: Earwitness, repository: Path, task: Path) -> None:
    card = (task / "task.toml").read_text().replace('"model"', f'"{task / "model"}"')
    commit(repository, {"tasks/own/task.toml": card, "tasks/own/README.md": "For people.\n"})
    git(repository, "branch", "--force", "main")
    commit(repository, {"tasks/own/README.md": "More.\n", **explainer("0.5")})
    assert check(task_name="tasks/own").code in (DONE, NO)
    write(repository, {"tasks/own/task.toml": card.replace("seconds = 60.0", "seconds = 61.0")})
    one_line(check(task_name="tasks/own"), NOT_COMPARABLE, "task tiny_gate is not the same at .*tasks/own/task.toml;")


def test_what_lies_in_no_repository_is_one_line(
    tmp_path: Path, task: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, explainer("0.5"))
    words = ["check", "--base", "main", "--task", str(task), "--submission", "src/mine", "--fail-if", RULE]
    one_line(earwitness_here(words, monkeypatch, capsys), USAGE, "src/mine lies in no git repository")
    one_line(earwitness_here(words[:-2], monkeypatch, capsys), USAGE, "no rule says what is worse")
    one_line(earwitness_here(["check", "--base", "main"], monkeypatch, capsys), USAGE, "no task is named; give --task")
    one_line(earwitness_here(["check"], monkeypatch, capsys), USAGE, "nothing to check: name a RUN, or a commit")
    words = ["check", "run", "--task", str(task)]
    one_line(earwitness_here(words, monkeypatch, capsys), USAGE, "--task is for --base alone")
