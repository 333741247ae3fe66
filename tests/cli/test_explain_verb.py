"""`earwitness explain` on tiny tasks of two tracks, in this process: the page, the numbers, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_task import make_tiny_task

from earwitness import board, registry
from earwitness.datasets.own import own_prompt
from earwitness.errors import ITEM_FAILED, USAGE
from earwitness.harness import recipe
from earwitness.own_input import own_task
from earwitness.results.rows import read_run
from earwitness.stats.intervals import Resampling
from in_process import Ended, earwitness_here
from tiny_speech import tiny_speech2text

PROMPT = "a dog & <b>bell"
RATE = 16_000
SPEECH = """
id = "tiny_speech"
version = 1
track = "speech"
title = "A tiny model"
licence = "Apache-2.0"
reference = "none"
main_metric = "deletion_token@mean"

[model]
adapter = "speech2text"
source = "model"

[dataset]
adapter = "spoken"
items = 1

[scoring]
normaliser = "unicode"

[budget]
seconds = 60.0
forwards = 20000

[[metrics]]
metric = "deletion_token"
headline = true
parameters = { fill = "mean" }

[[metrics]]
metric = "deletion_wer"
parameters = { fill = "mean", against = "reference" }

[[metrics]]
metric = "deletion_wer"
parameters = { fill = "mean", against = "hypothesis" }

