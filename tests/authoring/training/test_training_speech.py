"""Training of the speech-to-text models: on what they are trained, that they learn, resume, and can be read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from earwitness.authoring.training import spoken
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan
from earwitness.authoring.training.speech import (
    END,
    PAD,
    SPECIAL,
    Dictation,
    SpeechTraining,
    build_tokenizer,
    compose,
    save_model,
    train_speech,
)
from earwitness.authoring.training.utterances import BINS, GROUPS, Corpus, Variation, corpus, normalise
from earwitness.authoring.training.workshop import Workshop
from earwitness.models import speech2text
from earwitness.worlds.commands import TRANSLATIONS, vocabulary
from earwitness.worlds.espeak import SAMPLE_RATE
from earwitness.worlds.spoken import render

HANDFUL = 3
UNCHANGED = Variation(noise_share=0.0, band_share=0.0, patch_share=0.0)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def handful(cache: Path) -> Corpus:
    return corpus("train", HANDFUL, cache)


def test_a_model_is_trained_on_the_features_that_its_adapter_reads(handful: Corpus, tmp_path: Path) -> None:
    save_model(compose(len(build_tokenizer("words"))), "words", tmp_path)
    model = speech2text.from_pretrained(str(tmp_path))
    assert (model.sample_rate, model.frame_rate, model.bins) == (SAMPLE_RATE, 100.0, BINS)
    rng = np.random.default_rng(0)
    for index, said in enumerate(handful.utterances):
        read = model.features(render(said).audio)
        # Half precision in the cache: log-mel values lie within 32, and are scaled by their deviation.
        np.testing.assert_allclose(UNCHANGED.features(handful.spectrogram(index), rng), read, atol=0.02)


def test_rendered_utterances_are_kept(handful: Corpus, cache: Path) -> None:
    (path,) = cache.iterdir()
    written = path.stat().st_mtime_ns
    again = corpus("train", HANDFUL, cache)
    assert path.stat().st_mtime_ns == written
    assert np.array_equal(again.frames, handful.frames)
    assert again.lengths.sum() == len(again.frames)


def test_a_batch_holds_utterances_of_similar_length_and_every_one_is_drawn() -> None:
    lengths = np.random.default_rng(1).permutation(np.arange(1, 601))
    many = Corpus([], np.zeros((0, BINS), np.float16), np.concatenate([[0], lengths.cumsum()]))
    rng, seen = np.random.default_rng(0), set()
    for _ in range(400):
        chosen = many.draw(rng, 32)
        assert np.ptp(lengths[chosen]) < 600 / GROUPS
        seen |= set(chosen.tolist())
    assert len(seen) == 600
    assert max(lengths[many.draw(rng, 32, short=True)].max() for _ in range(50)) <= 300


def test_a_share_of_utterances_loses_patches_and_single_cells() -> None:
    variation = Variation(noise_share=0.0, band_share=0.0)
    spectrogram = np.random.default_rng(0).standard_normal((90, BINS)).astype(np.float32)
    rng = np.random.default_rng(1)
    removed = [variation.features(spectrogram, rng) == 0 for _ in range(600)]
    shares = np.array([one.mean() for one in removed])
    assert (shares > 0).mean() == pytest.approx(0.3, abs=0.06)
    assert shares.max() == pytest.approx(variation.most_patches, abs=0.1)
    neighbours = np.array([(one[1:] & one[:-1]).mean() / one.mean() for one in removed if one.mean() > 0.2])
    # Of single cells the neighbour is removed as often as any; of patches nearly always.
    assert (neighbours < 0.9).any()
    assert (neighbours > 0.9).any()


def test_noise_lifts_quiet_cells_and_leaves_loud_ones() -> None:
    spectrogram = np.where(np.arange(80)[:, None] < 40, -8.0, 8.0).astype(np.float32) * np.ones((1, BINS), np.float32)
    noisy = Variation(noise_levels=(-2.0, -2.0))._noisy(spectrogram, np.random.default_rng(0))
    assert (noisy >= spectrogram).all()
    assert (noisy[:40].mean(), noisy[40:].mean()) == (pytest.approx(-2.2, abs=0.3), pytest.approx(8.0, abs=0.01))
    assert normalise(noisy).mean(0) == pytest.approx(np.zeros(BINS), abs=1e-5)


def test_the_decoder_reads_the_tokens_before_and_writes_the_next(handful: Corpus) -> None:
    dictation = Dictation(handful, "translation", UNCHANGED)
    batch = dictation.batch(np.random.default_rng(0), 12)
    padding, end = SPECIAL.index(PAD), SPECIAL.index(END)
    tokenizer = build_tokenizer("translation")
    translations = {said.translation for said in handful.utterances}
    for inputs, labels in zip(batch.inputs, batch.labels, strict=True):
        written = labels[labels >= 0]
        assert inputs[0] == end == written[-1]
        assert inputs[1 : len(written)].tolist() == written[:-1].tolist()
        assert (inputs[len(written) :] == padding).all()
        assert tokenizer.decode(written[:-1]) in translations
    assert (batch.kept[:, 0] == 1).all()
    assert batch.features.shape[:2] == batch.real.shape


def test_a_zeroed_token_does_not_change_what_is_predicted(handful: Corpus) -> None:
    torch.manual_seed(0)
    training = SpeechTraining(compose(len(build_tokenizer("words"))), "translation").eval()
    batch = Dictation(handful, "words", UNCHANGED).batch(np.random.default_rng(0), 3)
    hidden = torch.ones_like(batch.kept)
    hidden[:, 2] = 0
    other = batch.inputs.clone()
    other[:, 2] = (other[:, 2] + 5) % len(vocabulary())
    with torch.no_grad():
        masked = [float(training.loss(replace(batch, kept=hidden, inputs=inputs))) for inputs in (batch.inputs, other)]
        whole = [float(training.loss(replace(batch, inputs=inputs))) for inputs in (batch.inputs, other)]
    assert masked[0] == masked[1]
    assert whole[0] != whole[1]
    assert not training.model.model.decoder.embed_tokens._forward_hooks


def test_a_handful_of_utterances_is_learned_and_read_back(handful: Corpus, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = compose(len(build_tokenizer("words")))
    dictation = Dictation(handful, "words", UNCHANGED)
    dictation.prefix_share = 0.0
    training, rng = SpeechTraining(model, "words").train(), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(training.parameters(), 1e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss = training.loss(dictation.batch(rng, 4))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(training.parameters(), 1.0)
        optimiser.step()
    save_model(model, "words", tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 10e6
    read = speech2text.from_pretrained(str(tmp_path))
    right = [said.text for said in handful.utterances]
    assert [spoken._written(read, render(said).audio) for said in handful.utterances] == right


def test_an_interrupted_training_ends_with_the_same_weights(handful: Corpus, tmp_path: Path) -> None:
    plan, weights = TrainingPlan("speech", 4, 1e-3, seed=0, warm_up=2), []

    def interrupt(checkpoint: TrainingCheckpoint) -> None:
        if checkpoint.step == 2:
            raise KeyboardInterrupt

    for name, stops in (("whole", False), ("part", True), ("part", False)):
        torch.manual_seed(0)
        model = compose(len(build_tokenizer("words")))
        checkpoint = TrainingCheckpoint(tmp_path / name, every=0.0)
        if stops:
            with pytest.raises(KeyboardInterrupt):
                train_speech(model, Dictation(handful, "words"), plan, checkpoint, interrupt)
        else:
            train_speech(model, Dictation(handful, "words"), plan, checkpoint)
            weights.append(model.model.decoder.embed_tokens.weight)
    assert torch.equal(weights[0], weights[1])


def test_the_recipes_write_models_test_sets_and_floors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"UTTERANCES": HANDFUL, "STEPS": 1, "TRANSLATION_STEPS": 1, "SHIPPED": 2}
    for name, value in few.items():
        monkeypatch.setattr(spoken, name, value)
    monkeypatch.setattr(spoken.measure, "__defaults__", (2,))
    work = tmp_path / "work"
    figures = spoken.train_recogniser(tmp_path / "speech", Workshop(work / "micro_speech", 0))
    assert set(figures["floors"]) == {"validation", "test"}
    assert figures["floors"]["test"]["word_error_rate"] > 0
    translated = spoken.train_translator(tmp_path / "translation", Workshop(work / "micro_translation", 0))
    assert 0 <= translated["floors"]["validation"]["bleu"] <= 100
    assert set(translated["seconds"]) == {"recogniser", "translator"}
    for task in ("speech", "translation"):
        assert sorted(path.name for path in (tmp_path / task / "audio").iterdir()) == [
            "index.json",
            "test-00000.flac",
            "test-00001.flac",
        ]
        assert speech2text.from_pretrained(str(tmp_path / task / "model")).bins == BINS


def test_a_tokenizer_has_a_token_for_every_word_it_writes() -> None:
    for target, word in (("words", "lamp"), ("translation", TRANSLATIONS["lamp"])):
        tokenizer = build_tokenizer(target)
        assert len(tokenizer) == len(SPECIAL) + len(vocabulary())
        assert tokenizer.convert_ids_to_tokens(tokenizer(f"{word} zzz").input_ids) == [word, "<unk>", END]
