"""The pytest plugin: `@pytest.mark.faithful`, one test a rule, and the speed of an explainer through pytest-benchmark.

Nothing heavy is imported before a test asks for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import itertools
import re
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from earwitness.gate import CheckReport, Mode, Rule
    from earwitness.harness.inline import Passes
    from earwitness.task import Task

MARK = "faithful"
UPDATE = "--earwitness-update-baseline"
OUT = "--earwitness-out"
OPTIONS = {"task", "fail_if", "against", "mode", "items", "seed", "submission", "device"}
SIGNATURE = (
    f"{MARK}(task, fail_if=..., against=..., mode=..., items=N, seed=S, submission=ID, device='cpu'): the explainer "
    "that the fixture `faithful` checks must be no less faithful than the baseline; what is not given stands in "
    "[tool.earwitness.check] of pyproject.toml"
)
SESSION = pytest.StashKey[str]()
"""Name of this run of pytest, the same in every worker of pytest-xdist."""
CHANGED = "earwitness baseline"
"""Property of a test's report that says what became of the baseline."""


class InconclusiveWarning(pytest.PytestWarning):
    """A test passed, and too few items were there to have seen the loss that its rule forbids."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("earwitness", "faithfulness of explainers")
    group.addoption(UPDATE, action="store_true", help="write what tests marked faithful score into their baseline")
    group.addoption(OUT, metavar="DIR", help="keep the runs of tests marked faithful under DIR")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark and name the session."""
    config.addinivalue_line("markers", SIGNATURE)
    worker = getattr(config, "workerinput", {})
    config.stash[SESSION] = str(worker.get("testrunuid", uuid.uuid4().hex))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a rule."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    if MARK not in metafunc.fixturenames:
        pytest.fail(f"{metafunc.definition.nodeid} is marked {MARK} and does not use the fixture {MARK}", pytrace=False)
    with _one_line():
        settings = read_mark(mark, metafunc.config.rootpath)
    chosen = [(settings, rule) for rule in settings.rules]
    metafunc.parametrize(MARK, chosen, ids=[rule.text for rule in settings.rules], indirect=True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say once what became of the baselines."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    lines = dict.fromkeys(line for name, text in properties if name == CHANGED for line in str(text).splitlines())
    if lines:
        terminalreporter.section("earwitness")
        for line in lines:
            terminalreporter.write_line(line)


@dataclass(frozen=True)
class MarkSettings:
    """What a mark and the settings in pyproject.toml ask for together."""

    task: Task
    rules: tuple[Rule, ...]
    against: Path
    mode: Mode
    submission: str | None
    items: int | None
    seed: int
    device: str


def read_mark(mark: pytest.Mark, root: Path) -> MarkSettings:
    """What a mark asks for, the rest from pyproject.toml in `root` or above; raises EarwitnessError."""
    from earwitness import registry
    from earwitness.errors import EarwitnessError
    from earwitness.gate import Mode, parse, read_settings

    unknown = sorted(set(mark.kwargs) - OPTIONS)
    if unknown or mark.args or "task" not in mark.kwargs:
        raise EarwitnessError(f"a mark {MARK} names its task and takes {', '.join(sorted(OPTIONS))}, each by its name")
    given, settings = mark.kwargs, read_settings(root)
    task = registry.task(str(given["task"]))
    texts = given.get("fail_if")
    if texts is not None:
        rules = tuple(parse(text) for text in ([texts] if isinstance(texts, str) else texts))
    else:
        rules = tuple(r for r in settings.fail_if if any(r.matches(task.id, metric.id) for metric in task.card.metrics))
    if not rules:
        raise EarwitnessError(
            f"no rule for task {task.id}: give the mark fail_if='...', or [tool.earwitness.check] one"
        )
    if given.get("mode", settings.mode) not in list(Mode):
        raise EarwitnessError(f"mode {given['mode']!r} is none of {', '.join(Mode)}")
    return MarkSettings(
        task=task,
        rules=rules,
        against=root / given["against"] if "against" in given else settings.against,
        mode=Mode(given.get("mode", settings.mode)),
        submission=given.get("submission"),
        items=given.get("items"),
        seed=given.get("seed", 0),
        device=given.get("device", "cpu"),
    )


class Faithful:
    """Checks an explainer object against the baseline by one rule of its test."""

    def __init__(self, request: pytest.FixtureRequest, settings: MarkSettings, rule: Rule, out: Path) -> None:
        self._node: Any = request.node
        self._update = bool(request.config.getoption(UPDATE))
        self._settings = settings
        self._rule = rule
        self._out = out
        self._calls = itertools.count()

    def check(self, explainer: Any) -> CheckReport:
        """Score the task's items with an explainer and fail the test where the rule finds it less faithful.

        `explainer` is an object of a class that subclasses its track's base. It is scored once a test, however many
        rules the test has. Under `--earwitness-update-baseline` the rows are written into the baseline instead, and
        the test is skipped. Returns the verdicts of the rule.
        """
        __tracebackhide__ = True
        with _one_line():
            self._refuse_missing_baseline()
            name, rows = self._rows(explainer)
            if self._update:
                self._write(rows)
            report = self._report(name, rows)
        text = _text(report)
        if report.exit_code:
            pytest.fail(text, pytrace=False)
        print(text)
        from earwitness.gate.reports import sentence

        for verdict in report.verdicts:
            if verdict.outcome == "inconclusive":
                warnings.warn(InconclusiveWarning(sentence(verdict)), stacklevel=2)
        return report

    def _refuse_missing_baseline(self) -> None:
        from earwitness.errors import EarwitnessError

        against = self._settings.against
        if not self._update and not against.is_file():
            raise EarwitnessError(f"{against}: no such baseline; write it with pytest {UPDATE}, and review it")

    def _rows(self, explainer: Any) -> tuple[str, pa.Table]:
        """The submission's id and its rows, made by the first test that asks for them."""
        from earwitness import gate
        from earwitness.harness.inline import Subject, run_object
        from earwitness.harness.recipe import Arguments
        from earwitness.harness.stages import drop_stale_originals

        settings = self._settings
        name = settings.submission or _snake(type(explainer).__name__)
        origin = f"{self._node.nodeid.replace(self._rule.text, '')} {next(self._calls)}"
        self._claim(name, origin)
        with _locked(self._out / "originals"):
            drop_stale_originals(self._out)
        arguments = Arguments(items=settings.items, seed=settings.seed, device=settings.device)
        with _locked(self._out / hashlib.sha256(origin.encode()).hexdigest()[:16]):
            run = run_object(Subject(explainer, name, origin), settings.task, arguments, self._out)
        return name, gate.read_rows([run])

    def _claim(self, name: str, origin: str) -> None:
        """Keep two tests from taking each other's rows in the baseline for their own."""
        from earwitness.errors import EarwitnessError

        path = self._out / f".{self._settings.task.id}.{name}.of"
        with _locked(path):
            if not path.is_file():
                path.write_text(origin, encoding="utf-8")
            if path.read_text(encoding="utf-8") != origin:
                raise EarwitnessError(
                    f"two tests score a submission {name!r} on {self._settings.task.id}; give a mark submission='...'"
                )

    def _report(self, name: str, rows: pa.Table) -> CheckReport:
        """Verdicts of the test's rule, its p-values adjusted for all rules of the test."""
        from dataclasses import replace

        import pyarrow.compute as pc

        from earwitness import gate
        from earwitness.errors import EarwitnessError

        settings = self._settings
        baseline = gate.read_baseline(settings.against)
        baseline = baseline.filter(pc.equal(baseline["task"], settings.task.id))
        if name not in baseline["submission"].to_pylist():
            raise EarwitnessError(
                f"{settings.against} holds no rows of {name} on {settings.task.id}; write them with pytest {UPDATE}"
            )
        report = gate.check(rows, baseline, settings.rules, settings.mode)
        return replace(report, verdicts=tuple(v for v in report.verdicts if v.rule == self._rule))

    def _write(self, rows: pa.Table) -> None:
        """Write the rows into the baseline, if no other rule of the test has, and skip the test."""
        from earwitness import gate

        against = self._settings.against
        written = self._out / f".{hashlib.sha256(str(against).encode()).hexdigest()[:16]}.written"
        with _locked(written):
            changes = gate.update_baseline(against, rows)
        lines = [
            f"{against}: {change.submission} on {change.task}: {'; '.join([change.kind, *change.lines])}"
            for change in changes.changes
            if change.kind != "unchanged"
        ]
        self._node.user_properties.append((CHANGED, "\n".join(lines)))
        pytest.skip(f"{against.name} holds these rows now; nothing was checked")


@pytest.fixture
def faithful(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Faithful:
    """Checks an explainer: `faithful.check(MyExplainer())` in a test marked `@pytest.mark.faithful(task=...)`."""
    if not hasattr(request, "param"):
        pytest.fail(f"the fixture {MARK} serves tests marked @pytest.mark.{MARK}(task=...)", pytrace=False)
    settings, rule = request.param
    return Faithful(request, settings, rule, _out(request.config, tmp_path_factory))


class ExplanationSpeed:
    """Times an explainer with pytest-benchmark, one explanation a round, and counts its passes of the model."""

    def __init__(self, request: pytest.FixtureRequest, out: Path) -> None:
        self._request = request
        self._out = out

    def __call__(self, explainer: Any, task: str, items: int = 4, seed: int = 0, device: str = "cpu") -> list[Passes]:
        """The passes of each of the task's first items, counted beside the clock; the table shows seconds.

        Under `--benchmark-disable` one item is explained and nothing is timed. Raises EarwitnessError where an
        explanation fails.
        """
        from earwitness import registry
        from earwitness.harness.inline import count_passes, first_items, open_bench

        benchmark = self._request.getfixturevalue("benchmark")
        with _one_line():
            found = registry.task(task)
            bench = open_bench(explainer, found, device)
            inputs = first_items(found, items, seed, self._out)
            passes = count_passes(bench, inputs)
        turn = itertools.cycle(inputs)
        benchmark.extra_info |= {
            "unit": "seconds per explanation",
            "task": found.id,
            "forwards": [entry.forwards for entry in passes],
            "backwards": [entry.backwards for entry in passes],
        }
        benchmark.pedantic(explainer.explain, setup=lambda: ((bench.model, next(turn)), {}), rounds=len(inputs))
        return passes


@pytest.fixture
def explanation_speed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ExplanationSpeed:
    """Seconds per explanation through pytest-benchmark; returns the counted passes, to be asserted exactly."""
    if not request.config.pluginmanager.hasplugin("benchmark"):
        pytest.fail(
            "the fixture explanation_speed needs pytest-benchmark: pip install 'earwitness[test]'", pytrace=False
        )
    return ExplanationSpeed(request, _out(request.config, tmp_path_factory))


def _out(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    """Folder of the session's runs, shared by the workers of pytest-xdist."""
    base, given = factory.getbasetemp(), config.getoption(OUT)
    shared = base.parent if hasattr(config, "workerinput") else base
    out = Path(given).resolve() if given else shared / "earwitness"
    out = out / config.stash[SESSION][:12]
    out.mkdir(parents=True, exist_ok=True)
    return out


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """An error that a user can cause fails the test, or the collection, with its one line."""
    from earwitness.errors import EarwitnessError

    __tracebackhide__ = True
    try:
        yield
    except EarwitnessError as error:
        raise pytest.fail.Exception(" ".join(str(error).split()), pytrace=False) from None


def _text(report: CheckReport) -> str:
    from rich.console import Console

    from earwitness import gate

    console = Console(file=io.StringIO(), width=120, record=True)
    gate.print_report(report, console)
    return console.export_text().rstrip()


def _snake(name: str) -> str:
    """A class's name as a submission's id.

    >>> _snake("LeaveOneOut"), _snake("KernelSHAP")
    ('leave_one_out', 'kernel_shap')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().lstrip("_")
