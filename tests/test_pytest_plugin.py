"""The pytest plugin, on a tiny random model and an explainer that is broken on purpose."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from earwitness import gate, registry
from earwitness.harness.inline import Subject, run_object
from earwitness.harness.recipe import Arguments
from gate_task import make_gate_task
from third_party.wordless.src.wordless import LeaveOneOut

pytest_plugins = "pytester"

ITEMS = 24
RULES = ("logit_kl_f worse by >10% at p<0.05", "logit_kl_cf worse by >10% at p<0.05")
EXPLAINER = Path(__file__).parent / "third_party" / "wordless" / "src" / "wordless" / "__init__.py"
TEST = """
import pytest
from wordless import LeaveOneOut

@pytest.mark.faithful(task={task!r}, fail_if={rules!r}, against="baseline.parquet", items={items})
def test_leave_one_out_stays_faithful(faithful):
    report = faithful.check(LeaveOneOut())
    assert report is None or len(report.verdicts) == 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task and the baseline of the intact explainer."""
    folder = tmp_path_factory.mktemp("gate")
    task = registry.task(str(make_gate_task(folder / "task", ITEMS)))
    run = run_object(Subject(LeaveOneOut(), "leave_one_out"), task, Arguments(items=ITEMS, device="cpu"), folder)
    gate.update_baseline(folder / "baseline.parquet", gate.read_rows([run]))
    return folder


@pytest.fixture
def package(pytester: pytest.Pytester, folder: Path) -> pytest.Pytester:
    """A user's checkout: an explainer, its test, its baseline."""
    pytester.makepyfile(wordless=EXPLAINER.read_text(encoding="utf-8"))
    pytester.makepyfile(test_faithful=TEST.format(task=str(folder / "task"), rules=RULES, items=ITEMS))
    (pytester.path / "baseline.parquet").write_bytes((folder / "baseline.parquet").read_bytes())
    return pytester


def shift_by_one_token(package: pytest.Pytester) -> None:
    path = package.path / "wordless.py"
    intact = path.read_text(encoding="utf-8")
    broken = intact.replace("to_map(falls[words])", "to_map(np.roll(falls[words], 1))")
    assert broken != intact
    path.write_text(broken, encoding="utf-8")


def test_an_intact_explainer_passes_each_rule_in_a_test_of_its_own(package: pytest.Pytester) -> None:
    result = package.runpytest_inprocess("-v", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)
    for rule in RULES:
        result.stdout.fnmatch_lines([f"*test_leave_one_out_stays_faithful[[]{rule}[]] PASSED*"])


def test_a_broken_explainer_fails_with_its_verdict_and_without_a_traceback(package: pytest.Pytester) -> None:
    shift_by_one_token(package)
    result = package.runpytest_inprocess("-p", "no:cacheprovider", "--junitxml=report.xml")
    result.assert_outcomes(failed=2)
    output = result.stdout.str()
    assert "regression" in output
    assert "logit_kl_f@top30" in output
    assert "faithful.check(" not in output
    assert (package.path / "report.xml").read_text(encoding="utf-8").count("<failure") == 2


def test_an_explainer_that_fails_on_every_item_says_why_in_one_line(package: pytest.Pytester) -> None:
    path = package.path / "wordless.py"
    code = path.read_text(encoding="utf-8")
    path.write_text(code.replace("return to_map(falls[words])", 'raise ValueError("no idea")'), encoding="utf-8")
    result = package.runpytest_inprocess("-p", "no:cacheprovider", "--show-capture=no")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["leave_one_out on tiny_gate: none of 24 items has a value: failed: ValueError: no idea"]
    )
    assert "During handling" not in result.stdout.str()


def test_too_few_items_pass_with_a_warning(package: pytest.Pytester) -> None:
    path = package.path / "wordless.py"
    code = path.read_text(encoding="utf-8")
    once = "np.roll(falls[words], int('bell' in item.prompt))"
    path.write_text(code.replace("to_map(falls[words])", f"to_map({once})"), encoding="utf-8")
    # A release of transformers may warn of an argument's new name, once a process: that is none of the plugin's.
    result = package.runpytest_inprocess("-p", "no:cacheprovider", "-W", "ignore:`past_key_values`:FutureWarning")
    result.assert_outcomes(passed=2, warnings=2)
    result.stdout.fnmatch_lines(["*InconclusiveWarning: inconclusive: leave_one_out on tiny_gate*"])


def test_the_baseline_is_written_on_request_and_what_changed_is_said_once(package: pytest.Pytester) -> None:
    before = (package.path / "baseline.parquet").read_bytes()
    shift_by_one_token(package)
    result = package.runpytest_inprocess("-p", "no:cacheprovider", "--earwitness-update-baseline")
    result.assert_outcomes(skipped=2)
    lines = [line for line in result.stdout.lines if "leave_one_out on tiny_gate: changed" in line]
    assert len(lines) == 1
    assert "logit_kl_f@top30: mean" in lines[0]
    assert (package.path / "baseline.parquet").read_bytes() != before
    assert pq.read_table(package.path / "baseline.parquet").num_rows == 2 * ITEMS


