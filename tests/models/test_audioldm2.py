"""The AudioLDM2 adapter on a tiny random pipeline with the published one's parts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel, GPT2Model

from earwitness.errors import InvalidItemError, ModelError
from earwitness.models import audioldm2
from earwitness.models.audioldm2 import AudioLDM2Model
from earwitness.tracks.band import AttentionSums, Start
from tiny_band import BAND_BINS, BAND_FRAMES, BAND_HOP, BAND_RATE, tiny_audioldm2, tiny_pipeline

PROMPTS = ["a bass and a drum", "a recording of saxophone with piano"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_audioldm2(tmp_path_factory.mktemp("audioldm2"))


@pytest.fixture(scope="module")
def model(folder: Path) -> AudioLDM2Model:
    return audioldm2.from_pretrained(str(folder), steps=4, guidance=3.0, strength=0.5)


def _start(model: AudioLDM2Model, rows: int = 1, strength: float = 0.5) -> Start:
    audio = torch.randn(rows, BAND_FRAMES * BAND_HOP, generator=torch.Generator().manual_seed(3)) * 0.1
    return Start(model.mel(audio), strength)


def test_the_model_says_what_it_is(model: AudioLDM2Model) -> None:
    assert (model.sample_rate, model.bins, model.frames) == (BAND_RATE, BAND_BINS, BAND_FRAMES)
    assert model.frame_rate == BAND_RATE / BAND_HOP
    # One in the first block down, one in the middle, two in the last block up.
    assert model.layers == 4


def test_a_generation_equals_the_pipelines_own(model: AudioLDM2Model) -> None:
    pipeline = model.pipeline
    pipeline.set_progress_bar_config(disable=True)
    found = model.generate(model.encode(PROMPTS), [5, 6]).audio.numpy()
    for prompt, seed, audio in zip(PROMPTS, (5, 6), found, strict=True):
        noise = torch.randn(1, 4, 16, 4, generator=torch.Generator().manual_seed(seed))
        own = pipeline(prompt, num_inference_steps=4, guidance_scale=3.0, latents=noise).audios[0]
        assert np.abs(own).max() > 1e-3
        np.testing.assert_allclose(audio[: len(own)], own, atol=1e-5)


def test_recording_leaves_every_sample_as_it_was(model: AudioLDM2Model) -> None:
    text = model.encode(PROMPTS)
    plain = model.generate(text, [1, 2])
    seen = AttentionSums()
    watched = model.generate(text, [1, 2], record=seen)
    assert torch.equal(plain.audio, watched.audio)
    assert torch.equal(plain.mel, watched.mel)
    assert sorted(seen.sums) == [0, 1, 2, 3]
    assert set(seen.counts.values()) == {4}


def test_recorded_attention_is_that_of_the_conditional_branch(model: AudioLDM2Model) -> None:
    """Against the weights of diffusers' own slow processor, one prompt and no guidance, so nothing else is there."""
    from diffusers.models.attention_processor import AttnProcessor

    slow: list[torch.Tensor] = []

    class Spy(AttnProcessor):
        def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **rest):  # type: ignore[no-untyped-def]
            query = attn.head_to_batch_dim(attn.to_q(hidden_states))
            key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
            mask = attn.prepare_attention_mask(attention_mask, key.shape[1], len(hidden_states))
            slow.append(attn.get_attention_scores(query, key, mask).unflatten(0, (-1, attn.heads)))
            return super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, **rest)

    bare = AudioLDM2Model(model.pipeline, steps=4, guidance=1.0, strength=1.0)
    text = bare.encode(PROMPTS)
    before = [layer.processor for layer in bare._layers]
    try:
        for layer in bare._layers:
            layer.processor = Spy()
        bare.generate(text, [1, 2])
    finally:
        for layer, processor in zip(bare._layers, before, strict=True):
            layer.processor = processor
    found: list[torch.Tensor] = []
    bare.generate(text, [1, 2], record=lambda step, layer, attention: found.append(attention))
    assert len(found) == len(slow) == 16
    for one, other in zip(found, slow, strict=True):
        torch.testing.assert_close(one.flatten(2, 3), other, atol=1e-6, rtol=1e-5)


