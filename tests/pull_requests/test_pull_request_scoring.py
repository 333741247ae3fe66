"""What a submission's folder is worth, and what is said of it: in this process, and once in a real box."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from harm import refuse_harm

from earwitness import box as boxes
from earwitness.board import compare
from earwitness.board.entrant import compared
from earwitness.box import Brief, Guard, levels
from earwitness.errors import DONE, FAULT, NO, USAGE, EarwitnessError
from earwitness.pull_requests.__main__ import _scope as scope_of
from earwitness.pull_requests.__main__ import main
from earwitness.pull_requests.scope import OutOfScopeError
from earwitness.pull_requests.text import cleaned
from earwitness.results.folders import open_run
from earwitness.tracks.prompt import PromptItem
from gate_task import make_gate_task
from in_process import in_this_process
from small_git import CARD, begun, commit, submission, write

EXAMPLES = Path(__file__).parent / "examples"
BOX = Path(__file__).parents[1] / "box"
ITEMS = 8
LAST = np.array([False, True])
Main = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gate_task(tmp_path_factory.mktemp("task"), ITEMS, ("logit_kl_f", "logit_kl_cf"))


@pytest.fixture
def look(tmp_path: Path, task: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Main:
    """Exit code, page and stderr of a folder."""
    monkeypatch.chdir(tmp_path)

    def run(folder: Path, *words: str) -> tuple[int, str, str]:
        report = tmp_path / "report.md"
        given = [str(folder), "--tasks", str(task), "--report", str(report), "--device", "cpu", *words]
        capsys.readouterr()
        with in_this_process(monkeypatch):
            code = main(given)
        return code, report.read_text(encoding="utf-8"), capsys.readouterr().err

    return run


def test_a_good_one_is_judged_by_the_engines_verdicts(look: Main, tmp_path: Path) -> None:
    code, page, _ = look(EXAMPLES / "good_example")
    assert code == DONE
    assert page.startswith("### earwitness submission: `good_example` explains 8 items of `tiny_gate`\n")
    assert "Attention of the last layer, by A. Newcomer; licence Apache-2.0; entrant." in page
    assert "- validate: nothing is wrong, 3 checks" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `logit")]
    assert [(row[0], row[1]) for row in rows] == [
        ("| `logit_kl_f@top30`", "`attention`"),
        ("| `logit_kl_f@top30`", "`random`"),
    ]
    names = ("good_example", "random", "attention")
    runs = [open_run(folder) for name in names for folder in (tmp_path / "runs").glob(f"tiny_gate__{name}__*")]
    found = compared("good_example", runs)
    assert (found.items, found.family, len(found.comparisons)) == (ITEMS, 2, 2)
    for row, one in zip(rows, found.comparisons, strict=True):
        assert float(row[2]) == pytest.approx(one.mine, abs=5e-4)
        assert row[7].startswith(one.verdict)
    assert "8 items were run" in page
    assert cleaned(page) == page
    # Of two alone: the family is smaller, and `compare` says the same of the gain.
    alone = compared("good_example", runs[:2])
    (one,) = alone.comparisons
    (pair,) = compare("good_example", "random", [tmp_path / "runs"])
    (difference,) = [each for each in pair.differences if each.metric == one.metric]
    assert (alone.family, one.mine, one.other) == (1, difference.first, difference.second)
    # Lower is more faithful here, and a gain is counted so that above 0 is.
    assert one.gain == pytest.approx(-difference.difference)
    assert difference.p is not None
    assert one.p <= min(difference.p, found.comparisons[1].p)
    with pytest.raises(EarwitnessError, match="one of nobody"):
        compared("nobody", runs)


def test_a_broken_one_is_invalid_and_nothing_is_run(look: Main, tmp_path: Path) -> None:
    code, page, _ = look(EXAMPLES / "broken_example")
    assert code == NO
    assert page.startswith("### earwitness submission: `broken_example` is invalid\n")
    assert re.search(r"- validate: wrong: .*it gives no explanation of its track: ", page)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        (CARD.replace('licence = "Apache-2.0"\n', ""), "submission.toml: .*licence"),
        (CARD.replace("Apache-2.0", ""), "it names no licence; say by which one others may run the code"),
        (CARD.replace("Apache-2.0", " \u200b"), "it names no licence"),
        (CARD.replace('"{name}"', '"attention"'), "its id is attention and its folder mine; give them one name"),
        (
            CARD.replace('"Mine"', '"tasks.micro_prompt:Truth"'),
            "tasks.micro_prompt:Truth is code of another place",
        ),
        (CARD + 'kind = "control"\n', "kind is control; .*leave kind out"),
        (CARD + "rank = 1\n", "rank"),
        ("", "submission.toml"),
    ],
)
def test_a_card_that_cannot_be_is_one_line(look: Main, tmp_path: Path, card: str, complaint: str) -> None:
    folder = tmp_path / "mine"
    write(tmp_path, {"mine/explainer.py": "x = 1\n"})
    if card:
        write(tmp_path, {"mine/submission.toml": card.replace("{name}", "mine")})
    code, page, err = look(folder)
    assert code == NO
    (line,) = [line for line in err.splitlines() if line.startswith("earwitness: ")]
    assert re.search(complaint, line), line
    assert page.startswith("### earwitness submission: not scored\n")


def test_without_isolation_nothing_of_it_runs(look: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "strongest", lambda: "process")
    code, page, err = look(EXAMPLES / "good_example")
    assert code == USAGE
    assert "--untrusted: no isolation is to be had here" in err
    assert "not scored" in page


def test_what_a_branch_adds_is_said_and_a_named_base_refuses(look: Main, tmp_path: Path) -> None:
    repository = begun(tmp_path / "repository", {"README.md": "x"})
    write(repository, submission("mine"))
    folder = repository / "submissions" / "mine"
    assert scope_of(folder, None, "HEAD").startswith("this branch has no commit of its own")
    first = commit(repository)
    assert f"against main {first[:10]} adds submissions/mine alone: 2 files," in scope_of(folder, None, "HEAD")
    commit(repository, {"README.md": "y"})
    assert scope_of(folder, None, "HEAD").startswith("a pull request of this branch would be refused: ")
    assert f"against main {first[:10]} adds submissions/mine" in scope_of(folder, "main", first)
    assert "nobody asked what else" in scope_of(tmp_path, None, "HEAD")
    code, page, err = look(folder, "--base", "main")
    assert (code, "changes README.md" in page, "Traceback" in err) == (NO, True, False)
    other = repository / "submissions" / "other"
    other.mkdir()
    with pytest.raises(OutOfScopeError, match="adds submissions/mine and not "):
        scope_of(other, "main", first)


def test_a_fault_of_the_program_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("earwitness.pull_requests.__main__.look_at", lambda *_: 1 / 0)
    assert main([str(EXAMPLES / "good_example")]) == FAULT
    err = capsys.readouterr().err
    assert "earwitness: fault of the program: ZeroDivisionError: division by zero; the traceback is in" in err
    Path(err.rpartition("the traceback is in ")[2].strip()).unlink()


LOUD = """
from earwitness.tracks.prompt import PromptExplainer


