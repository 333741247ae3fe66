"""Command lines that cannot be meant: one line, exit code 2, nothing left behind and nothing started."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from earwitness.cli import CLOSED_PIPE, main
from earwitness.cli.output import writable
from earwitness.errors import FAULT, USAGE, EarwitnessError

LONG = "x" * 5000
RUN = ("run", "--task", "micro_prompt", "--submission", "random")
NEW = ("--track", "prompt")
Earwitness = Callable[..., tuple[int, str, str]]


@pytest.fixture
def earwitness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Earwitness:
    """Exit code, stdout and stderr of a command in a folder with a file and a link to itself."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("text")
    Path("loop").symlink_to("loop")

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["earwitness", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return command


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "micro_prompt", "--private", "--twin", "1"), "--private takes a twin that is trained already"),
        (("train", "micro_prompt", "--items", "4"), "--model and --items go with --private alone"),
        (("train", "micro_prompt", "--private"), "EARWITNESS_SECRET holds no secret"),
        ((*RUN, "--items", "0"), "greater than or equal to 1"),
        ((*RUN, "--items", "9" * 20), "less than or equal to"),
        ((*RUN, "--items", "1.5"), "valid integer"),
        ((*RUN, "--items", ""), "valid integer"),
        ((*RUN, "--seed", "-1"), "greater than or equal to 0"),
        ((*RUN, "--seed", "18446744073709551616"), "less than or equal to 9223372036854775807"),
        ((*RUN, "--explainer-seeds", "0,x"), "--explainer-seeds '0,x' is no list of numbers from 0 to 1000000"),
        ((*RUN, "--explainer-seeds", ""), "--explainer-seeds '' is no list"),
        ((*RUN, "--explainer-seeds", "0,-1"), "is no list of numbers"),
        ((*RUN, "--explainer-seeds", "0,1,0"), "lists a seed twice"),
        ((*RUN, "--fresh", "9" * 30), "less than or equal to 9223372036854775807"),
        ((*RUN, "--held-out", "secret"), "task micro_prompt has no held-out items"),
        ((*RUN, "--held-out", "secret", "--fresh", "7"), "--fresh and --held-out each name other items"),
        (("run", "--submission", "random", "--task", ""), "--task names nothing"),
        (("run", "--submission", "random", "--task", ","), "--task names nothing"),
        (("run", "--submission", "random", "--task", LONG), "no task is called 'xxx"),
        (("run", "--submission", "random", "--task", "a\0b"), "no task is called 'a\\x00b'"),
        (("run", "--submission", "random", "--task", "a\nb\x1b[2J"), "no task is called 'a\\nb\\x1b[2J'"),
        (("run", "--task", "micro_prompt", "--submission", LONG), "no submission is called 'xxx"),
        (("run", "--task", "micro_prompt", "--submission", "all,random"), "name `all` alone, or the others"),
        ((*RUN, "--device", "CPU"), "devices: auto, cpu, cuda"),
        ((*RUN, "--dtype", "float16"), "no dtype is called 'float16'; dtypes: float32, bfloat16"),
        ((*RUN, "--dtype", LONG), "dtypes: float32, bfloat16"),
        ((*RUN, "--batch-size", "0"), "'--batch-size': Input should be greater than or equal to 1"),
        ((*RUN, "--batch-size", "many"), "'--batch-size': Input should be a valid integer"),
        ((*RUN, "--out", "file"), "file is no folder; name another one"),
        ((*RUN, "--out", "file/runs"), "--out file/runs: Not a directory; name another folder"),
        ((*RUN, "--out", "loop"), "--out loop: Too many levels of symbolic links"),
        ((*RUN, "--out", LONG), "File name too long; name another folder"),
        ((*RUN, "--out", "/dev/null"), "/dev/null is no folder"),
        ((*RUN, "--out", "a\0b"), "null byte"),
        ((*RUN, "--seed"), "requires an argument"),
        ((*RUN, "--nosuch"), "see `earwitness run --help`"),
        ((*RUN, "extra"), "unexpected extra argument"),
        (("tasks", LONG), "no task is called 'xxx"),
        (("submissions", LONG), "no submission is called 'xxx"),
        (("score", LONG), "is no run: it has no run.json"),
        (("verify", "file"), "file is no run: it has no run.json"),
        (("board", "--out", "file"), "file is no folder"),
        (("board", "--runs", LONG), "xxx: File name too long"),
        (("leaderboard", "--board", LONG), "no board in"),
        (("leaderboard", "--port", "99999"), "less than or equal to 65535"),
        (("leaderboard", "--port", "0"), "greater than or equal to 1"),
        (("compare", LONG, "b"), ""),
        (("check", LONG), "no such baseline"),
        (("check", "file", "--against", "."), "is no file: name the baseline's Parquet file"),
        (("check", "file", "--against", LONG), "no such baseline"),
        (("check", "file", "--junit", LONG), "cannot write xxx"),
        (("baseline", "update", LONG), ""),
        (("train", "micro_prompt", "--out", "file"), "file is no folder"),
        (("train", "micro_prompt", "--twin", "0"), "greater than or equal to 1"),
        (("train", "micro_prompt", "--twin", "-1"), "greater than or equal to 1"),
        (("train", "micro_prompt", "--unmasked"), "--unmasked is for twins alone; give --twin SEED, too"),
        (("train", "micro_prompt", "--twin", "1", "--out", "file"), "file is no folder"),
        (("train", "micro_oobleck", "--twin", "1", "--unmasked"), "its recipe masks nothing that could be left"),
        (("train", "musicgen_musiccaps", "--twin", "1"), "no training recipe for twins; tasks with one: micro_prompt"),
        (("train", "nothing", "--twin", "1"), "no task is called 'nothing'"),
        (("validate", LONG), "no submission is called 'xxx"),
        (("validate", "random", "--device", "tpu"), "no device is called 'tpu'; devices: auto, cpu, cuda"),
        (("new", "", *NEW), "call it my_explainer, say"),
        (("new", "é", *NEW), "call it my_explainer, say"),
        (("new", "1x", *NEW), "call it my_explainer, say"),
        (("new", "a/B", *NEW), "call it b, say"),
        (("new", "a\n", *NEW), "call it my_explainer, say"),
        (("new", "class", *NEW), "call it my_explainer, say"),
        (("new", LONG, *NEW), "call it my_explainer, say"),
        (("new", "file", *NEW), "file exists; choose another name"),
        (("new", "loop", *NEW), "loop"),
        (("new", "file/mine", *NEW), "NAME file: "),
        (("new", "mine", "--track", LONG), "no track is called"),
        (("new", "mine"), "a submission is for one track: add --track "),
        (("new", "my-loo", *NEW), "call it my_loo, say"),
        (("new", "mine", "--kind", "modle", *NEW), "no kind is called 'modle'; kinds: submission, task, model"),
        (("validate", "random", "--kind", "modle"), "no kind is called 'modle'; kinds: submission, task, model"),
        (("validate", "musicgn"), "did you mean the model 'musicgen'?"),
        (("validate", "musicgen"), "--source says which model to read: a folder, a hub id or a task with its own"),
        (("validate", "random", "--track", LONG), "no track is called"),
        (("validate", "numpy:array"), "say which by --kind submission|task|model"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_leaves_nothing(
    earwitness: Earwitness, words: tuple[str, ...], says: str
) -> None:
    before = sorted(Path.cwd().iterdir())
    code, out, err = earwitness(*words)
    assert (code, out) == (USAGE, ""), err
    assert err.startswith("earwitness: ")
    assert err.rstrip("\n").isprintable()
    assert says in err
    assert "Errno" not in err
    assert sorted(Path.cwd().iterdir()) == before


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("run --task micro_prompt --submission random --submission=attention", "--submission"),
        ("board --runs one --runs two", "--runs"),
        ("explain --task a --task b --submission random --prompt x", ""),
        ("check --base HEAD --task one --task two", "--task"),
    ],
)
def test_an_option_that_takes_a_list_is_refused_where_it_stands_twice(
    earwitness: Earwitness, line: str, option: str
) -> None:
    code, out, err = earwitness(*line.split())
    assert (code, out) == (2, "")
    assert (f"{option} is given 2 times; name all in one, with commas" in err) is bool(option)


