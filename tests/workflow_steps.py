"""A faked runner of GitHub's: it renders expressions and runs the shell steps of a file in their order."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
TERM = re.compile(r"^([\w.-]+) (==|!=) '([^']*)'$")


@dataclass
class Runner:
    """Runs steps in a folder; `values` are what expressions stand for, by name (`inputs.base`)."""

    folder: Path
    values: dict[str, str]
    action: Path = Path()
    environment: dict[str, str] = field(default_factory=dict)
    """Beside PATH and HOME."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    log: str = ""
    ran: list[str] = field(default_factory=list)
    """Names of the steps that ran."""

    def run(self, steps: list[dict[str, Any]], without: tuple[str, ...] = ()) -> int:
        """The exit code of the first step that fails, 0 where none does; later ones run where they always do."""
        failed = 0
        for step in steps:
            if "run" not in step or step.get("name") in without or not self.wanted(step.get("if", ""), bool(failed)):
                continue
            self.ran.append(step.get("name", ""))
            code = self.step(step)
            failed = failed or code
        return failed

    def wanted(self, condition: str, failed: bool) -> bool:
        """Whether a step runs: conditions are `always()`, comparisons with a text, and `&&` of them."""
        terms = [term.strip() for term in condition.split("&&")] if condition else []
        if failed and "always()" not in terms:
            return False
        return all(self.holds(term) for term in terms if term != "always()")

    def holds(self, term: str) -> bool:
        found = TERM.match(term)
        assert found is not None, f"a condition that this runner does not know: {term}"
        return (self.value(found.group(1)) == found.group(3)) is (found.group(2) == "==")

    def value(self, name: str) -> str:
        if name.startswith("steps."):
            _, step, _, output = name.split(".")
            return self.outputs.get(step, {}).get(output, "")
        known = {"runner.temp": str(self.folder / "temp"), **self.values}
        assert name in known, f"an expression that this runner does not know: {name}"
        return self.render(known[name])

    def render(self, text: str) -> str:
        """A text with its expressions replaced."""
        return EXPRESSION.sub(lambda found: self.value(found.group(1)), text)

    def step(self, step: dict[str, Any]) -> int:
        assert "${{" not in step["run"], "an expression in a script is code that anyone may inject"
        output = self.folder / "output"
        output.touch()
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_ACTION_PATH": str(self.action),
            **self.environment,
            **{name: self.render(str(text)) for name, text in step.get("env", {}).items()},
        }
        script = self.folder / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        place = self.folder / self.render(step.get("working-directory", "."))
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=1200)
        self.log += done.stdout + done.stderr
        pairs = (line.partition("=") for line in output.read_text(encoding="utf-8").splitlines())
        self.outputs[step.get("id", "")] = {name: text for name, _, text in pairs}
        output.unlink()
        return done.returncode


def executable(path: Path, script: str) -> None:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
