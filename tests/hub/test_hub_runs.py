"""Running what was fetched from the hub: as a stranger's, with its address in the recipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from earwitness import cli, registry
from earwitness.box import levels
from earwitness.cli.run import isolated
from earwitness.errors import EarwitnessError
from earwitness.harness import explain, recipe
from hub_double import FILES, Hub
from hub_fixture import hub as hub
from in_process import Ended, earwitness_here
from outside_task import fill, make_scenes_task

Earwitness = Callable[..., Ended]


@pytest.fixture
def earwitness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Earwitness:
    monkeypatch.chdir(tmp_path)
    return lambda *words: earwitness_here([str(word) for word in words], monkeypatch, capsys)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_code_and_explanations_from_the_hub_are_run_and_found_again(hub: Hub, earwitness: Earwitness) -> None:
    task = make_scenes_task(Path("tiny_scenes"))
    assert earwitness("items", task, "--out", "items").code == 0
    assert earwitness("new", "maps", "--explanations", "--items", "items").code == 0
    fill(Path("maps"))
    code = hub.repository("ann/ours").commit({**FILES, "demo.png": b"png"})
    maps = hub.repository("ann/maps", "dataset").commit(files_of(Path("maps")))
    addresses = [f"hf://ann/ours@{code}", f"hf://datasets/ann/maps@{maps}"]
    ran = earwitness("run", "--task", task, "--submission", ",".join(addresses), "--device", "cpu")
    assert ran.code == 0, ran.err
    assert f"of_a_stranger is {addresses[0]}, in " in ran.err
    assert "without demo.png, which no submission has" in ran.err
    runs = {path.parent.name.split("__")[1]: path.parent for path in Path("runs").glob("*/run.json")}
    recipes = {name: json.loads((folder / "run.json").read_text()) for name, folder in runs.items()}
    assert [recipes[name]["submission"]["source"] for name in ("of_a_stranger", "maps")] == addresses
    assert recipes["of_a_stranger"]["isolation"] == levels.strongest() == "bwrap"
    # It is found again by its address, and stays a stranger's: from here, the hub is not asked.
    hub.down = 503
    reopened = {name: recipe.reopen(folder) for name, folder in runs.items()}
    assert [reopened[name].submission.source for name in ("of_a_stranger", "maps")] == addresses
    assert {name: run.identity for name, run in reopened.items()} == {n: r["identity"] for n, r in recipes.items()}
    refused = earwitness("verify", runs["of_a_stranger"], "--isolation", "process")
    assert refused.code == 2
    assert f"{addresses[0]}: isolation 'process' keeps nothing" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--task", "micro_prompt", "--submission"), "no isolation is to be had here"),
        (
            ("run", "--isolation", "process", "--task", "micro_prompt", "--submission"),
            "isolation 'process' keeps nothing",
        ),
        (("validate",), "no isolation is to be had here"),
    ],
)
def test_no_isolation_no_run(
    hub: Hub,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    address = f"hf://ann/ours@{hub.repository('ann/ours').commit(FILES)}"
    monkeypatch.setattr(levels, "lacking", lambda level: "" if level == "process" else "none")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["earwitness", *words, address])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert f"earwitness: {address}: {said}" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_an_isolation_that_isolates_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "lacking", lambda _: "")
    assert isolated("landlock", source="hf://a/b") == "landlock"
    assert isolated("process") == "process"


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_no_caller_opens_a_box_that_isolates_nothing(isolation: str, tmp_path: Path) -> None:
    run = SimpleNamespace(
        task=registry.task("micro_prompt"),
        submission=SimpleNamespace(source="hf://a/b@c"),
        arguments=SimpleNamespace(isolation=isolation),
    )
    with pytest.raises(EarwitnessError, match="a stranger's, and isolation"):
        explain.box_of(run, None, tmp_path / "log")  # type: ignore[arg-type]