def test_attention_of_a_guided_generation_is_a_distribution_over_the_prompts_own_tokens(model: AudioLDM2Model) -> None:
    text = model.encode(PROMPTS)
    shapes = {}

    def look(step: int, layer: int, attention: torch.Tensor) -> None:
        shapes[layer] = tuple(attention.shape)
        torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]), atol=1e-5, rtol=0)
        assert (attention[0, ..., ~text.mask[0]] < 1e-3).all()

    model.generate(text, [1, 2], record=look)
    longest = text.states.shape[1]
    # The middle is half as fine: only one block halves the grid.
    assert shapes == {layer: (2, 2, 8, 2, longest) if layer == 1 else (2, 2, 16, 4, longest) for layer in range(4)}


def test_the_memory_of_sums_does_not_grow_with_steps(folder: Path) -> None:
    held = []
    for steps in (2, 8):
        model = audioldm2.from_pretrained(str(folder), steps=steps, guidance=3.0)
        seen = AttentionSums()
        model.generate(model.encode(PROMPTS[:1]), 1, record=seen)
        assert set(seen.counts.values()) == {steps}
        held.append(sum(total.untyped_storage().nbytes() for total in seen.sums.values()))
    assert held[0] == held[1] > 0


def test_the_same_seed_gives_the_same_noise_whatever_the_prompt(model: AudioLDM2Model) -> None:
    start = _start(model)
    one, other = (model.generate(model.encode([prompt]), [7], start) for prompt in PROMPTS)
    again = model.generate(model.encode(PROMPTS[:1]), [7], start)
    assert torch.equal(one.audio, again.audio)
    assert not torch.equal(one.audio, other.audio)
    latents = model.latents(start.mel)
    assert torch.equal(model.noised(latents, [7], 2), model.noised(latents, [7], 2))


def test_keeping_everything_changes_nothing_and_keeping_nothing_of_all_tokens_silences_the_words(
    model: AudioLDM2Model,
) -> None:
    text = model.encode(PROMPTS[:1])
    shape = (1, text.states.shape[1], BAND_BINS, BAND_FRAMES)
    plain = model.generate(text, [1])
    torch.testing.assert_close(model.generate(text, [1], keep=torch.ones(shape)).mel, plain.mel, atol=1e-4, rtol=0)
    without = model.generate(text, [1], keep=torch.zeros(shape)).mel
    assert (without - plain.mel).abs().max() > 1e-4
    # Without any of their attention no word can matter: another prompt of as many tokens sounds the same.
    other = model.encode(["a piano and a flute"])
    assert other.states.shape == text.states.shape
    same = AudioLDM2Model(model.pipeline, steps=4, guidance=3.0, strength=1.0)
    swapped = text._replace(states=other.states, mask=other.mask)
    torch.testing.assert_close(same.generate(swapped, [1], keep=torch.zeros(shape)).mel, without, atol=1e-5, rtol=0)