[[metrics]]
metric = "interval_ap"
parameters = { level = "word" }
"""
BROKEN = {
    "submission.toml": 'id = "broken"\ntrack = "prompt"\ntitle = "Fails"\nauthors = ["A"]\nlicence = "Apache-2.0"\n'
    'explainer = "Mine"\n',
    "explainer.py": "from earwitness.tracks.prompt import PromptExplainer\n\n\nclass Mine(PromptExplainer):\n"
    '    def explain(self, model, item):\n        raise ValueError("no map today")\n',
}
Explain = Callable[..., Ended]


@pytest.fixture(scope="module")
def prompt_task(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_task(tmp_path_factory.mktemp("prompt_task")))


@pytest.fixture(scope="module")
def speech_task(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("speech_task")
    tiny_speech2text(folder / "model")
    (folder / "task.toml").write_text(SPEECH, encoding="utf-8")
    return str(folder)


def wav(path: Path, seconds: float = 1.0, rate: int = RATE, level: float = 0.3, channels: int = 1) -> Path:
    noise = np.random.default_rng(5).uniform(-level, level, (round(seconds * rate), channels))
    soundfile.write(path, noise, rate)
    return path


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Explain:
    monkeypatch.chdir(tmp_path)

    def run(task: str, submission: str, *words: str) -> Ended:
        given = ["explain", "--task", task, "--submission", submission, "--isolation", "process", *words]
        return earwitness_here(given, monkeypatch, capsys)

    return run


def test_a_prompt_is_explained_scored_shown_and_resumed(explain: Explain, prompt_task: str, tmp_path: Path) -> None:
    words = (prompt_task, "gradient_input", "--prompt", PROMPT, "--json")
    ended = explain(*words)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    page = tmp_path / found["page"]
    assert page.parent.parent == tmp_path / "explained" / "tiny_prompt"
    # What rows say, by hand: one generation seed, three draws of the floor.
    tables = {run.name.split("__")[1]: read_run(run) for run in (page.parent / "runs").glob("tiny_prompt__*")}
    assert sorted(tables) == ["gradient_input", "random"]
    for metric in found["metrics"]:
        rows = {
            name: [r for r in table.to_pylist() if r["metric"] == metric["metric"]] for name, table in tables.items()
        }
        assert metric["values"] == {"gradient_input": pytest.approx(rows["gradient_input"][0]["value"])}
        draws = [row["value"] for row in sorted(rows["random"], key=lambda row: row["explainer_seed"])]
        assert metric["random"]["draws"] == pytest.approx(draws)
        assert len(draws) == 3
    text = page.read_text(encoding="utf-8")
    assert "a dog &amp; &lt;b&gt;bell" in text
    assert "One input: no verdict can be given." in text
    assert text.count("<audio") == 3
    assert 'alt="map"' in text
    again = explain(*words)
    assert json.loads(again.out) == found
    assert "explain:" not in again.err
    assert "score:" not in again.err


def test_rows_of_an_own_input_meet_no_rows_of_the_card_and_are_verified(
    explain: Explain,
    prompt_task: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain(prompt_task, "random", "--prompt", "a dog barks", "--out", "mine").code == 0
    (run,) = (tmp_path / "mine" / "runs").glob("tiny_prompt__random__*")
    task = registry.task(prompt_task)
    assert recipe.read(run)["task"]["hash"] != task.hash
    assert recipe.reopen(run).task.hash == own_task(task, own_prompt("a dog barks")).hash
    other = own_task(task, own_prompt("a dog barks."))
    assert len({task.hash, other.hash, recipe.reopen(run).task.hash}) == 3
    assert task.seed_key != other.seed_key
    verified = earwitness_here(["verify", str(run), "--isolation", "process"], monkeypatch, capsys)
    assert (verified.code, verified.out[:9]) == (0, "verified:"), verified


def test_a_sound_is_explained_against_what_the_model_hears(explain: Explain, speech_task: str, tmp_path: Path) -> None:
    sound = str(wav(tmp_path / "me & you.wav"))
    ended = explain(speech_task, "energy", "--audio", sound, "--json", "--out", "o")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    values = {metric["metric"]: metric["values"]["energy"] for metric in found["metrics"]}
    assert values["deletion_wer@mean+reference"] == values["deletion_wer@mean+hypothesis"]
    (left,) = [ids for ids in found["left_out"].values() if ids == ["interval_ap@word"]]
    assert left
    text = (tmp_path / "o" / "index.html").read_text(encoding="utf-8")
    assert "me &amp; you.wav" in text
    assert "The model hears: " in text
    assert "<polyline" in text
    assert "Left out, since this input has no value of them: interval_ap@word" in text
    said = explain(speech_task, "energy", "--audio", sound, "--reference", "turn on", "--json", "--out", "o")
    other = {metric["metric"]: metric["values"]["energy"] for metric in json.loads(said.out)["metrics"]}
    assert other["deletion_token@mean"] == values["deletion_token@mean"]
    assert other["deletion_wer@mean+reference"] != values["deletion_wer@mean+reference"]
    assert "Said in it: turn on" in (tmp_path / "o" / "index.html").read_text(encoding="utf-8")


def test_an_explainer_that_fails_is_said_on_the_page_and_by_the_exit_code(
    explain: Explain, prompt_task: str, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    for name, text in BROKEN.items():
        (tmp_path / "broken" / name).write_text(text, encoding="utf-8")
    ended = explain(prompt_task, "broken", "--prompt", "a dog", "--out", "o")
    assert ended.code == ITEM_FAILED
    assert "no map today" in ended.err
    assert "No explanation that could be scored: " in (tmp_path / "o" / "index.html").read_text(encoding="utf-8")


def test_what_cannot_be_explained_is_one_line_and_leaves_no_run(
    explain: Explain, prompt_task: str, speech_task: str, tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("no sound at all")
    (tmp_path / "file").write_text("text")
    sound = str(wav(tmp_path / "sound.wav"))
    silent, slow, stereo, long = (
        str(wav(tmp_path / "silent.wav", level=0.0)),
        str(wav(tmp_path / "slow.wav", rate=8000)),
        str(wav(tmp_path / "stereo.wav", channels=2)),
        str(wav(tmp_path / "long.wav", seconds=61.0)),
    )
    typed, heard = ("--prompt", "a dog"), ("--audio", sound)
    cases = [
        (prompt_task, "random", (), "nothing to explain: give --prompt TEXT or --audio FILE"),
        (prompt_task, "random", (*typed, *heard), "give one of them"),
        (prompt_task, "random", ("--prompt", " "), "--prompt has no words"),
        (prompt_task, "random", ("--prompt", "a\ndog"), "control character U+000A"),
        (prompt_task, "random", ("--prompt", "dog " * 600), "--prompt: the prompt has"),
        (prompt_task, "random", heard, "give --prompt, not --audio"),
        (speech_task, "random", typed, "give --audio, not --prompt"),
        ("micro_band", "random", typed, "explains neither a prompt nor a sound"),
        ("micro_concept", "random", heard, "explains neither a prompt nor a sound"),
        ("micro_promt", "random", typed, "did you mean 'micro_prompt'"),
        (f"{prompt_task},{speech_task}", "random", typed, "--task names 2 tasks"),
        (prompt_task, "randon", typed, "did you mean 'random'"),
        (prompt_task, "energy", typed, "submission energy is of the track speech"),
        (prompt_task, "random", (*typed, "--out", "file"), "file is no folder"),
        (prompt_task, "random", (*typed, "--reference", "x"), "no place beside --prompt"),
        (prompt_task, "random", (*typed, "--device", "tpu"), "no device is called 'tpu'"),
        (speech_task, "random", (*heard, "--reference", " "), "--reference has no words"),
        (speech_task, "random", ("--audio", "nowhere.wav"), "nowhere.wav: no such file"),
        (speech_task, "random", ("--audio", str(tmp_path)), "a folder, not a file"),
        (speech_task, "random", ("--audio", str(tmp_path / "text.wav")), "no audio"),
        (speech_task, "random", ("--audio", silent), "silent"),
        (speech_task, "random", ("--audio", slow), "sampled at 8000 Hz"),
        (speech_task, "random", ("--audio", stereo), "2 channels"),
        (speech_task, "random", ("--audio", long), "at most 60 s are read"),
        (speech_task, "random", ("--audio", str(wav(tmp_path / "window.wav", 30.0))), "the model takes 20 s"),
    ]
    for task, submission, words, complaint in cases:
        ended = explain(task, submission, *words)
        assert ended.code == USAGE, (words, ended)
        said = [line for line in ended.err.splitlines() if line.startswith("earwitness: ")]
        assert len(said) == 1, (words, ended.err)
        assert complaint in said[0], (complaint, said)
        assert not ended.out
    assert not list(tmp_path.glob("explained/*/*/runs/tiny_*"))
    assert not list(tmp_path.glob("explained/*/*/index.html"))


def test_a_board_shows_an_own_input_apart_from_the_card(
    explain: Explain,
    prompt_task: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain(prompt_task, "random", "--prompt", "a dog barks", "--out", "mine").code == 0
    words = ["run", "--task", prompt_task, "--submission", "random", "--items", "1", "--isolation", "process"]
    assert earwitness_here([*words, "--out", "mine/runs"], monkeypatch, capsys).code == 0
    board.build(tmp_path / "mine" / "runs", tmp_path / "board", Resampling(draws=20))
    page = board.export(tmp_path / "board", tmp_path / "page").read_text(encoding="utf-8")
    assert page.count("<code>tiny_prompt~") == 2
