"""The band track's card for a published checkpoint runs end to end on a tiny random pipeline and made tracks."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import streamlit
from streamlit.testing.v1 import AppTest

from earwitness import board, registry
from earwitness.board.store import connect, records
from earwitness.results import rows
from earwitness.scoring import Setting
from earwitness.scoring.band.scoring import open_scoring
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from earwitness.tracks.band import BandMap
from in_process import earwitness_here
from slakh_tracks import Part, make_track
from tiny_band import tiny_audioldm2
from tiny_stable_audio import tiny_stable_audio

TASK, SUBMISSIONS, RATE = "audioldm2_slakh", ("aiba", "random"), 22_050
pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::FutureWarning")]
BASS, DRUMS = Part("Bass", 33, 110.0, (0.0, 1.0)), Part("Drums", 128, 3000.0, (0.3, 1.0))
REED = [Part("Reed", 66, 700.0, (0.0, 2.0)), Part("Pipe", 73, 1500.0, (0.0, 1.5), level=0.1)]
FILES = ("missing-stem", "short-stem", "other-rate", "silence", "no-metadata")
"""Tracks that are no use for what is wrong with their files."""


def spoil(folder: Path) -> None:
    """Break the stems and the metadata of the tracks that are called after it."""
    (folder / "missing-stem" / "stems" / "S01.flac").unlink()
    soundfile.write(folder / "short-stem" / "stems" / "S01.flac", np.zeros(100), RATE)
    soundfile.write(folder / "other-rate" / "stems" / "S01.flac", np.zeros(2 * RATE), 16_000)
    (folder / "no-metadata" / "metadata.yaml").unlink()


@pytest.fixture
def slakh(tmp_path: Path) -> Path:
    """Slakh2100's layout with two good tracks, one of them with a word of two tokens, and one of every fault."""
    folder = tmp_path / "slakh" / "test"
    make_track(folder / "Track1", [BASS, DRUMS], 2.0, RATE)
    make_track(folder / "Track2", REED, 2.0, RATE)
    for name in (*FILES, "no-instrument", "named-twice", "silent-stem"):
        parts = [BASS, DRUMS]
        if name in ("silence", "silent-stem"):
            parts = [Part(p.inst_class, p.program, p.hertz, (0, 0)) for p in parts]
        if name == "silent-stem":
            parts[0] = BASS
        make_track(folder / name, parts, 2.0, RATE)
    spoil(folder)
    prompts = {"no-instrument": "a kazoo", "named-twice": "bass and bass", "silent-stem": "bass and drums"}
    text = "".join(f"{track},{prompt}\n" for track, prompt in prompts.items())
    (tmp_path / "slakh" / "prompts.csv").write_text("track,prompt\n" + text, encoding="utf-8")
    return tmp_path / "slakh"


BAD = {
    "missing-stem": "S01.flac: no such file",
    "short-stem": "100 samples long and the mix 44100",
    "other-rate": "sampled at 16000 Hz and the mix at 22050 Hz",
    "silence": "no stem of bass and drums sounds in it",
    "no-metadata": "metadata.yaml: no such file",
    "no-instrument": "the prompt names no known instrument (known: bass, drums)",
    "named-twice": "the prompt names bass more than once",
    "silent-stem": "S01.flac: silent from",
}


