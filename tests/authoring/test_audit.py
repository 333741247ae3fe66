"""An audit from end to end: planted metrics on a tiny model, stored with the task, printed, read by the board."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from earwitness.authoring import ceilings
from earwitness.authoring.audit import audit, changes
from earwitness.authoring.tried import Trial
from earwitness.board.facts import task_facts
from earwitness.errors import EarwitnessError
from earwitness.results.audits import read_audit
from earwitness.task import MetricCard, Task, read_task
from in_process import earwitness_here

sys.path.append(str(Path(__file__).parents[1] / "cli"))

from tiny_task import PROMPTS, make_tiny_task

SOUND, USELESS, GAMEABLE = "planted_sound", "planted_useless", "planted_gameable"
ITEMS = 12


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A tiny task whose ceilings are the first word alone, by three planted metrics."""
    folder = make_tiny_task(tmp_path_factory.mktemp("audited"), [*PROMPTS, *PROMPTS, *PROMPTS][:ITEMS])
    card = (folder / "task.toml").read_text(encoding="utf-8")
    card = re.sub(r"\[\[metrics\]\].*", "", card, flags=re.DOTALL).replace('"logit_kl_f@top50"', f'"{SOUND}"')
    card += "".join(
        f'[[metrics]]\nmetric = "planted_audit:{name}"\nheadline = true\n' for name in (SOUND, USELESS, GAMEABLE)
    )
    (folder / "task.toml").write_text(card + '[[metrics]]\nmetric = "size"\n', encoding="utf-8")
    found = read_task(folder)
    rng = np.random.default_rng(0)
    values = {SOUND: lambda: 1.0, USELESS: rng.random, GAMEABLE: lambda: 0.8}
    rows = [
        ceilings.row(ceilings.BEST, metric, f"clip{item:03d}", 0, float(value()), "0")
        for item in range(ITEMS)
        for metric, value in values.items()
    ]
    ceilings.write(found, rows)
    return found


def test_a_useless_and_a_gameable_metric_are_flagged_and_a_sound_one_is_not(task: Task) -> None:
    before = task.hash
    found = audit(task, items=None, progress=False)
    assert found.items == ITEMS
    assert read_audit(task.folder / "truth") == found
    assert task.hash == before
    sound, useless, gameable = (found.metrics[name] for name in (SOUND, USELESS, GAMEABLE))
    assert sound.informative
    assert not any(flag.startswith(("uninformative", "unsteady", "gameable: ones")) for flag in sound.flags)
    assert not useless.informative
    assert useless.flags[0].startswith("uninformative")
    assert any(flag.startswith("gameable: ones") for flag in gameable.flags)
    assert found.metrics["size"].flags == []


def test_an_audit_is_of_its_weights(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    audit(task, items=4, progress=False)
    path = task.folder / "truth" / "audit.json"
    monkeypatch.setattr("earwitness.board.facts.registry.task", lambda _: task)
    assert task_facts(task.id, task.hash, []).audit is not None
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, "data_hash": "0123456789abcdef"}), encoding="utf-8")
    facts = task_facts(task.id, task.hash, [])
    assert facts.audit is None
    assert "of other weights or items" in facts.audit_problem


def test_an_interrupted_audit_goes_on_where_it_stopped(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    values = Trial.values

    def counted(trial: Trial, item: object) -> object:
        if len(tried) == 2:
            tried.append("stop")
            raise KeyboardInterrupt
        tried.append(item.id)  # type: ignore[attr-defined]
        return values(trial, item)

    monkeypatch.setattr(Trial, "values", counted)
    with pytest.raises(KeyboardInterrupt):
        audit(task, items=4, progress=False)
    audit(task, items=4, progress=False)
    assert [name for name in tried if name != "stop"] == [f"clip{item:03d}" for item in range(4)]


def test_the_verb_prints_what_speaks_against_a_metric_and_says_no(
    task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", str(task.folder), "--items", str(ITEMS), "--device", "cpu"]
    done = earwitness_here(words, monkeypatch, capsys)
    assert done.code == 1
    assert f"{USELESS}: uninformative" in done.out
    assert f"{ITEMS}/{ITEMS}" not in done.out
    assert f"its headline {USELESS} is not told from the random explainer here" in done.err
    assert len(done.err.strip().splitlines()[-1]) < 300


def test_a_task_without_ceilings_is_refused_in_one_line(tmp_path: Path) -> None:
    bare = read_task(make_tiny_task(tmp_path / "bare"))
    with pytest.raises(EarwitnessError, match="no ceilings of its own model are stored"):
        audit(bare, progress=False)


def test_a_change_is_one_parameter_more_or_otherwise() -> None:
    base = MetricCard(metric="fid_f", parameters={"mask": "top30"})
    judged = MetricCard(metric="fid_f", parameters={"mask": "top30", "judge": "cnn"})
    other = MetricCard(metric="fid_f", parameters={"mask": "top10"})
    assert changes(base, [base, judged, other]) == {"judge cnn": "fid_f@top30+cnn", "mask top10": "fid_f@top10"}
    assert changes(judged, [base]) == {}


def test_another_question_is_no_change() -> None:
    ids = {"loudness": MetricCard(metric="steer", parameters={"factor": "loudness", "k": 4})}
    ids["fewer"] = MetricCard(metric="steer", parameters={"factor": "loudness", "k": 1})
    ids["pitch"] = MetricCard(metric="steer", parameters={"factor": "pitch", "k": 4})
    assert changes(ids["loudness"], list(ids.values())) == {"k 1": ids["fewer"].id}
