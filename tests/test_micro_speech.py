"""What ships with the speech track's micro tasks: weights that hear, sound and truth as rendered, and ends in order."""

from pathlib import Path
from typing import Any

import jiwer
import pytest
import sacrebleu
import soundfile
import torch

from earwitness import registry
from earwitness.authoring.training.spoken import SHIPPED
from earwitness.datasets.spoken import write_audio
from earwitness.models import speech2text
from earwitness.scoring import Setting
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.loading import load_records
from earwitness.task import Task
from earwitness.worlds.spoken import utterance
from shipped import ends, told_apart

TASKS = [registry.task("micro_speech"), registry.task("micro_translation")]
MODEL_MEGABYTES = 10
WORD_ERRORS, BLEU = 0.05, 80
"""Floors, of utterances whose every word the sound tells."""


@pytest.fixture(params=TASKS, ids=[task.id for task in TASKS])
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.param
    return found


def test_the_model_is_within_its_size(task: Task) -> None:
    assert sum(path.stat().st_size for path in (task.folder / "model").rglob("*")) <= MODEL_MEGABYTES * 2**20


def test_the_model_writes_what_held_out_speakers_say(task: Task) -> None:
    model = speech2text.from_pretrained(str(task.folder / "model"))
    records: list[Any] = load_records(Setting(task))
    written = []
    for record in records:
        features = torch.from_numpy(model.features(record.audio(model.sample_rate)))[None]
        with torch.inference_mode():
            written.append(model.text(model.transcribe(features)[0].tolist()))
    told = [place for place in range(SHIPPED) if utterance("test", place).told]
    right = [records[place].reference for place in told]
    written = [written[place] for place in told]
    if task.card.dataset.parameters.get("target") == "translation":
        assert sacrebleu.corpus_bleu(written, [right]).score >= BLEU
    else:
        assert jiwer.wer(right, written) <= WORD_ERRORS


def test_the_sound_that_ships_is_what_is_rendered_now(task: Task, tmp_path: Path) -> None:
    again = tmp_path / "audio"
    write_audio(again, "test", 5)
    for path in sorted(again.glob("*.flac")):
        assert (soundfile.read(path)[0] == soundfile.read(task.folder / "audio" / path.name)[0]).all()
    assert len(list((task.folder / "audio").glob("*.flac"))) == SHIPPED == task.card.dataset.items


def test_truth_that_metrics_read_is_certified(task: Task) -> None:
    read = {
        "prefix" if metric.metric == "prefix_ap" else metric.parameters.get("level") for metric in task.card.metrics
    }
    roles = read_certificate(task)["roles"]
    assert set(roles) == {"word", "prefix"}
    assert read - {None} == {role for role, found in roles.items() if found["certified"]} != set()


def test_sixteen_speakers_say_what_is_scored(task: Task) -> None:
    records: list[Any] = load_records(Setting(task))
    assert len({record.cluster.rpartition(" × ")[2] for record in records}) == 16


def test_ceiling_and_anti_oracle_are_told_apart_on_every_headline_metric(task: Task) -> None:
    headline = [metric for metric in task.card.metrics if metric.headline]
    assert headline
    for metric in headline:
        for kind in ("anti", "ceiling", "truth"):
            assert len(ends(task, metric.id, kind)) == task.card.dataset.items
        assert told_apart(task, metric)
