"""Task cards for published checkpoints run end to end on tiny random folders in the same format."""

import csv
import tomllib
from pathlib import Path

import pytest

from earwitness import registry
from earwitness.datasets import musiccaps
from earwitness.judges.ast import small_ast
from earwitness.results import rows
from in_process import earwitness_here
from tiny import tiny_musicgen

LONG = " ".join(["loudly"] * 200)
CAPTIONS = {"one": "a quiet bell rings", "none": "", "two": "the dog barks loudly near a siren", "long": LONG}


def card_with_local_sources(folder: Path) -> str:
    """The card of musicgen_musiccaps with nothing changed but where model, judge and dataset are read from."""
    text = (registry.task("musicgen_musiccaps").folder / "task.toml").read_text(encoding="utf-8")
    card = tomllib.loads(text)
    changes = {
        card["model"]["source"]: "model",
        card["judges"][0]["source"]: "judges/ast",
        card["dataset"]["source"]: str(folder / musiccaps.FILE),
        "seconds = 5.0": "seconds = 0.32",
        "generation_seeds = [0, 1, 2]": "generation_seeds = [0]",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "musicgen_musiccaps"
    tiny_musicgen(folder / "model")
    small_ast(("Music", "Bell", "Dog")).save_pretrained(folder / "judges" / "ast")
    with (folder / musiccaps.FILE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ytid", "start_s", "end_s", "aspect_list", "caption", "author_id", "is_audioset_eval"])
        table.writerows([name, 0, 10, "[]", caption, 1, "True"] for name, caption in CAPTIONS.items())
    (folder / "task.toml").write_text(card_with_local_sources(folder), encoding="utf-8")
    return folder


def test_musicgen_musiccaps_runs_on_a_tiny_checkpoint_and_shows_unusable_captions(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--task", str(task), "--submission", "uniform,occlusion", "--out", str(tmp_path / "runs")]
    code, _, said = earwitness_here(words, monkeypatch, capsys)
    assert code == 4, said
    assert "the prompt has no words" in said
    for name in ("uniform", "occlusion"):
        (run,) = (tmp_path / "runs").glob(f"musicgen_musiccaps__{name}__*")
        table = rows.read_run(run).to_pylist()
        by_item = {item: [row for row in table if row["item"] == item] for item in CAPTIONS}
        metrics = {metric.id for metric in registry.task("musicgen_musiccaps").card.metrics}
        for item in ("one", "two"):
            assert {row["metric"] for row in by_item[item]} == metrics
            assert {row["status"] for row in by_item[item]} == {"ok"}
        for item in ("none", "long"):
            assert {row["status"] for row in by_item[item]} == {"invalid"}
            assert all(row["reason"] and row["value"] is None for row in by_item[item])
