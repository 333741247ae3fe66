"""submission.yml and comment.yml: what they may do, and their shell steps in order, around a run that is faked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from workflow import HERE, ROOT, checkout, flow, opened, python_of, runner, steps

from earwitness.pull_requests.comment import MARK
from small_git import begun, commit, git, submission
from workflow_steps import Runner, executable

NAMES = ("Makefile", "pyproject.toml", "requirements-nodeps.txt")
BASE = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES} | {"tasks/a/task.toml": "x = 1\n"}
FAKE = """
if [[ "$*" == "-P -m earwitness.pull_requests "* ]]; then
    printf '%s\\n' "$*" >> "{log}"; env >> "{log}.env"
    echo "::add-mask::stolen"
    while [[ "$1" != --report ]]; do shift; done
    mkdir -p "$(dirname "$2")"; echo "### earwitness submission: mine fails" > "$2"
    exit 4
fi
"""
GH = """#!/bin/bash
printf '%s\\n' "$*" >> "{log}"
case "$*" in
    *actions/runs/*) echo 9;;
    *artifacts/9/zip*) cat "{archive}";;
    *--paginate*) ;;
    *pulls*) printf '%s' "{number}";;
esac
"""


def pull_request(folder: Path, files: dict[str, str]) -> Runner:
    """A runner beside the base's checkout, for a pull request that changes files."""
    origin = begun(folder / "origin", BASE)
    commit(origin, files)
    git(origin, "switch", "--quiet", "main")
    head = opened(origin, 7, "mine")
    place = checkout(folder, origin)
    python_of(place, ROOT / "benchmark", FAKE.format(log=folder / "calls"))
    return runner(folder, 7, head)


def test_what_a_pull_request_adds_is_taken_scored_and_told(tmp_path: Path) -> None:
    github = pull_request(tmp_path, submission("mine"))
    assert github.run(steps(), without=HERE) == 2, github.log
    assert github.ran[-1] == "Summary"
    assert (tmp_path / "checkout" / "submissions" / "mine" / "explainer.py").is_file()
    (call,) = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    base, head = github.environment["BASE"], github.environment["HEAD"]
    out, report = tmp_path / "temp" / "earwitness" / "runs", tmp_path / "temp" / "earwitness" / "report.md"
    assert call == (
        "-P -m earwitness.pull_requests submissions/mine --items 8 --baselines random,attention,aiba,pca "
        f"--out {out} --report {report} --base {base} --head {head}"
    )
    assert (tmp_path / "summary.md").read_text(encoding="utf-8") == report.read_text(encoding="utf-8")
    lines = github.log.splitlines()
    stopped = next(line.removeprefix("::stop-commands::") for line in lines if line.startswith("::stop-commands::"))
    assert len(stopped) == 32
    assert lines.index("::add-mask::stolen") < lines.index(f"::{stopped}::")
    names = {line.partition("=")[0] for line in (tmp_path / "calls.env").read_text(encoding="utf-8").splitlines()}
    assert not [name for name in names if "TOKEN" in name or "SECRET" in name]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({**submission("mine"), "tasks/a/task.toml": "x = 2\n"}, "tasks/a/task.toml (a task)"),
        ({**submission("mine"), "Makefile": "submission:\n\techo stolen\n"}, "changes Makefile"),
        ({**submission("mine"), **submission("other")}, "this one adds mine, other"),
        ({"submissions/$(touch x)/submission.toml": "x"}, "that name is no id"),
    ],
)
def test_a_pull_request_that_does_more_is_told_so_and_nothing_of_it_runs(
    tmp_path: Path, files: dict[str, str], complaint: str
) -> None:
    github = pull_request(tmp_path, files)
    assert github.run(steps(), without=HERE) == 1
    assert github.ran[-2:] == ["Take the one folder that it adds", "Summary"]
    assert complaint in (tmp_path / "summary.md").read_text(encoding="utf-8").replace("\\", "")
    assert not (tmp_path / "calls").exists()
    assert git(tmp_path / "checkout", "status", "--porcelain") == "?? .venv/"


def commented(folder: Path, number: str, archive: Path) -> tuple[Runner, list[str]]:
    """comment.yml's steps for a run, and how gh was called."""
    log = folder / "gh"
    executable(folder / "bin" / "gh", GH.format(log=log, archive=archive, number=number))
    (folder / "temp").mkdir(exist_ok=True)
    job = flow("comment")["jobs"]["comment"]
    event = "github.event.workflow_run"
    values = {
        "github.token": "t0ken",
        "github.repository": "owner/earwitness",
        f"{event}.id": "5",
        f"{event}.head_sha": "c0ffee" * 6 + "beef",
        f"{event}.conclusion": "failure",
        f"{event}.head_repository.owner.login": "stranger",
        f"{event}.head_branch": "a;$(touch stolen)`b`",
        f"{event}.head_repository.id": "77",
    }
    github = Runner(folder, values)
    github.environment = {name: github.render(text) for name, text in job["env"].items()}
    (folder / "here").symlink_to(ROOT)
    assert github.run([{**step, "working-directory": "here"} for step in job["steps"]]) == 0, github.log
    return github, log.read_text(encoding="utf-8").splitlines()


def test_the_comment_is_of_the_events_pull_request_and_of_plain_text(tmp_path: Path) -> None:
    archive = tmp_path / "report.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("report.md", "### earwitness submission: `mine` fails\n\n@all <b>#1</b> pull request 12\n")
        file.writestr("../../bin/gh", "stolen")
    _, calls = commented(tmp_path, "7", archive)
    asked = calls[0]
    assert asked.startswith("api --method GET repos/owner/earwitness/pulls -f state=open -f head=stranger:a;$(touch st")
    assert ".head.sha == env.COMMIT and (.head.repo.id | tostring) == env.SOURCE" in asked
    body = tmp_path / "temp" / "comment.md"
    assert calls[-1] == f"api --method POST repos/owner/earwitness/issues/7/comments -F body=@{body}"
    text = body.read_text(encoding="utf-8")
    assert text.startswith(
        f"{MARK}\nOf commit `c0ffeec0ff`, the workflow ended with `failure`. What follows was written"
    )
    assert text.endswith(
        "### earwitness submission: `mine` fails\n\n@\u200ball \\<b\\>#\u200b1\\</b\\> pull request 12\n"
    )
    assert "stolen" not in (tmp_path / "bin" / "gh").read_text(encoding="utf-8")


def test_without_an_open_pull_request_nothing_is_written(tmp_path: Path) -> None:
    github, calls = commented(tmp_path, "", tmp_path / "none.zip")
    assert len(calls) == 1
    assert github.ran == ["Which pull request it was"]


def test_a_run_of_strangers_has_no_secret_and_a_token_that_reads() -> None:
    found = flow("submission")
    text = (ROOT / ".github" / "workflows" / "submission.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "github.token" not in text
    # YAML reads the key `on` as a truth value.
    assert list(found[True]) == ["pull_request"]
    assert found["permissions"] == {"contents": "read"}
    (job,) = found["jobs"].values()
    assert "permissions" not in job
    (taken,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert taken["with"] == {
        "ref": "${{ github.event.pull_request.base.sha }}",
        "fetch-depth": 0,
        "persist-credentials": False,
    }
    assert not [step for step in job["steps"] if "cache" in json.dumps(step)]


def test_what_writes_checks_out_its_own_code_and_takes_no_number_from_the_run() -> None:
    found = flow("comment")
    assert list(found[True]) == ["workflow_run"]
    assert found[True]["workflow_run"] == {"workflows": [flow("submission")["name"]], "types": ["completed"]}
    assert found["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    (job,) = found["jobs"].values()
    assert job["if"].startswith("github.event.workflow_run.event == 'pull_request' && ")
    (own,) = [step for step in job["steps"] if "uses" in step]
    assert (own["uses"], own["with"]) == ("actions/checkout@v4", {"persist-credentials": False})
    assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", ["ci", "comment", "submission"])
def test_what_holds_for_a_whole_job_asks_nothing_that_only_its_steps_know(name: str) -> None:
    """GitHub refuses a workflow whose job says `runner` or `steps` outside of its steps."""
    for job in flow(name)["jobs"].values():
        outside = json.dumps({key: value for key, value in job.items() if key != "steps"})
        assert not re.findall(r"\$\{\{[^}]*\b(?:runner|steps|env|job)\.", outside)


def test_the_example_lane_is_run_by_ci() -> None:
    jobs = flow("ci")["jobs"]
    ran = [step.get("run", "") for step in jobs["submissions"]["steps"]]
    assert "make examples" in ran
    assert any("apparmor_restrict_unprivileged_userns=0" in line for line in ran)


def test_a_report_of_ones_own_needs_nothing_but_python(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("### earwitness check: pass\n", encoding="utf-8")
    command = [sys.executable, "-S", "-m", "earwitness.pull_requests.comment", str(tmp_path / "report.md")]
    own = {"PYTHONPATH": str(ROOT / "benchmark"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{MARK}\n### earwitness check: pass\n"), done.stderr
