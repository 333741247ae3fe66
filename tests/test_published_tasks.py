"""Task cards for published checkpoints run end to end on tiny random folders in the same format."""

import csv
import tomllib
from pathlib import Path

import pytest

import tiny_published
from earwitness import registry
from earwitness.datasets import audiocaps, musiccaps
from earwitness.judges.ast import small_ast
from earwitness.results import rows
from in_process import earwitness_here
from tiny import tiny_musicgen

PASST = registry.task("micro_prompt").folder / "judges" / "passt"
LONG = " ".join(["loudly"] * 200)
CAPTIONS = {"one": "a quiet bell rings", "none": "", "two": "the dog barks loudly near a siren", "long": LONG}


def card_with_local_sources(name: str, folder: Path, captions: Path) -> str:
    """The card of a task with nothing changed but where models, judges and dataset are read from, and lengths."""
    text = (registry.task(name).folder / "task.toml").read_text(encoding="utf-8")
    card = tomllib.loads(text)
    judges = {"ast": "judges/ast", "passt": str(PASST)}
    changes = {
        card["model"]["source"]: "model",
        f'source = "{card["dataset"]["source"]}"': f'source = "{captions}"',
        **{judge["source"]: judges[judge["name"]] for judge in card["judges"]},
        "seconds = 5.0": "seconds = 0.32",
        "generation_seeds = [0, 1, 2]": "generation_seeds = [0]",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def musicgen_task(tmp_path: Path) -> Path:
    folder = tmp_path / "musicgen_musiccaps"
    tiny_musicgen(folder / "model")
    small_ast(("Music", "Bell", "Dog")).save_pretrained(folder / "judges" / "ast")
    captions = folder / musiccaps.FILE
    with captions.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ytid", "start_s", "end_s", "aspect_list", "caption", "author_id", "is_audioset_eval"])
        table.writerows([name, 0, 10, "[]", caption, 1, "True"] for name, caption in CAPTIONS.items())
    (folder / "task.toml").write_text(card_with_local_sources(folder.name, folder, captions), encoding="utf-8")
    return folder


@pytest.fixture
def audiogen_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "audiogen_audiocaps"
    tiny_published.audiogen(folder / "model")
    monkeypatch.setattr(audiocaps, "_ids", lambda _: tuple(CAPTIONS))
    captions = folder / "test.csv"
    with captions.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["audiocap_id", "youtube_id", "start_time", "caption"])
        # The videos of some are gone: their captions serve as well.
        table.writerows([name, "" if name == "two" else "abc", 20, text] for name, text in CAPTIONS.items())
        table.writerow(["other", "xyz", 0, "a caption of no list"])
    (folder / "task.toml").write_text(card_with_local_sources(folder.name, folder, captions), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("card", "entrants"), [("musicgen_task", "uniform,occlusion"), ("audiogen_task", "occlusion,audiogenx")]
)
def test_a_published_card_runs_on_a_tiny_checkpoint_and_shows_unusable_captions(
    card: str,
    entrants: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task: Path = request.getfixturevalue(card)
    words = ["run", "--task", str(task), "--submission", entrants, "--out", str(tmp_path / "runs")]
    # The folder is a copy with a double of the model, whose weights lie in audiocraft's format.
    code, _, said = earwitness_here([*words, "--trust-task"], monkeypatch, capsys)
    assert code == 4, said
    assert "the prompt has no words" in said
    for name in entrants.split(","):
        (run,) = (tmp_path / "runs").glob(f"{task.name}__{name}__*")
        table = rows.read_run(run).to_pylist()
        by_item = {item: [row for row in table if row["item"] == item] for item in CAPTIONS}
        assert sum(map(len, by_item.values())) == len(table)
        metrics = {metric.id for metric in registry.task(task.name).card.metrics}
        for item in ("one", "two"):
            assert {row["metric"] for row in by_item[item]} == metrics
            assert {row["status"] for row in by_item[item]} == {"ok"}
        for item in ("none", "long"):
            assert {row["status"] for row in by_item[item]} == {"invalid"}
            assert all(row["reason"] and row["value"] is None for row in by_item[item])