def test_a_device_that_is_not_here_is_refused_before_anything_is_made(
    earwitness: Earwitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def no_cuda(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr("earwitness.box.devices.subprocess.run", no_cuda)
    for words in ((*RUN, "--device", "cuda"), ("validate", "random", "--device", "cuda")):
        code, _, err = earwitness(*words)
        assert code == USAGE
        assert err.startswith("earwitness: device cuda: torch sees no CUDA device here; use --device cpu")
        assert not Path("runs").exists()
    assert len(asked) == 2


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(EarwitnessError, match=f"^--out .*: {tmp_path} cannot be written to; name another folder$"):
        writable(tmp_path / "not" / "there", "--out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["\udcc3\udca9", "a\nb", "a\x1b[2J"])
def test_a_folder_whose_name_is_no_text_is_refused(earwitness: Earwitness, name: str) -> None:
    """Bytes that the locale lacks come as lone surrogates; what writes files cannot take them."""
    code, _, err = earwitness(*RUN, "--out", name)
    assert (code, err.count("\n")) == (USAGE, 1)
    assert "; set PYTHONUTF8=1, or name another folder" in err
    assert not Path(name).exists()


def test_a_full_disk_anywhere_is_one_line(earwitness: Earwitness, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> list[str]:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr("earwitness.registry.task_ids", full)
    assert earwitness("tasks") == (USAGE, "", "earwitness: cannot read or write somewhere: No space left on device\n")


@pytest.mark.parametrize("code", [0, 1, None, "text"])
def test_a_librarys_exit_is_a_fault_and_no_answer(
    earwitness: Earwitness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: object
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("earwitness.registry.task_ids", lambda: sys.exit(code))  # type: ignore[arg-type]
    found, _, err = earwitness("tasks")
    assert (found, err.count("\n")) == (FAULT, 1)
    assert "fault of the program: SystemExit" in err


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    words = line.replace("earwitness", f"{sys.executable} -m earwitness.cli", 1)
    return subprocess.run(
        ["bash", "-c", f"{words}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        cwd=folder,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("line", ["earwitness submissions --json | true", "earwitness --help | true"])
def test_a_reader_that_leaves_ends_a_verb_quietly(tmp_path: Path, line: str) -> None:
    found = shell(line, tmp_path)
    assert (found.returncode, found.stderr) == (CLOSED_PIPE, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_output_is_one_line(tmp_path: Path) -> None:
    found = shell("earwitness submissions > /dev/full", tmp_path)
    assert found.returncode == USAGE
    assert found.stderr == b"earwitness: cannot read or write what was asked for: No space left on device\n"
    assert shell("earwitness submissions nosuch 2> /dev/full", tmp_path).returncode == USAGE


@pytest.mark.parametrize("line", ["earwitness submissions >&-", "earwitness submissions random 2>&-"])
def test_a_verb_works_without_a_stream(tmp_path: Path, line: str) -> None:
    assert shell(line, tmp_path).returncode == 0


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def test_a_table_loses_nothing_in_a_narrow_ascii_terminal(tmp_path: Path) -> None:
    """Half a path is none, and an ellipsis is no letter of ASCII."""
    program = (
        "from earwitness.cli.output import print_table\n"
        "print_table('', ['run'], [['" + "/".join(["a long folder"] * 12) + "/end']])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, env={**os.environ, **ASCII})
    text = found.stdout.decode("ascii")
    assert "".join(line.strip("|").rstrip() for line in text.splitlines()[3:-1]).endswith("/end")
    assert "?" not in text


def test_a_name_that_ascii_lacks_is_refused_in_ascii(tmp_path: Path) -> None:
    found = shell("earwitness tasks né", tmp_path, **ASCII)
    assert found.returncode == USAGE
    assert found.stderr.isascii()
    assert found.stderr.startswith(b"earwitness: no task is called 'n")
