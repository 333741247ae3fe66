"""Speech task cards for published checkpoints run end to end on tiny random folders in the same format."""

import tomllib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from aligner_writers import filled, long_textgrid
from earwitness import registry
from earwitness.models import whisper
from earwitness.results import rows
from in_process import earwitness_here
from tiny_speech import tiny_speech2text, tiny_whisper

RATE = 16000
SUBMISSION = "gradient_input"
Run = Callable[..., tuple[str, dict[str, list[dict[str, Any]]]]]
pytestmark = pytest.mark.timeout(600)


def sound(seconds: float, seed: int, level: float = 0.3) -> np.ndarray:
    """Noise in syllables: the tiny models are random, so nothing depends on what is said."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(size=len(time)) * (1.1 + np.sin(2 * np.pi * 5 * time))
    return level * noise / np.abs(noise).max()


def card_with(task: str, changes: dict[str, str]) -> str:
    """A task's card with nothing changed but where model and dataset are read from."""
    text = (registry.task(task).folder / "task.toml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """What a run of a task prints on stderr, and its rows by item."""

    def run(task: Path, boxes: Collection[str] = ()) -> tuple[str, dict[str, list[dict[str, Any]]]]:
        words = ["run", "--task", str(task), "--submission", SUBMISSION, "--out", str(tmp_path / "runs")]
        code, _, said = earwitness_here(words, monkeypatch, capsys, boxes)
        assert code == 4, said
        (folder,) = (tmp_path / "runs").glob(f"{task.name}__{SUBMISSION}__*")
        by_item: dict[str, list[dict[str, Any]]] = {}
        for row in rows.read_run(folder).to_pylist():
            by_item.setdefault(row["item"], []).append(row)
        return said, by_item

    return run


def check(task: str, by_item: dict[str, list[dict[str, Any]]], bad: dict[str, str], good: set[str]) -> None:
    """Every metric of the card has a value for each good item; each bad one is a visible row with its reason."""
    metrics = {metric.id for metric in registry.task(task).card.metrics}
    assert set(by_item) == {*bad, *good}
    for item in good:
        assert {row["metric"] for row in by_item[item]} == metrics
        assert {row["status"] for row in by_item[item]} == {"ok"}
        assert all(np.isfinite(row["value"]) for row in by_item[item])
    for item, says in bad.items():
        assert {row["status"] for row in by_item[item]} == {"invalid"}
        assert all(says in row["reason"] and "\n" not in row["reason"] for row in by_item[item])
        assert all(row["value"] is None for row in by_item[item])


@pytest.fixture
def librispeech(tmp_path: Path) -> Path:
    """LibriSpeech's layout with two good utterances and one of every fault."""
    folder = tmp_path / "speech" / "test-clean" / "121" / "7"
    folder.mkdir(parents=True)
    sounds = {
        "good": (sound(0.7, 0), RATE),
        "also-good": (sound(0.5, 1), RATE),
        "silent": (np.zeros(RATE), RATE),
        "clipped": (np.clip(sound(0.5, 2, level=5.0), -1, 1), RATE),
        "stereo": (np.stack([sound(0.5, 3), sound(0.5, 4)], axis=1), RATE),
        "telephone": (sound(0.5, 5), 8000),
        "over-the-window": (sound(4.5, 6), RATE),
        "ten-minutes": (np.resize(sound(2.0, 7), 600 * RATE), RATE),
        "truncated": (sound(0.5, 8), RATE),
    }
    for name, (audio, rate) in sounds.items():
        soundfile.write(folder / f"{name}.flac", audio, rate)
    cut = folder / "truncated.flac"
    cut.write_bytes(cut.read_bytes()[:4000])
    (folder / "empty.flac").touch()
    lines = [f"{name} TURN THE RED LAMP ON" for name in [*sounds, "empty", "absent"]]
    (folder / "121-7.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "speech"


@pytest.mark.parametrize("name", ["whisper_librispeech", "whisper_tiny_librispeech"])
def test_whisper_librispeech_runs_on_a_tiny_checkpoint_and_shows_unusable_files(
    librispeech: Path, tmp_path: Path, run: Run, name: str
) -> None:
    task = tmp_path / name
    tiny_whisper(task / "model", multilingual=False)
    changes = {f'"{registry.task(name).card.model.source}"': '"model"', '"LibriSpeech"': f'"{librispeech}"'}
    (task / "task.toml").write_text(card_with(task.name, changes), encoding="utf-8")
    said, found = run(task, boxes=(SUBMISSION,))
    bad = {
        "silent": "silent", "clipped": "clipped", "stereo": "2 channels", "telephone": "sampled at 8000 Hz",
        "over-the-window": "the model takes 4 s", "ten-minutes": "600.0 s long", "truncated": "truncated",
        "empty": "empty", "absent": "no such file",
    }  # fmt: skip
    check(task.name, found, bad, good={"good", "also-good"})
    assert any(reason in said for reason in bad.values())


INTERVALS = ("interval_ap", "pointing", "mass_inside")


def test_intervals_are_scored_on_recordings_that_an_aligner_told_of(tmp_path: Path, run: Run) -> None:
    """What the tiny model says is the transcript, since it is random; its words share the utterance evenly."""
    task = tmp_path / "whisper_librispeech"
    tiny_whisper(task / "model", multilingual=False)
    model = whisper.from_pretrained(str(task / "model"))
    folder, lines = tmp_path / "speech" / "test-clean" / "121" / "7", list[str]()
    folder.mkdir(parents=True)
    aligned = tmp_path / "speech" / "aligned" / "121" / "7"
    aligned.mkdir(parents=True)
    for seed, name in enumerate(("good", "also-good", "late", "other", "unaligned")):
        audio = sound(0.7, seed).astype(np.float32)
        soundfile.write(folder / f"{name}.flac", audio, RATE)
        (tokens,) = model.transcribe(torch.from_numpy(model.features(audio)[None]))
        words = model.text(tokens.tolist()).split()
        lines.append(f"{name} {' '.join(words)}")
        edges = np.linspace(0.05, 0.9 if name == "late" else 0.65, len(words) + 1).round(3).tolist()
        said = [(edges[i], edges[i + 1], "soup" if name == "other" else word) for i, word in enumerate(words)]
        if name != "unaligned":
            grid = long_textgrid({"words": filled(said, 0.7), "phones": []}, 0.7)
            (aligned / f"{name}.TextGrid").write_text(grid, encoding="utf-8")
    (folder / "121-7.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    parameters = '\n[dataset.parameters]\nalignments = "aligned"\n\n[scoring]'
    changes = {
        '"openai/whisper-small.en"': '"model"',
        '"LibriSpeech"': f'"{tmp_path / "speech"}"',
        "\n[scoring]": parameters,
    }
    text = card_with(task.name, changes) + "".join(f'\n[[metrics]]\nmetric = "{name}"\n' for name in INTERVALS)
    (task / "task.toml").write_text(text, encoding="utf-8")
    _, found = run(task)
    bad = {"late": "late.TextGrid: the alignment's word", "other": "'soup' at", "unaligned": "no alignment of"}
    assert set(found) == {*bad, "good", "also-good"}
    for item, says in bad.items():
        assert {row["status"] for row in found[item]} == {"invalid"}
        assert all(says in row["reason"] for row in found[item])
    for item in ("good", "also-good"):
        assert {row["status"] for row in found[item]} == {"ok"}
        values = {row["metric"].partition("@")[0]: row["value"] for row in found[item]}
        assert all(0 < values[name] < 1 for name in INTERVALS if name != "pointing")
        assert 0 <= values["pointing"] <= 1


@pytest.fixture
def mustc(tmp_path: Path) -> Path:
    """MuST-C's layout with two good segments, one that ends after its talk and one without a translation."""
    folder = tmp_path / "talks" / "en-de" / "data" / "tst-COMMON"
    (folder / "wav").mkdir(parents=True)
    (folder / "txt").mkdir()
    soundfile.write(folder / "wav" / "ted_1.wav", sound(70.0, 0), RATE)
    soundfile.write(folder / "wav" / "ted_2.wav", sound(1.0, 1), RATE)
    segments = [(0.1, 0.6, "ted_1.wav"), (0.8, 0.5, "ted_1.wav"), (65.0, 0.6, "ted_1.wav"), (0.5, 0.7, "ted_2.wav")]
    entries = [f"- {{duration: {d}, offset: {o}, speaker_id: spk.1, wav: {wav}}}" for o, d, wav in segments]
    for kind, lines in {
        "yaml": entries,
        "en": ["Turn the lamp on.", "Move.", "Slowly.", "Left."],
        "de": ["Schalte die Lampe ein.", "", "Langsam.", "Links."],
    }.items():
        (folder / "txt" / f"tst-COMMON.{kind}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "talks"


def test_s2t_mustc_runs_on_a_tiny_checkpoint_and_shows_unusable_segments(mustc: Path, tmp_path: Path, run: Run) -> None:
    task = tmp_path / "s2t_mustc"
    tiny_speech2text(task / "model", words=["Schalte", "die", "Lampe", "ein.", "Langsam.", "Links."])
    changes = {'"facebook/s2t-small-mustc-en-de-st"': '"model"', '"MuST-C"': f'"{mustc}"'}
    (task / "task.toml").write_text(card_with(task.name, changes), encoding="utf-8")
    said, found = run(task)
    bad = {"ted_1_1": "no text", "ted_2_0": "ends after its 1 s"}
    check(task.name, found, bad, good={"ted_1_0", "ted_1_2"})
    assert all(reason in said for reason in bad.values())


@pytest.mark.parametrize(
    ("task", "ranked_by"),
    [
        ("whisper_librispeech", ["deletion_wer", "insertion_wer", "deletion_token"]),
        ("whisper_tiny_librispeech", ["deletion_wer", "deletion_token"]),
        ("s2t_mustc", ["deletion_bleu", "insertion_bleu", "deletion_token"]),
    ],
)
def test_a_published_card_names_a_model_and_a_dataset_of_its_own_adapters(task: str, ranked_by: list[str]) -> None:
    card = tomllib.loads((registry.task(task).folder / "task.toml").read_text(encoding="utf-8"))
    assert card["track"] == "speech"
    assert [metric["metric"] for metric in card["metrics"] if metric.get("headline")] == ranked_by
