"""Which submission a pull request adds: decided of git's own objects, in small repositories."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from earwitness.commits import GitError, Repository
from earwitness.errors import DONE, NO, USAGE, EarwitnessError
from earwitness.pull_requests import scope
from earwitness.pull_requests.scope import OutOfScopeError, addition, main, take
from small_git import begun, commit, git, submission, write

BASE = {"tasks/a/task.toml": "x = 1\n", "benchmark/earwitness/x.py": "x = 1\n", **submission("theirs")}
LATIN = b"submissions/mine/\xff.txt"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return begun(tmp_path / "repository", BASE)


def refused(repository: Path) -> str:
    """Why the branch `mine` is no pull request with a submission."""
    commit(repository)
    with pytest.raises(OutOfScopeError) as caught:
        addition(Repository.of(repository), "main", "mine")
    assert (caught.value.exit_code, "\n" in str(caught.value)) == (NO, False)
    return str(caught.value)


def test_one_new_folder_is_taken_byte_for_byte_whatever_attributes_say(repository: Path, tmp_path: Path) -> None:
    # A checkout, or git archive, would write other bytes here, or leave the file out.
    commit(repository, {".gitattributes": "*.py text eol=crlf export-ignore\n"})
    git(repository, "branch", "--force", "main")
    commit(repository, {**submission("mine"), "submissions/mine/notes/a.txt": "$Id$\r\n"})
    git(repository, "switch", "--quiet", "main")
    found = addition(Repository.of(repository), "main", "mine")
    assert (found.name, len(found.files)) == ("mine", 3)
    taken = take(Repository.of(repository), found, tmp_path / "taken")
    assert taken == tmp_path / "taken" / "submissions" / "mine"
    for path, text in submission("mine").items():
        assert (tmp_path / "taken" / path).read_bytes() == text.encode()
    assert (taken / "notes" / "a.txt").read_bytes() == b"$Id$\r\n"
    assert found.size == sum(len(path.read_bytes()) for path in taken.rglob("*") if path.is_file())
    with pytest.raises(EarwitnessError, match="there already"):
        take(Repository.of(repository), found, tmp_path / "taken")


def test_what_the_base_did_since_is_no_part_of_the_pull_request(repository: Path) -> None:
    commit(repository, submission("mine"))
    git(repository, "switch", "--quiet", "main")
    commit(repository, {"tasks/a/task.toml": "x = 2\n", **submission("others")})
    assert addition(Repository.of(repository), "main", "mine").name == "mine"


def more(files: dict[str, str]) -> Callable[[Path], None]:
    return lambda repository: write(repository, files)


def renamed(repository: Path) -> None:
    git(repository, "mv", "submissions/theirs", "submissions/mine")


def nested_module(repository: Path) -> None:
    inner = begun(repository / "submissions" / "mine" / "inner", {"a.txt": "x"})
    assert inner.is_dir()


def executable(repository: Path) -> None:
    (repository / "submissions" / "mine" / "explainer.py").chmod(0o755)


def link(repository: Path) -> None:
    (repository / "submissions" / "mine" / "truth").symlink_to("../../tasks/a/task.toml")


def linked_folder(repository: Path) -> None:
    git(repository, "rm", "-r", "--quiet", "--cached", ".", "--ignore-unmatch")
    git(repository, "reset", "--quiet")
    for path in sorted((repository / "submissions" / "mine").iterdir()):
        path.unlink()
    (repository / "submissions" / "mine").rmdir()
    (repository / "submissions" / "mine").symlink_to("theirs")


def odd_bytes(repository: Path) -> None:
    (repository / os.fsdecode(LATIN)).write_text("x")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (more({"tasks/a/task.toml": "x = 2\n"}), r"changes tasks/a/task.toml \(a task\): send that as a pull request"),
        (more({"tasks/a/task.toml": ""}), r"changes tasks/a/task.toml \(a task\)"),
        (
            more({"benchmark/earwitness/x.py": "x = 2\n", "a": "x", "b": "x"}),
            r"this one changes a and 2 more",
        ),
        (more({".github/workflows/submission.yml": "on: push\n"}), r"submission.yml \(what runs here\)"),
        (more({"docs/a.md": "x"}), "this one changes docs/a.md: send"),
        (more({"submissions/notes.md": "x"}), "this one changes submissions/notes.md: send"),
        (more({"submissions/theirs/explainer.py": "x = 1\n"}), "submissions/theirs is there already"),
        (more({"submissions/theirs/new.py": "x = 1\n"}), "submissions/theirs is there already"),
        (more({"submissions/theirs/explainer.py": ""}), "submissions/theirs is there already"),
        (renamed, "submissions/theirs is there already"),
        (more(submission("other")), "this one adds mine, other: send a pull request for each"),
        (more(submission("Theirs")), "submissions/Theirs and submissions/theirs are one folder where capitals"),
        (more({"submissions/mine/EXPLAINER.py": "x"}), "EXPLAINER.py and .*explainer.py are one file where capitals"),
        (more({"submissions/mine/a/x": "x", "submissions/mine/A/y": "x"}), "mine/A and .*mine/a are one file"),
        (executable, "explainer.py is executable, and nothing in a submission is started: git update-index"),
        (link, "truth is a symbolic link; put the file itself in its place"),
        (linked_folder, "this one changes submissions/mine: send"),
        (nested_module, "inner is a submodule; put its files in its place"),
        (odd_bytes, r"mine/\?.txt: names are of letters"),
        (more({"submissions/mine/a\nb.py": "x"}), r"mine/a\?b.py: names are of letters"),
        (more({"submissions/mine/a\x1b[2J.py": "x"}), r"mine/a\?\[2J.py: names are of letters"),
        (more({"submissions/mine/\u202egpj.py": "x"}), r"mine/\?gpj.py: names are of letters"),
        (more({"submissions/mine/-rf": "x"}), "mine/-rf: names are of letters"),
        (more({"submissions/mine/.gitattributes": "* text\n"}), "mine/.gitattributes: names are of letters"),
        (more({"submissions/mine/con.": "x"}), "mine/con.: names are of letters"),
        (more({"submissions/mine/__pycache__/a.py": "x"}), "is byte code, which nobody reads"),
        (more({"submissions/mine/a.pyc": "x"}), "is byte code, which nobody reads"),
        (more({"submissions/mine/a/b/c/d/e.py": "x"}), "lies too deep"),
        (more({f"submissions/mine/{i}.txt": "x" for i in range(99)}), "has 101 files; at most 100"),
        (more({"submissions/mine/large.txt": "x" * (11 << 20)}), "bytes; at most 10,485,760"),
    ],
    ids=lambda each: "" if callable(each) else each[:40],
)
def test_anything_else_is_one_line(repository: Path, change: Callable[[Path], None], complaint: str) -> None:
    if change is not renamed:
        write(repository, submission("mine"))
    change(repository)
    assert re.search(complaint, refused(repository))


@pytest.mark.parametrize("name", ["2mine", "my-explainer", "Mine", "a" * 81, "my explainer"])
def test_a_folder_whose_name_is_no_id_is_refused(repository: Path, name: str) -> None:
    write(repository, submission(name))
    assert "that name is no id" in refused(repository)


def test_a_branch_without_a_change_is_refused(repository: Path) -> None:
    assert "changes nothing of" in refused(repository)


def test_a_submission_that_the_base_got_meanwhile_is_there_already(repository: Path) -> None:
    commit(repository, submission("mine"))
    git(repository, "switch", "--quiet", "main")
    commit(repository, {**submission("mine"), "README.md": "x"})
    with pytest.raises(OutOfScopeError, match="submissions/mine is there already"):
        addition(Repository.of(repository), "main", "mine")


def test_what_is_no_commit_is_said(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="no commit is called 'nowhere'"):
        addition(Repository.of(repository), "nowhere", "mine")
    with pytest.raises(GitError, match="no commit is called '--output=x'"):
        addition(Repository.of(repository), "--output=x", "mine")
    with pytest.raises(GitError, match="lies in no git repository"):
        Repository.of(tmp_path)
    git(repository, "switch", "--quiet", "--orphan", "alone")
    commit(repository, submission("mine"))
    with pytest.raises(GitError, match="share no commit here"):
        addition(Repository.of(repository), "main", "alone")


def test_the_command_prints_the_name_and_writes_the_files_and_why_it_refuses(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(repository, submission("mine"))
    words = ["--repository", str(repository), "--base", "main", "--report", str(tmp_path / "report.md")]
    assert main([*words, "--into", str(tmp_path / "into")]) == DONE
    assert capsys.readouterr().out == "mine\n"
    assert (tmp_path / "into" / "submissions" / "mine" / "submission.toml").is_file()
    assert not (tmp_path / "report.md").exists()
    commit(repository, {"tasks/a/task.toml": "x = 2\n"})
    assert main(words) == NO
    said = capsys.readouterr().err
    assert (said.count("\n"), said.startswith("earwitness: a pull request with")) == (1, True)
    assert (tmp_path / "report.md").read_text().startswith("### earwitness submission: refused\n\na pull request")
    assert main(["--repository", str(repository), "--base", "nowhere"]) == USAGE


def test_the_users_index_and_tree_are_left_as_they_were(repository: Path, tmp_path: Path) -> None:
    write(repository, submission("mine"))
    git(repository, "add", "--all")
    before = (git(repository, "status", "--porcelain"), git(repository, "write-tree"))
    place = tmp_path / "out" / "tree"
    place.parent.mkdir()
    Repository.of(repository).check_out(git(repository, "rev-parse", "main"), ["submissions/theirs"], place)
    assert sorted(path.name for path in (place / "submissions" / "theirs").iterdir()) == [
        "explainer.py",
        "submission.toml",
    ]
    assert [path.name for path in place.parent.iterdir()] == ["tree"]
    assert (git(repository, "status", "--porcelain"), git(repository, "write-tree")) == before
    assert not (repository / ".git" / "worktrees").exists()


def test_what_git_tells_its_hooks_means_no_other_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository, submission("mine"))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    assert addition(Repository.of(repository), "main", "mine").name == "mine"


def test_the_module_runs_as_a_program(repository: Path) -> None:
    commit(repository, submission("mine"))
    command = [sys.executable, "-m", scope.__name__, "--base", "main"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "mine\n", "")
