import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earwitness import registry
from earwitness.cli import app, main
from earwitness.version import VERSION

HEAVY = ("torch", "transformers", "pandas", "streamlit", "numpy", "pyarrow", "pydantic", "duckdb", "datasets", "scipy")
VERBS = (
    "tasks", "submissions", "run", "score", "verify", "board", "leaderboard", "compare", "check", "baseline", "new",
    "validate", "train", "explain",
)  # fmt: skip
runner = CliRunner()


def command(*words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["earwitness", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    code = caught.value.code
    return (code if isinstance(code, int) else 0), captured.out, captured.err


@pytest.fixture
def earwitness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    return lambda *words: command(*words, monkeypatch=monkeypatch, capsys=capsys)


def test_help_answers_in_under_three_tenths_of_a_second() -> None:
    """CPU time, the best of three: a busy machine must not fail it."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'earwitness.cli', '--help'], check=True, stdout=subprocess.DEVNULL)\n"
        "usage = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(usage.ru_utime + usage.ru_stime)"
    )
    seconds = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
    assert min(seconds) < 0.3


def test_the_version_and_the_short_form_of_help(earwitness) -> None:
    assert earwitness("--version") == (0, f"earwitness {VERSION}\n", "")
    for words in ((), ("run",), ("baseline", "update")):
        assert earwitness(*words, "-h") == earwitness(*words, "--help")


def test_what_libraries_foretell_is_kept_from_who_reads_verdicts_but_not_from_who_asks() -> None:
    code = (
        "import subprocess, sys, warnings\n"
        "from earwitness.cli import quieten\n"
        "quieten()\n"
        "warnings.warn('deprecated', FutureWarning)\n"
        "later = 'import warnings; warnings.warn(\"deprecated\", FutureWarning)'\n"
        "subprocess.run([sys.executable, *subprocess._args_from_interpreter_flags(), '-c', later])\n"
    )
    said = [
        subprocess.run([sys.executable, *asked, "-c", code], capture_output=True, text=True, check=True).stderr
        for asked in ((), ("-W", "default"))
    ]
    assert said[0] == ""
    assert said[1].count("FutureWarning: deprecated") == 2


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, earwitness.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_process_that_drives_a_run_never_loads_torch() -> None:
    code = (
        "import sys\n"
        "import earwitness.harness.run, earwitness.harness.verify, earwitness.harness.validation\n"
        "import earwitness.harness.engines.local, earwitness.box.process, earwitness.tracks.prompt\n"
        "from earwitness import registry\n"
        "[registry.task(id) for id in registry.task_ids()]\n"
        "print([name for name in ('torch', 'transformers', 'streamlit', 'pandas') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(verb: str) -> None:
    result = runner.invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_an_unknown_name_is_one_line_with_the_nearest_one(earwitness) -> None:
    code, out, err = earwitness("tasks", "musicgen_musicap")
    assert (code, out) == (2, "")
    assert err.startswith("earwitness: no task is called 'musicgen_musicap'")
    assert "did you mean 'musicgen_musiccaps'?" in err
    assert err.count("\n") == 1


def test_an_unknown_verb_is_a_usage_error_with_the_nearest_one(earwitness) -> None:
    code, _, err = earwitness("taks")
    assert code == 2
    assert "tasks" in err


def test_tasks_and_submissions_are_listed(earwitness) -> None:
    for verb, ids in (("tasks", registry.task_ids()), ("submissions", registry.submission_ids())):
        code, out, _ = earwitness(verb)
        assert code == 0
        for name in ids:
            assert name in out
        code, out, _ = earwitness(verb, "--json")
        assert [entry["id"] for entry in json.loads(out)] == ids


def test_a_card_is_shown_whole(earwitness) -> None:
    code, out, _ = earwitness("tasks", "musicgen_musiccaps", "--json")
    record = json.loads(out)
    assert code == 0
    assert record["hash"] == registry.task("musicgen_musiccaps").hash
    assert record["metrics"][0]["id"] == registry.task("musicgen_musiccaps").card.metrics[0].id
    assert record["takes"]["parameters"] == 586_884_674
    assert record["takes"]["said"].endswith("before activations; hours not measured")
    code, out, _ = earwitness("tasks", "musicgen_musiccaps")
    assert "facebook/musicgen-small" in out
    assert "about 2.2 GiB of memory for 586,884,674 parameters in float32" in out
    code, out, _ = earwitness("submissions", "random")
    assert code == 0
    assert "control" in out


TASK = ("run", "--task", "musicgen_musiccaps")
RUN = (*TASK, "--submission", "random")


def test_without_slurm_a_run_by_it_is_refused_in_one_line(earwitness, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = earwitness(*RUN, "--engine", "slurm")
    assert (code, out) == (2, "")
    assert err == "earwitness: --engine slurm: no sbatch is here; run on a machine that submits jobs to Slurm\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--engine", "ray"), "ray is not installed: pip install 'earwitness[ray]'"),
        (("--isolation", "cage"), "no isolation level is called 'cage'; levels: bwrap, landlock, process"),
        (("--untrusted", "--isolation", "process"), "--untrusted: isolation 'process' keeps nothing from a submission"),
        (("--device", "tpu"), "no device is called 'tpu'; devices: auto, cpu, cuda"),
        (("--submission", "randon"), "did you mean 'random'?"),
        (("--submission", ","), "--submission names nothing"),
    ],
)
def test_what_a_run_cannot_do_is_one_line_and_leaves_nothing(earwitness, options: tuple[str, ...], says: str) -> None:
    code, out, err = earwitness(*(TASK if "--submission" in options else RUN), *options)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not Path("runs").exists()


def test_a_run_without_a_submission_is_a_usage_error(earwitness) -> None:
    code, _, err = earwitness("run", "--task", "musicgen_musiccaps")
    assert code == 2
    assert "--submission" in err


@pytest.mark.parametrize("verb", ["score", "verify"])
def test_a_folder_that_is_no_run_is_named(earwitness, tmp_path: Path, verb: str) -> None:
    code, _, err = earwitness(verb, str(tmp_path))
    assert code == 2
    assert f"{tmp_path} is no run: it has no run.json" in err


def test_a_board_of_nothing_says_what_to_do(earwitness) -> None:
    code, _, err = earwitness("board")
    assert code == 2
    assert "earwitness run" in err


def test_training_a_task_without_a_recipe_names_those_that_have_one(earwitness) -> None:
    code, _, err = earwitness("train", "musicgen_musiccaps")
    assert code == 2
    assert "no training recipe" in err


def test_a_broken_pipe_is_no_traceback(tmp_path: Path) -> None:
    words = f"{sys.executable} -m earwitness.cli submissions --json | head -c 1"
    result = subprocess.run(words, shell=True, capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert "Traceback" not in result.stderr


def test_an_interrupt_is_one_line_with_the_exit_code_of_interrupts(earwitness, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "task_ids", interrupted)
    assert earwitness("tasks") == (130, "", "earwitness: interrupted; the same command resumes\n")


def test_a_fault_of_the_program_is_one_line_that_names_its_traceback(
    earwitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[str]:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(registry, "task_ids", broken)
    code, out, err = earwitness("tasks")
    assert (code, out, err.count("\n")) == (70, "", 1)
    assert err.startswith("earwitness: fault of the program: ZeroDivisionError: division by zero; the traceback is in ")
    written = Path(err.strip().rpartition(" ")[2])
    assert "in broken" in written.read_text()
    written.unlink()


def test_a_fault_in_a_verb_of_a_verb_is_no_answer_either(earwitness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(Path.cwd() / "nowhere"))
    monkeypatch.setattr("earwitness.gate.read_rows", lambda runs: 1 / 0)
    code, _, err = earwitness("baseline", "update", "runs")
    assert (code, err.count("\n")) == (70, 1)
    assert "the traceback could not be written: No such file or directory" in err


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LANG": "C", "PYTHONUTF8": "0", "LC_ALL": "C"}]
)
def test_an_ascii_terminal_gets_every_table(tmp_path: Path, environment: dict[str, str]) -> None:
    for words in (["tasks", "micro_prompt"], ["submissions"], ["tasks", "nön"]):
        command = [sys.executable, "-m", "earwitness.cli", *words]
        found = subprocess.run(command, capture_output=True, cwd=tmp_path, env={**os.environ, **environment})
        assert found.returncode in (0, 2), found.stderr
        assert b"Error" not in found.stderr