def test_a_place_outside_the_kept_ones_loses_the_word_there_alone(model: AudioLDM2Model) -> None:
    text = model.encode(PROMPTS[:1])
    keep = torch.ones(1, text.states.shape[1], BAND_BINS, BAND_FRAMES)
    keep[:, 1, : BAND_BINS // 2] = 0
    from earwitness.models.audioldm2 import _grids, _Shares

    shares = _Shares(keep, _grids((16, 4)))
    fine = shares(0, 64).reshape(1, 16, 4, -1)
    assert (fine[..., :2, 1] == 0).all()
    assert (fine[..., 2:, 1] == 1).all()
    assert (fine[..., 0] == 1).all()


def test_a_faint_start_stays_nearer_to_the_clip_than_a_strong_one(model: AudioLDM2Model) -> None:
    start = _start(model)
    text = model.encode(PROMPTS[:1])
    own = model.decode(model.latents(start.mel))
    far = [
        float((model.generate(text, [1], Start(start.mel, strength)).mel - own).abs().mean())
        for strength in (0.25, 1.0)
    ]
    assert far[0] < far[1]
    with pytest.raises(ModelError, match=r"strength of a start lies in \(0, 1\], not 1\.5"):
        model.generate(text, [1], Start(start.mel, 1.5))


def test_noise_and_prediction_put_together_give_the_clean_latents_back(model: AudioLDM2Model) -> None:
    latents = model.latents(_start(model).mel)
    noisy = model.noised(latents, [4], 2)
    time = model._schedule.timesteps[2]
    noise = model._noise([4], latents.shape[1:])
    torch.testing.assert_close(model._clean(noisy, noise, time), latents, atol=1e-4, rtol=1e-4)


def test_the_foretold_latents_are_differentiable_in_the_words(model: AudioLDM2Model) -> None:
    text = model.encode(PROMPTS[:1])
    states = text.states.detach().requires_grad_()
    noisy = model.noised(model.latents(_start(model).mel), [1, 2], 1)
    model.decode(model.denoised(noisy, 1, text._replace(states=states))).square().sum().backward()
    assert states.grad is not None
    assert (states.grad.abs().sum(-1) > 0).all()


def test_a_word_of_two_tokens_is_one_word(model: AudioLDM2Model) -> None:
    assert model.tokens(PROMPTS[1:]) == [["a", "recording", "of", "saxo", "phone", "with", "piano", "</s>"]]
    assert model.words(PROMPTS[1:])[0].tolist() == [0, 1, 2, 3, 3, 4, 5, -1]
    assert model.special(PROMPTS[1:])[0].tolist() == [False] * 7 + [True]


def test_the_text_stream_is_t5s_and_not_the_language_models(model: AudioLDM2Model) -> None:
    text = model.encode(PROMPTS)
    assert text.states.shape == (2, 8, 12)
    assert text.other is not None
    assert text.other.shape == (2, 3, 8)
    own = model.pipeline.text_encoder_2(model.pipeline.tokenizer_2(PROMPTS[1:], return_tensors="pt").input_ids)
    torch.testing.assert_close(text.states[1], own[0][0], atol=1e-6, rtol=0)


def test_a_prompt_is_encoded_alike_whatever_stands_beside_it(model: AudioLDM2Model) -> None:
    alone, together = model.encode(PROMPTS[:1]), model.encode(PROMPTS)
    assert torch.equal(alone.states[0], together.states[0, : alone.states.shape[1]])
    assert torch.equal(alone.other, together.other[:1])
    one, two = model.generate(alone, 5).mel, model.generate(together, [5, 6]).mel
    torch.testing.assert_close(one, two[:1], atol=1e-5, rtol=0)


def test_a_pass_of_two_rows_counts_as_two(model: AudioLDM2Model) -> None:
    assert model.sequences((torch.zeros(2, 4, 16, 4), 0), {}) == 2.0


def test_other_lengths_are_whole_latent_cells(folder: Path) -> None:
    model = audioldm2.from_pretrained(str(folder), steps=2, seconds=0.33)
    assert model.frames == 36
    assert model.generate(model.encode(PROMPTS[:1]), 1).mel.shape == (1, BAND_BINS, 36)
    assert model.mel(torch.zeros(1, 37 * BAND_HOP)).shape == (1, BAND_BINS, 40)


def test_a_prompt_that_is_too_long_is_refused_not_cut(model: AudioLDM2Model) -> None:
    with pytest.raises(InvalidItemError, match="the model takes 64; shorten it"):
        model.encode(["bass " * 80])


def test_a_pipeline_without_cross_attention_over_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no cross-attention over T5 tokens") as caught:
        audioldm2.from_pretrained(str(tiny_audioldm2(tmp_path / "bare", streams=[None, 8])))
    assert "\n" not in str(caught.value)


def changed(folder: Path, place: Path, file: str, **fields: Any) -> Path:
    """A copy of a pipeline's folder with fields of one of its files changed."""
    path = Path(shutil.copytree(folder, place)) / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return place


def test_a_bare_gpt2_is_given_its_head_and_says_the_same_to_the_last_bit(
    model: AudioLDM2Model, folder: Path, tmp_path: Path
) -> None:
    bare = changed(folder, tmp_path / "bare", "model_index.json", language_model=["transformers", "GPT2Model"])
    trunk = GPT2Model.from_pretrained(bare / "language_model")
    shutil.rmtree(bare / "language_model")
    trunk.save_pretrained(bare / "language_model")
    assert "max_new_tokens" in json.loads((bare / "language_model" / "config.json").read_text())
    found = audioldm2.from_pretrained(str(bare), steps=4, guidance=3.0, strength=0.5)
    language = found.pipeline.language_model
    assert type(language) is GPT2LMHeadModel
    assert language.lm_head.weight is language.transformer.wte.weight
    for prompts in (PROMPTS, PROMPTS[:1]):
        own, other = model.encode(prompts), found.encode(prompts)
        assert own.other is not None
        assert other.other is not None
        assert torch.equal(own.states, other.states)
        assert torch.equal(own.other, other.other)
    assert torch.equal(model.generate(own, 3).audio, found.generate(other, 3).audio)


def test_the_language_models_states_are_eight_where_its_folder_does_not_say(folder: Path, tmp_path: Path) -> None:
    silent = changed(folder, tmp_path / "silent", "language_model/config.json", max_new_tokens=None)
    (silent / "language_model" / "generation_config.json").unlink(missing_ok=True)
    text = audioldm2.from_pretrained(str(silent), steps=2).encode(["a bass"])
    assert text.other is not None
    assert text.other.shape[1] == 8


@pytest.mark.parametrize(
    ("file", "fields", "said"),
    [
        ("model_index.json", {"language_model": ["transformers", "BertModel"]}, "the language model of .* is a Bert"),
        ("model_index.json", {"vocoder": ["transformers", "GPT9Model"]}, "cannot read the pipeline"),
        ("model_index.json", {"text_encoder_2": ["transformers", "VitsModel"]}, "is a VitsModel, not a T5"),
        ("model_index.json", {"vocoder": [None, None]}, "which library and class its vocoder"),
        ("language_model/config.json", {"n_positions": 4}, "cannot read"),
        ("projection_model/config.json", {"langauge_model_dim": 12}, "cannot read"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 1}, "cannot read the schedule"),
    ],
)
def test_parts_that_do_not_work_are_one_line_when_the_model_is_read(
    file: str, fields: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    odd = changed(folder, tmp_path / "odd", file, **fields)
    with pytest.raises(ModelError, match=said) as caught:
        audioldm2.from_pretrained(str(odd), steps=2)
    assert "\n" not in str(caught.value)


def test_a_generation_shorter_than_a_frame_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"0\.001 s are shorter than a frame"):
        audioldm2.from_pretrained(str(folder), seconds=0.001)


def test_folders_that_are_no_pipeline_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"holds no model_index\.json"):
        audioldm2.from_pretrained(str(tmp_path / "empty"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_index.json").write_text('{"_class_name": "DDPMPipeline"}')
    with pytest.raises(ModelError, match="holds a DDPMPipeline, not an AudioLDM2Pipeline"):
        audioldm2.from_pretrained(str(tmp_path / "other"))


def test_the_pipeline_of_memory_and_that_of_the_folder_are_the_same(model: AudioLDM2Model) -> None:
    fresh = AudioLDM2Model(tiny_pipeline().to("cpu"), steps=4, guidance=3.0, strength=0.5)
    one, other = (each.generate(each.encode(PROMPTS[:1]), 9).mel for each in (fresh, model))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