@pytest.fixture
def task(tmp_path: Path, slakh: Path) -> Path:
    """The card with nothing changed but where model and dataset are read from and how long a sound is."""
    text = (registry.task(TASK).folder / "task.toml").read_text(encoding="utf-8")
    changes = {
        '"cvssp/audioldm2"': '"model"',
        '"slakh2100_flac_redux"': f'"{slakh}"',
        "steps = 50, guidance = 3.5, strength = 0.6, seconds = 10.24": "steps = 4, strength = 0.6, seconds = 0.64",
        "seconds = 10.24, most": "seconds = 0.64, most",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    folder = tmp_path / TASK
    tiny_audioldm2(folder / "model")
    (folder / "task.toml").write_text(text, encoding="utf-8")
    return folder


def by_item(out: Path, submission: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of a submission by item."""
    (folder,) = out.glob(f"{TASK}__{submission}__*")
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.read_run(folder).to_pylist():
        found.setdefault(row["item"], []).append(row)
    return found


def test_audioldm2_slakh_runs_on_a_tiny_checkpoint_and_shows_unusable_tracks(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    words = ["run", "--task", str(task), "--submission", ",".join(SUBMISSIONS), "--out", str(out)]
    code, _, said = earwitness_here(words, monkeypatch, capsys, boxes=("aiba",))
    assert code == 4, said
    metrics = {metric.id for metric in registry.task(TASK).card.metrics}
    values = {}
    for submission in SUBMISSIONS:
        found = by_item(out, submission)
        assert set(found) == {*BAD, "Track1", "Track2"}
        for item in ("Track1", "Track2"):
            assert {row["metric"] for row in found[item]} == metrics
            for row in found[item]:
                undefined = row["metric"] == "time_ap" and row["status"] == "skipped"
                assert (row["status"] == "ok" and np.isfinite(row["value"])) or undefined, row
            values[submission, item] = {row["metric"]: row["value"] for row in found[item]}
        for item, says in BAD.items():
            assert {row["status"] for row in found[item]} == {"invalid"}
            assert all(says in row["reason"] and "\n" not in row["reason"] for row in found[item]), item
    assert any(says in said for says in BAD.values())
    assert values["aiba", "Track2"] != values["random", "Track2"]
    seen_on_the_board(out, tmp_path / "board")
    monkeypatch.setenv("EARWITNESS_BOARD", str(tmp_path / "board"))
    # The page runs as another __main__, from which the next test's processes could not start.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    drawn_on_the_page()


def seen_on_the_board(out: Path, folder: Path) -> None:
    """The page is given the truth, the pair and the sounds of each instrument word."""
    connection = connect(board.build(out, folder, Resampling(draws=50)))
    (track,) = records(connection, "SELECT * FROM inputs WHERE item = 'Track2'")
    own = records(connection, "SELECT * FROM exhibits WHERE item = 'Track2' AND entrant = ''")
    connection.close()
    fields = json.loads(track["fields"])
    assert fields["prompt"] == "a recording of saxophone and flute"
    assert fields["instruments"] == ["saxophone", "flute"]
    assert fields["tokens"][3:5] == ["saxo", "phone"]
    assert set(fields["truth"]) == set(fields["swap"]) == {"saxophone", "flute"}
    of_words = {(label, word) for label in ("stem", "without") for word in ("saxophone", "flute")}
    assert {(each["label"], each["part"]) for each in own} == {("mix", ""), ("original", ""), *of_words}
    assert all((folder / each["path"]).is_file() for each in own)


def drawn_on_the_page() -> None:
    """The map and the pair of the word that is chosen are drawn, and its sounds are played."""
    app = AppTest.from_file(str(Path(__file__).parents[1] / "leaderboard" / "app.py"), default_timeout=120)
    for name, value in {"item": "Track2", "word": "1", "a": "aiba", "b": "random"}.items():
        app.query_params[name] = value
    app.run().switch_page("screens/item.py").run()
    assert not app.exception, app.exception
    assert app.button_group[0].options == ["saxophone", "flute"]
    players = [element.proto.body for element in app.get("html") if 'class="listen"' in element.proto.body]
    assert any(">The stem of the clip: flute</button>" in body for body in players)
    assert sum(body.count("<audio ") for body in players) == 4
    pictures = [element for element in app.get("html") if 'class="band"' in element.proto.body]
    assert len(pictures) == 4, "two explanations, each with the pair"
    streamlit.cache_resource.clear()


def test_stable_audio_on_the_same_tracks_is_scored_over_time_alone(task: Path, tmp_path: Path) -> None:
    text = (task / "task.toml").read_text(encoding="utf-8")
    text = text.replace('adapter = "audioldm2"', 'adapter = "stable_audio"').replace('"model"', '"stable"')
    (task / "task.toml").write_text(text, encoding="utf-8")
    tiny_stable_audio(task / "stable")
    scoring = open_scoring(Setting(read_task(task), cache=tmp_path / "cache"))
    items, problems = scoring.items()
    assert {item.id for item in items} == {"Track1", "Track2"}
    assert {problem.item for problem in problems} == set(BAD)
    maps = [(item, BandMap(np.random.default_rng(0).random((len(item.tokens), *item.mel.shape)))) for item in items]
    for values in scoring.score(maps):
        found = {value.metric: value for value in values if value.status == "ok"}
        assert set(found) <= {"swap_corr", "time_ap"}
        assert "swap_corr" in found
        (over_both,) = (value for value in values if value.metric == "tf_ap")
        assert over_both.reason == "the model's attention has no frequency axis"


def test_the_card_names_its_own_adapters_and_no_judge() -> None:
    card = registry.task(TASK).card
    assert (card.track, card.model.adapter, card.dataset.adapter, card.judges) == ("band", "audioldm2", "slakh", ())
    assert {metric.id for metric in card.metrics if metric.headline} == {"tf_ap", "swap_corr"}
    assert card.model.parameters["seconds"] == card.dataset.parameters["seconds"]