class Hostile(PromptExplainer):
    def explain(self, model, item):
        raise RuntimeError({speech!r})
"""


def hostile_words() -> dict[str, object]:
    """What the hostile example defines, its classes aside."""
    found: dict[str, object] = {}
    text = (EXAMPLES / "hostile_example" / "explainer.py").read_text(encoding="utf-8")
    exec(text.partition("def above")[0], found)
    return found


def test_what_a_hostile_one_says_is_shown_and_does_nothing(look: Main, tmp_path: Path) -> None:
    write(tmp_path, {"hostile_example/explainer.py": LOUD.format(speech=hostile_words()["SPEECH"])})
    shutil.copy(EXAMPLES / "hostile_example" / "submission.toml", tmp_path / "hostile_example")
    code, page, _ = look(tmp_path / "hostile_example")
    assert code == NO
    assert "it raises an error: RuntimeError: done \\| \\*\\*better\\*\\*" in page
    refuse_harm(page)


def test_a_hostile_one_reaches_nothing_in_a_real_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels.require("bwrap")
    monkeypatch.setenv("EARWITNESS_EXAMPLE_SECRET", "s3cret")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.syspath_prepend(str(BOX))
    folder = tmp_path / "runs" / "hostile_example"
    shutil.copytree(EXAMPLES / "hostile_example", folder)
    write(tmp_path, {"runs/run.json": "{}", "runs/report.md": "x", ".git/config": "x", "tasks/a/truth/b": "x"})
    model = tmp_path / "model"
    model.mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    brief = Brief("prompt", "light_model:from_pretrained", str(model), "main", {}, str(folder), "cpu")
    box = boxes.create("bwrap", brief, Guard(seconds=60.0, forwards=100), tmp_path / "log")
    box.open()
    try:
        items = [PromptItem(str(n), "x", 1, 2, np.zeros((1, 3), np.int64), ("x", "</s>"), LAST) for n in range(6)]
        answers = [answer for item in items for answer in box.explain([item])]
    finally:
        box.close()
    assert [answer.status for answer in answers] == [*["ok"] * 5, "failed"]
    assert "of 12 attempts succeeded: none" in answers[-1].reason
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "log"} == before