@pytest.mark.parametrize(
    ("mark", "line"),
    [
        ('task="{task}", fail_if="logit_kl_f wrose by >1% at p<0.05"', "*>>>wrose*expected 'worse'*"),
        ('task="{task}", rules="x"', "*a mark faithful names its task and takes*"),
        ('task="micro_promt", fail_if="size worse by >1 at p<0.05"', "*did you mean 'micro_prompt'?*"),
        ('task="{task}"', "*no rule for task tiny_gate*"),
        ('task="{task}", mode="strict", fail_if="size worse by >1 at p<0.05"', "*mode 'strict' is none of*"),
    ],
)
def test_a_mark_that_cannot_be_read_ends_in_one_line(
    pytester: pytest.Pytester, folder: Path, mark: str, line: str
) -> None:
    given = mark.format(task=folder / "task")
    pytester.makepyfile(f"import pytest\n@pytest.mark.faithful({given})\ndef test_it(faithful):\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([line])
    assert "Traceback" not in result.stdout.str()


def test_a_marked_test_without_the_fixture_is_refused(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.faithful(task='{folder / 'task'}')\ndef test_it():\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_it is marked faithful and does not use the fixture faithful*"])


def test_a_missing_baseline_says_how_to_write_it_before_anything_is_scored(package: pytest.Pytester) -> None:
    (package.path / "baseline.parquet").unlink()
    result = package.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*no such baseline; write it with pytest --earwitness-update-baseline*"])


def test_rules_of_pyproject_serve_a_mark_without_any(package: pytest.Pytester, folder: Path) -> None:
    rules = "\n".join(
        f'    "{rule}",' for rule in (RULES[0], "fid_cf worse by >1% at p<0.05", "speech*: size worse by >1 at p<0.05")
    )
    package.makepyprojecttoml(
        f'[tool.earwitness.check]\nagainst = "baseline.parquet"\nfail_if = [\n{rules}\n]\n[tool.pytest.ini_options]\n'
    )
    package.makepyfile(
        test_faithful=TEST.replace(', fail_if={rules!r}, against="baseline.parquet"', "").format(
            task=str(folder / "task"), items=ITEMS
        )
    )
    result = package.runpytest_inprocess("-p", "no:cacheprovider", "--collect-only", "-q")
    assert [line for line in result.outlines if "[" in line] == [
        f"test_faithful.py::test_leave_one_out_stays_faithful[{RULES[0]}]"
    ]


def test_two_tests_may_not_share_the_rows_of_one_submission(package: pytest.Pytester, folder: Path) -> None:
    text = TEST.format(task=str(folder / "task"), rules=RULES[:1], items=2)
    package.makepyfile(test_faithful=text, test_other=text)
    result = package.runpytest_inprocess("-p", "no:cacheprovider", "--earwitness-update-baseline")
    result.assert_outcomes(skipped=1, failed=1)
    result.stdout.fnmatch_lines(["*two tests score a submission 'leave_one_out' on tiny_gate*"])


def test_speed_is_a_benchmark_and_passes_are_counted(
    pytester: pytest.Pytester, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a worker of xdist pytest-benchmark writes nothing.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile(wordless=EXPLAINER.read_text(encoding="utf-8"))
    pytester.makepyfile(
        f"""
        from wordless import LeaveOneOut

        def test_a_word_costs_one_pass_and_the_whole_prompt_another(explanation_speed):
            found = explanation_speed(LeaveOneOut(), task={str(folder / "task")!r}, items=3)
            assert [(passes.forwards, passes.backwards) for passes in found] == [(6, 0), (6, 0), (6, 0)]
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--benchmark-json=speed.json")
    result.assert_outcomes(passed=1)
    assert '"unit": "seconds per explanation"' in (pytester.path / "speed.json").read_text(encoding="utf-8")


def test_nothing_heavy_is_imported_when_pytest_starts(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    heavy = "{'torch', 'transformers', 'pyarrow', 'scipy', 'pydantic', 'datasets', 'earwitness.gate'}"
    code = (
        "import sys, pytest; code = pytest.main(['-q', '-p', 'no:cacheprovider']); "
        f"assert 'earwitness.pytest_plugin' in sys.modules; print('HEAVY', {heavy} & set(sys.modules)); sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "HEAVY set()" in result.stdout


def test_the_plugin_is_an_entry_point_of_pytest() -> None:
    (point,) = entry_points(group="pytest11", name="earwitness")
    assert point.value == "earwitness.pytest_plugin"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_workers_share_one_scoring(package: pytest.Pytester) -> None:
    result = package.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2", "--earwitness-out=kept")
    result.assert_outcomes(passed=2)
    assert len(list((package.path / "kept").glob("*/tiny_gate__leave_one_out__*"))) == 1
