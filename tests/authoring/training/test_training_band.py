"""Training of the stems world's models: what they are trained on, that they learn, and that they are read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AudioLDM2Pipeline

from earwitness.authoring.training import RECIPES, autoencoder, band, diffusion
from earwitness.authoring.training.autoencoder import compose_autoencoder, latents_of, train_autoencoder
from earwitness.authoring.training.band_floors import Band, measure, shares
from earwitness.authoring.training.clips import FRAMES, SHAPE, StemClips, stem_clips
from earwitness.authoring.training.diffusion import (
    UNCONDITIONAL,
    DiffusionData,
    build_tokenizer,
    compose,
    constant_stream,
    draw_prompt,
    save_pipeline,
    train_diffusion,
    vocabulary,
)
from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit
from earwitness.authoring.training.workshop import Workshop
from earwitness.judges import cnn
from earwitness.models import audioldm2
from earwitness.worlds.stems import NAMES, clip, render

HANDFUL = 8


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def handful(cache: Path) -> StemClips:
    return stem_clips("train", HANDFUL, cache)


@pytest.fixture(scope="module")
def pipeline() -> AudioLDM2Pipeline:
    torch.manual_seed(0)
    return compose(compose_autoencoder())


def test_the_recipe_is_offered_by_the_command() -> None:
    assert "micro_band" in RECIPES


def test_rendered_clips_are_kept_with_their_spectrograms_and_labels(handful: StemClips, cache: Path) -> None:
    written = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    again = stem_clips("train", HANDFUL, cache)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == written
    assert again.mels.shape == (HANDFUL, FRAMES, SHAPE.bins)
    for index, item in enumerate(handful.made):
        np.testing.assert_allclose(handful.audio[index], render(item).audio, atol=1e-3)
        assert {NAMES[i] for i in np.flatnonzero(handful.labels[index])} == set(item.instruments)


def test_every_word_of_every_split_is_one_token() -> None:
    tokenizer: Any = build_tokenizer()
    for split in ("train", "validation", "test"):
        for index in range(40):
            prompt = clip(split, index).prompt
            assert len(tokenizer(prompt).input_ids) == len(prompt.split()) + 1
    assert set(NAMES) <= set(vocabulary())
    assert tokenizer.tokenize("bassoon") == ["▁bass", "o", "o", "n"]


def test_the_second_stream_is_the_same_for_every_prompt(pipeline: AudioLDM2Pipeline) -> None:
    alone = constant_stream(pipeline)
    for prompt in ("a bass", "here is one organ with the trumpet and a drum on stage"):
        assert torch.equal(pipeline.encode_prompt(prompt, "cpu", 1, False)[2], alone)


def test_prompts_name_what_plays_and_now_and_then_have_lost_a_word() -> None:
    rng = np.random.default_rng(0)
    made = clip("train", 3)
    drawn = [draw_prompt(made, rng).text for _ in range(400)]
    named = [[word for word in prompt.split() if word in NAMES] for prompt in drawn]
    empty = np.mean([not prompt for prompt in drawn])
    assert abs(empty - UNCONDITIONAL) < 0.05
    assert all(sorted(words) == sorted(made.instruments) for words, prompt in zip(named, drawn, strict=True) if prompt)
    joiners = {"and", "plus", "over", "then"}  # "with" may open a prompt
    lost = [sum(word in joiners for word in prompt.split()) >= len(made.instruments) for prompt in drawn if prompt]
    assert 0.08 < np.mean(lost) < 0.25


def test_an_instrument_whose_word_nothing_attends_to_does_not_play() -> None:
    rng, made = np.random.default_rng(0), clip("train", 3)
    drawn = [draw_prompt(made, rng, 0.3) for _ in range(400)]
    marked = [prompt for prompt in drawn if prompt.unheard is not None]
    assert abs(len(marked) / len(drawn) - 0.3) < 0.06
    for prompt in marked:
        words = prompt.text.split()
        assert words[prompt.unheard] in set(NAMES) - set(made.instruments)
        assert set(made.instruments) <= set(words)
    plain = [np.random.default_rng(1), np.random.default_rng(1)]
    kinds = [draw_prompt(made, plain[0]), draw_prompt(made, plain[1], 0.0)]
    assert kinds[0] == kinds[1]


def test_latents_have_variance_one_once_they_are_scaled(handful: StemClips, tmp_path: Path) -> None:
    short = TrainingPlan("autoencoder", 3, 1e-3, 0)
    original = fit
    try:
        autoencoder.fit = lambda model, loss, plan, checkpoint: original(model, loss, short, checkpoint)  # type: ignore[attr-defined]
        model, seconds = train_autoencoder(handful, 0, TrainingCheckpoint(tmp_path / "a.pt"))
    finally:
        autoencoder.fit = original  # type: ignore[attr-defined]
    assert seconds > 0
    scaled = latents_of(model, handful.mels) * model.config.scaling_factor
    assert float(scaled.std()) == pytest.approx(1, abs=1e-3)
    assert scaled.shape[1:] == (8, FRAMES // 4, SHAPE.bins // 4)


def test_the_denoiser_learns_a_handful_by_heart_and_resumes_to_the_same_weights(
    handful: StemClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "BATCH", 2)
    plan = TrainingPlan("diffusion", 4, 2e-3, 0, warm_up=1)

    def trained(path: Path, stop: int | None = None) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        made = compose(compose_autoencoder())

        def visit(reached: TrainingCheckpoint) -> None:
            if reached.step == stop:
                raise KeyboardInterrupt

        try:
            # Writing the whole state takes longer than a step.
            kept = TrainingCheckpoint(path) if stop is None else TrainingCheckpoint(path, every=0.0)
            train_diffusion(made, handful, plan, kept, visit)
        except KeyboardInterrupt:
            assert stop is not None
        return {name: value.clone() for name, value in made.unet.state_dict().items()}

    whole = trained(tmp_path / "whole.pt")
    stopped = trained(tmp_path / "part.pt", stop=2)
    assert any(not torch.equal(stopped[name], whole[name]) for name in whole)
    resumed = trained(tmp_path / "part.pt")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_batch_holds_scaled_latents_and_padded_ids(handful: StemClips) -> None:
    latents = torch.arange(HANDFUL, dtype=torch.float32)[:, None, None, None].expand(-1, 8, 16, 16)
    found, ids, attended = DiffusionData(handful, latents, build_tokenizer()).batch(np.random.default_rng(0), 5)
    assert found.shape == (5, 8, 16, 16)
    assert ids.shape[0] == 5
    assert (ids == 1).sum(1).tolist() == [1] * 5
    assert attended.shape == ids.shape
    assert (attended == 1).all()


def test_in_some_rows_of_a_batch_nothing_attends_to_the_token_of_one_instrument(handful: StemClips) -> None:
    latents, tokenizer = torch.zeros(HANDFUL, 8, 16, 16), build_tokenizer()
    _, ids, attended = DiffusionData(handful, latents, tokenizer, 0.5).batch(np.random.default_rng(0), 40)
    rows, places = torch.nonzero(attended == 0, as_tuple=True)
    assert 10 < len(rows) < 30
    assert len(set(rows.tolist())) == len(rows)
    assert {tokenizer.convert_ids_to_tokens(int(token))[1:] for token in ids[rows, places]} <= set(NAMES)


def test_training_without_attention_to_some_words_is_another_and_leaves_the_denoiser_as_it_was(
    handful: StemClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "BATCH", 2)
    plan = TrainingPlan("refining", 2, 1e-3, 0, warm_up=1)
    losses = []
    for share in (0.0, 0.89):
        torch.manual_seed(0)
        made = compose(compose_autoencoder())
        processors = [type(each) for each in made.unet.attn_processors.values()]
        train_diffusion(made, handful, plan, TrainingCheckpoint(tmp_path / f"{share}.pt"), unheard=share)
        assert [type(each) for each in made.unet.attn_processors.values()] == processors
        losses.append({name: value.clone() for name, value in made.unet.state_dict().items()})
    assert any(not torch.equal(losses[0][name], losses[1][name]) for name in losses[0])


def test_what_the_recipe_writes_is_read_by_the_adapter_and_measured(
    pipeline: AudioLDM2Pipeline, handful: StemClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Workshop(tmp_path / "work", 0)
    monkeypatch.setattr(band, "JUDGE_STEPS", 2)
    monkeypatch.setattr(band, "JUDGE_BATCH", 4)
    monkeypatch.setattr(diffusion, "STEPS", 1)
    monkeypatch.setattr(diffusion, "REFINING_STEPS", 1)
    monkeypatch.setattr(diffusion, "BATCH", 2)
    vae = compose_autoencoder()
    band.fit_judge(handful, vae, tmp_path / "out", work)
    band.fit_diffusion(handful, vae, tmp_path / "out", work)
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert size < 25e6
    assert cnn.load(tmp_path / "out" / "judges" / "cnn").labels == NAMES
    found = measure(tmp_path / "out", count=2)
    assert set(found) == {
        f"{real}{name}" for real in ("", "real_") for name in ("all_named", "named", "not_named", "exact")
    }


def test_half_precision_on_disk_is_read_as_single_precision(pipeline: AudioLDM2Pipeline, tmp_path: Path) -> None:
    save_pipeline(pipeline, tmp_path)
    model = audioldm2.from_pretrained(str(tmp_path), steps=2)
    weight = pipeline.unet.conv_in.weight
    assert model.pipeline.unet.conv_in.weight.dtype == torch.float32
    assert torch.equal(model.pipeline.unet.conv_in.weight, weight.half().float())
    assert model.frames == FRAMES


def test_shares_are_counted_by_clip_and_by_instrument() -> None:
    class Judge:
        labels = ("bass", "drum", "bell")

        def presence(self, audio: torch.Tensor) -> torch.Tensor:
            return audio[:, :3]

    made: Any = [type("C", (), {"instruments": ("bass", "drum")}), type("C", (), {"instruments": ("bell",)})]
    ensemble: Any = Band.__new__(Band)
    object.__setattr__(ensemble, "judge", Judge())
    found = shares(ensemble, torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]]), made)
    assert found == {
        "all_named": 0.5,
        "named": pytest.approx(2 / 3),
        "not_named": pytest.approx(1 / 3),
        "exact": 0.0,
    }
