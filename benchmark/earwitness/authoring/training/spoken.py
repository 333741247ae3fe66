"""The recipe of the spoken world's models: a recogniser, a translator that begins as one, and what they reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jiwer
import numpy as np
import sacrebleu
import torch
from numpy.typing import NDArray
from transformers import Speech2TextForConditionalGeneration

from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan
from earwitness.authoring.training.speech import (
    LEARNING_RATE,
    Dictation,
    Target,
    build_tokenizer,
    compose,
    reference,
    save_model,
    train_speech,
)
from earwitness.authoring.training.utterances import corpus
from earwitness.datasets.spoken import write_audio
from earwitness.models import speech2text
from earwitness.worlds.spoken import VERSION, Split, render, utterance

if TYPE_CHECKING:
    from earwitness.authoring.training.workshop import Workshop

UTTERANCES = 16_000
STEPS = 10_000
TRANSLATION_STEPS = 4000
HELD_OUT: tuple[Split, ...] = ("validation", "test")
SHIPPED = 200
"""Test utterances that a task holds as files."""

Visit = Callable[[Speech2TextForConditionalGeneration, TrainingCheckpoint], None]


def train_recogniser(out: Path, work: Workshop) -> dict[str, Any]:
    """Train the recogniser, write it and the test set into `out` and return its seconds and floors."""
    torch.set_num_threads(1)
    model, seconds = fit_recogniser(work)
    return {"seed": work.seed, "seconds": {"recogniser": seconds}, "floors": finish(model, "words", out, work)}


def train_translator(out: Path, work: Workshop) -> dict[str, Any]:
    """Train the translator from the recogniser of the same seed, write it and the test set into `out`.

    The recogniser is trained first, unless its own workshop holds it already. Returns seconds and floors.
    """
    torch.set_num_threads(1)
    recogniser, first = fit_recogniser(replace(work, folder=work.folder.parent / "micro_speech"))
    model, second = fit_translator(recogniser, work)
    seconds = {"recogniser": first, "translator": second}
    return {"seed": work.seed, "seconds": seconds, "floors": finish(model, "translation", out, work)}


def fit_recogniser(work: Workshop, visit: Visit | None = None) -> tuple[Speech2TextForConditionalGeneration, float]:
    """The recogniser and the seconds it took."""
    torch.manual_seed(work.seed)
    model = compose(len(build_tokenizer("words")))
    dictation = Dictation(corpus("train", UTTERANCES, work.clips), "words", masked=work.masked)
    plan = TrainingPlan("recogniser", STEPS, LEARNING_RATE, work.seed)
    look = None if visit is None else lambda reached: visit(model, reached)
    return model, train_speech(
        model, dictation, plan, TrainingCheckpoint(work.checkpoint(f"recogniser_{VERSION}")), look
    )


def fit_translator(
    recogniser: Speech2TextForConditionalGeneration, work: Workshop
) -> tuple[Speech2TextForConditionalGeneration, float]:
    """The translator, which begins with the recogniser's encoder, and the seconds it took."""
    torch.manual_seed(work.seed)
    model = compose(len(build_tokenizer("translation")))
    model.model.encoder.load_state_dict(recogniser.model.encoder.state_dict())
    clips = replace(work, folder=work.folder.parent / "micro_speech").clips
    dictation = Dictation(corpus("train", UTTERANCES, clips), "translation", masked=work.masked)
    plan = TrainingPlan("translator", TRANSLATION_STEPS, LEARNING_RATE, work.seed)
    return model, train_speech(model, dictation, plan, TrainingCheckpoint(work.checkpoint(f"translator_{VERSION}")))


def finish(
    model: Speech2TextForConditionalGeneration, target: Target, out: Path, work: Workshop
) -> dict[str, dict[str, float]]:
    """Write a trained model and, unless it is a twin's, the test set into `out`; the floors of the model as written."""
    save_model(model, target, out / "model")
    if not work.around:
        write_audio(out / "audio", "test", SHIPPED)
    return {split: measure(out / "model", target, split) for split in HELD_OUT}


def measure(folder: Path, target: Target, split: Split, utterances: int = 300) -> dict[str, float]:
    """What the model in a folder reaches on a split, by beam search.

    Recognition: word error rate and the share of utterances with an error, both in [0, 1]. Translation: BLEU in
    [0, 100] and that share. Each once more of those utterances whose every word the sound tells.
    """
    model = speech2text.from_pretrained(str(folder))
    said = [utterance(split, index) for index in range(utterances)]
    written = [_written(model, render(one).audio) for one in said]
    pairs = [(reference(one, target), text) for one, text in zip(said, written, strict=True)]
    told = [pair for one, pair in zip(said, pairs, strict=True) if one.told]
    return {**_reached(pairs, target), **{f"{name}_told": value for name, value in _reached(told, target).items()}}


def _reached(pairs: Sequence[tuple[str, str]], target: Target) -> dict[str, float]:
    """What is reached on pairs of what is right and what was written."""
    right, written = [one for one, _ in pairs], [other for _, other in pairs]
    wrong = sum(one != other for one, other in pairs) / len(pairs)
    if target == "words":
        return {"word_error_rate": float(jiwer.wer(right, written)), "wrong_sentences": wrong}
    return {"bleu": float(sacrebleu.corpus_bleu(written, [right]).score), "wrong_sentences": wrong}


@torch.inference_mode()
def _written(model: speech2text.Speech2TextModel, audio: NDArray[np.float32]) -> str:
    features = torch.from_numpy(model.features(audio))[None]
    return model.text(model.transcribe(features)[0].tolist())
