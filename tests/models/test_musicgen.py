from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import MusicgenForConditionalGeneration, T5Config, T5EncoderModel
from transformers.modeling_outputs import BaseModelOutput

from earwitness.errors import ModelError
from earwitness.models import musicgen
from earwitness.tracks.prompt import Encoded, Removal
from tiny import CODEBOOKS, CODES, FRAMES

PROMPTS = ["a dog barks loudly", "quiet rain", "the siren wails far near the bell"]
STEPS = FRAMES + CODEBOOKS - 1


@pytest.fixture(scope="module")
def text(model):
    return model.encode(PROMPTS)


@pytest.fixture(scope="module")
def codes(model, text):
    return model.sample(text, [1, 2, 3])


@pytest.fixture(scope="module")
def original(folder):
    return MusicgenForConditionalGeneration.from_pretrained(folder).eval()


def some_mask(text, framewise=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows, tokens = text.mask.shape
    return torch.rand((rows, FRAMES, tokens) if framewise else (rows, tokens), generator=generator)


def transformers_logits(original, codes, text, guidance_null=False):
    """Logits [B, K, F, V] by transformers' own forward pass and its own delay pattern, labels shifted by one."""
    start = torch.full((codes.shape[0], CODEBOOKS, 1), CODES)
    prompt = torch.cat([start, codes], dim=-1).flatten(0, 1)
    pattern = original.decoder.build_delay_pattern_mask(prompt, CODES, max_length=FRAMES + CODEBOOKS)[1]
    states, mask = text.states, text.mask.long()
    if guidance_null:
        states, mask = torch.zeros_like(states), torch.zeros_like(mask)
    with torch.no_grad():
        logits = original.decoder(
            input_ids=pattern[:, :-1], encoder_hidden_states=states, encoder_attention_mask=mask
        ).logits
    logits = logits.unflatten(0, (-1, CODEBOOKS))
    labels = pattern[:, 1:].unflatten(0, (-1, CODEBOOKS))
    kept = logits[labels != CODES].reshape(len(codes), CODEBOOKS, FRAMES, CODES)
    assert torch.equal(labels[labels != CODES].reshape(codes.shape), codes)
    return kept


def test_sizes_and_defaults_come_from_the_folder(model):
    assert (model.codebooks, model.frames, model.sample_rate, model.frame_rate) == (4, 12, 1600, 25)
    assert (model.guidance, model.temperature, model.top_k) == (3.0, 0.9, 50)


def test_parameters_replace_the_folders_defaults(folder):
    model = musicgen.from_pretrained(str(folder), seconds=0.2, guidance=1.5, temperature=0.5, top_k=3)
    assert (model.frames, model.guidance, model.temperature, model.top_k) == (5, 1.5, 0.5, 3)


def test_states_are_those_that_transformers_hands_to_the_decoder(model, original):
    ids = torch.tensor([model.module.config.text_encoder.vocab_size - 1, 1])[None]
    with torch.no_grad():
        expected = original.enc_to_dec_proj(original.text_encoder(ids).last_hidden_state)
    assert torch.allclose(model.encode(["near"]).states, expected, atol=1e-6)


def test_without_a_mask_logits_are_those_of_transformers(model, original, text, codes):
    assert torch.allclose(model.logits(codes, text), transformers_logits(original, codes, text), atol=1e-5)


def test_the_null_branch_is_that_of_transformers(model, original, text, codes):
    expected = transformers_logits(original, codes, text, guidance_null=True)
    assert torch.allclose(model.null_logits(codes), expected, atol=1e-5)


def test_generation_without_noise_is_transformers_greedy_generation(folder, original):
    model = musicgen.from_pretrained(str(folder), temperature=1e-6)
    text = model.encode(PROMPTS[:1])
    ids = model._prompts.padded(PROMPTS[:1])[0]
    expected = original.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, guidance_scale=3.0
    )
    _, audio = model.generate(text, 0)
    assert torch.allclose(audio, expected[:, 0], atol=1e-5)


def test_a_white_box_call_of_the_module_is_transformers_own(model, original, text):
    ids = torch.full((len(PROMPTS) * CODEBOOKS, 5), CODES)
    given = {
        "encoder_outputs": BaseModelOutput(torch.randn(3, text.mask.shape[1], 24)),
        "attention_mask": text.mask.long(),
    }
    with torch.no_grad():
        mine = model.module(**given, decoder_input_ids=ids).logits
        theirs = original(**given, decoder_input_ids=ids).logits
    assert torch.allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("removal", list(Removal))
def test_a_mask_of_ones_changes_nothing(model, text, codes, removal):
    ones = torch.ones(len(PROMPTS), FRAMES, text.mask.shape[1])
    assert torch.allclose(model.logits(codes, text, ones, removal), model.logits(codes, text), atol=1e-5)
    assert torch.equal(model.sample(text, [1, 2, 3], ones, removal), codes)


def test_removing_every_token_is_the_null_branch(model, text, codes):
    zeros = torch.zeros(text.mask.shape)
    for removal in (Removal.SCALE, Removal.RENORMALISE, Removal.NULL):
        assert torch.allclose(model.logits(codes, text, zeros, removal), model.null_logits(codes), atol=1e-5)
    assert not torch.allclose(model.logits(codes, text, zeros, Removal.MEAN), model.null_logits(codes), atol=1e-2)


def test_scaled_cross_attention_is_the_formula_in_every_layer(model, text, codes):
    """A hook on a layer sees out_proj(sum (a m) v) with the attention that the pass itself recorded."""
    mask, seen = some_mask(text), {}
    layer = model.metered.layers[0].encoder_attn
    hook = layer.register_forward_hook(lambda _, __, output: seen.update(output=output[0]))
    attention = model.teacher_forced(codes, text, mask, attentions=True).attentions[0]
    hook.remove()
    values = layer.v_proj(text.states).unflatten(-1, (layer.num_heads, -1)).transpose(1, 2)
    rows = mask[:, torch.arange(STEPS).clamp(max=FRAMES - 1)]
    expected = layer.out_proj(((attention * rows[:, None]) @ values).transpose(1, 2).flatten(2))
    assert torch.allclose(seen["output"], expected, atol=1e-6)


def test_operators_differ_from_each_other(model, text, codes):
    mask = some_mask(text)
    results = [
        model.logits(codes, text, mask, removal) for removal in (Removal.SCALE, Removal.RENORMALISE, Removal.MEAN)
    ]
    for i, one in enumerate(results):
        for other in results[:i]:
            assert (one - other).abs().max() > 1e-2
    assert torch.allclose(results[0], model.logits(codes, text, mask, Removal.NULL), atol=1e-5)


@pytest.mark.parametrize("removal", list(Removal))
def test_padding_changes_no_result(model, text, codes, removal):
    mask = some_mask(text)
    together = model.logits(codes, text, mask, removal)
    for row, prompt in enumerate(PROMPTS):
        alone = model.encode([prompt])
        n = alone.states.shape[1]
        single = model.logits(codes[row : row + 1], alone, mask[row : row + 1, :, :n], removal)
        assert torch.allclose(single, together[row : row + 1], atol=1e-5)


def test_a_row_of_the_mask_acts_on_its_own_step_and_later_ones_alone(model, text, codes):
    mask = torch.ones(len(PROMPTS), FRAMES, text.mask.shape[1])
    changed = mask.clone()
    changed[:, 5] = 0
    before, after = model.hidden(codes, text, mask), model.hidden(codes, text, changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert (before[:, 5] - after[:, 5]).abs().max() > 1e-3


def test_the_last_row_of_the_mask_serves_the_steps_behind_the_last_frame(model, text, codes):
    mask = torch.ones(len(PROMPTS), FRAMES, text.mask.shape[1])
    mask[:, -1] = 0
    difference = (model.logits(codes, text, mask) - model.logits(codes, text)).abs().amax(dim=(0, 3))
    assert difference[0, -2] == 0
    assert (difference[:, -1] > 1e-3).all()


def test_a_mask_of_tokens_is_the_same_in_every_frame(model, text, codes):
    mask = some_mask(text, framewise=False)
    framewise = mask[:, None].expand(-1, FRAMES, -1)
    assert torch.allclose(model.logits(codes, text, mask), model.logits(codes, text, framewise), atol=1e-6)
    assert torch.equal(model.sample(text, 5, mask), model.sample(text, 5, framewise))


@pytest.mark.parametrize("removal", list(Removal))
def test_the_cached_loop_draws_what_recomputing_every_prefix_draws(model, text, removal):
    mask, seeds = some_mask(text), [11, 12, 13]
    noise = model._noise.batch(seeds, model.device)
    codes = torch.zeros(len(PROMPTS), CODEBOOKS, FRAMES, dtype=torch.long)
    for step in range(STEPS):
        scores = model.guided(model.logits(codes, text, mask, removal), model.null_logits(codes))
        for k in range(CODEBOOKS):
            if 0 <= step - k < FRAMES:
                codes[:, k, step - k] = (scores[:, k, step - k] + noise[step, :, k]).argmax(-1)
    assert torch.equal(model.sample(text, seeds, mask, removal), codes)


def test_the_same_call_twice_is_bit_identical(model, text):
    mask = some_mask(text)
    (codes, audio), (again, sound) = (model.generate(text, [7, 8, 9], mask) for _ in range(2))
    assert torch.equal(codes, again)
    assert torch.equal(audio, sound)


def test_neighbours_in_the_batch_change_no_codes(model, text):
    together = model.sample(text, [7, 8, 9])
    for row, prompt in enumerate(PROMPTS):
        assert torch.equal(model.sample(model.encode([prompt]), 7 + row), together[row : row + 1])


def test_generation_leaves_global_randomness_of_torch_and_numpy_alone(model, text):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model.generate(text, 3)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def test_other_seeds_draw_other_codes(model, text):
    assert not torch.equal(model.sample(text, 1), model.sample(text, 2))


def test_one_prompt_serves_many_masks(model):
    text = model.encode(PROMPTS[:1])
    masks = torch.rand(5, FRAMES, text.mask.shape[1], generator=torch.Generator().manual_seed(1))
    many = Encoded(text.states.expand(5, -1, -1), text.mask.expand(5, -1))
    codes = model.sample(text, 3, masks)
    assert torch.equal(codes, model.sample(many, [3] * 5, masks))
    single = codes[:1]
    expected = model.logits(single.expand(5, -1, -1), many, masks)
    assert torch.allclose(model.logits(single, text, masks), expected, atol=1e-6)


def test_guidance_moves_from_the_null_branch_through_the_conditional_one(model):
    guided = model.guided(torch.tensor([2.0]), torch.tensor([1.0]))
    assert float(guided) == pytest.approx((1 + 3 * (2 - 1)) / 0.9)


def test_guidance_of_one_draws_from_the_conditional_branch(folder):
    model = musicgen.from_pretrained(str(folder), guidance=1.0, temperature=1e-6)
    text = model.encode(PROMPTS)
    codes = model.sample(text, 0)
    assert torch.equal(model.logits(codes, text).argmax(-1), codes)


def test_top_k_draws_among_the_k_most_probable(folder):
    model = musicgen.from_pretrained(str(folder), top_k=2, temperature=50.0)
    text = model.encode(PROMPTS)
    codes = model.sample(text, [1, 2, 3])
    scores = model.guided(model.logits(codes, text), model.null_logits(codes))
    best = scores.topk(2, dim=-1).indices
    assert (best == codes[..., None]).any(-1).all()
    assert len(codes.unique()) > 2


def test_drawn_codes_follow_the_softmax_of_guided_logits(model):
    """First code of 4,000 seeds against its probabilities: total variation near what sampling noise allows."""
    text = model.encode(PROMPTS[:1])
    draws = torch.stack([model._noise.of(seed)[0, 0] for seed in range(4000)])
    start = torch.zeros(1, CODEBOOKS, FRAMES, dtype=torch.long)
    scores = model.guided(model.logits(start, text), model.null_logits(start))[0, 0, 0]
    share = torch.bincount((scores + draws).argmax(-1), minlength=CODES) / 4000
    assert (share - scores.softmax(-1)).abs().sum() / 2 < 0.03


def test_gradients_reach_the_mask_the_states_and_the_attention(model, text, codes):
    mask = some_mask(text).requires_grad_()
    states = text.states.clone().requires_grad_()
    for removal in Removal:
        out = model.teacher_forced(codes, Encoded(states, text.mask), mask, removal, attentions=True)
        attended = torch.autograd.grad(out.logits.logsumexp(-1).sum(), [mask, states, *out.attentions])
        assert all(torch.isfinite(g).all() and g.abs().max() > 0 for g in attended)


def test_the_gradient_of_the_mask_is_the_difference_quotient(model, text, codes):
    mask = some_mask(text).double().float().requires_grad_()
    model.logits(codes, text, mask)[0, 1, 6, 2].backward()
    step = torch.zeros_like(mask)
    step[0, 3, 1] = 1e-2
    with torch.no_grad():
        up, down = (model.logits(codes, text, mask + sign * step)[0, 1, 6, 2] for sign in (1, -1))
    assert float(mask.grad[0, 3, 1]) == pytest.approx(float(up - down) / 2e-2, rel=2e-2, abs=1e-4)
    assert mask.grad[0, 8:].abs().max() == 0


def test_cross_attention_has_the_documented_shape_and_sums_to_one_over_the_prompts_tokens(model, text, codes):
    attention = model.cross_attention(codes, text)
    assert attention.shape == (3, 2, 2, FRAMES, text.mask.shape[1])
    assert torch.allclose(attention.sum(-1), torch.ones(()), atol=1e-6)
    assert attention[1, ..., ~text.mask[1]].abs().max() == 0


def test_attention_is_recorded_before_removal_and_only_when_asked(model, text, codes):
    mask = some_mask(text)
    assert model.teacher_forced(codes, text, mask).attentions == ()
    for removal in Removal:
        first = model.teacher_forced(codes, text, mask, removal, attentions=True).attentions[0]
        assert first.shape == (3, 2, STEPS, text.mask.shape[1])
        assert torch.allclose(first[..., 0, :].sum(-1), torch.ones(()), atol=1e-6)


def test_a_failed_pass_leaves_the_model_as_it_was(model, text, codes):
    expected = model.logits(codes, text)
    with pytest.raises(ValueError, match=r"token_mask must be .* found \[3, 5, 2\]"):
        model.logits(codes, text, torch.ones(3, 5, 2))
    with pytest.raises(ValueError, match="differ in number"):
        model.sample(text, [1, 2])
    assert torch.equal(model.logits(codes, text), expected)


def test_cost_counts_whole_sequences(model, text, codes):
    spent = []
    hook = model.metered.register_forward_pre_hook(
        lambda _, args, kwargs: spent.append(model.sequences(args, kwargs)), with_kwargs=True
    )
    model.logits(codes, text)
    model.null_logits(codes[:1])
    assert spent == [3, 1]
    spent.clear()
    model.sample(text, 0)
    hook.remove()
    assert len(spent) == STEPS
    assert sum(spent) == pytest.approx(2 * 3)


def test_tokens_words_and_special_tokens_line_up(model):
    prompts = ["a  dog barks", "rain"]
    assert model.tokens(prompts) == [["a", "dog", "barks", "</s>"], ["rain", "</s>"]]
    assert [row.tolist() for row in model.words(prompts)] == [[0, 1, 2, -1], [0, -1]]
    assert [row.tolist() for row in model.special(prompts)] == [[False, False, False, True], [False, True]]
    assert model.encode(prompts).mask.sum(1).tolist() == [4, 2]


def test_an_empty_prompt_is_its_end_alone(model):
    assert model.tokens([""]) == [["</s>"]]
    assert torch.isfinite(model.logits(model.sample(model.encode([""]), 0), model.encode([""]))).all()


def test_audio_has_the_length_of_its_frames(model, text):
    codes, audio = model.generate(text, 1)
    assert codes.shape == (3, CODEBOOKS, FRAMES)
    assert audio.shape == (3, FRAMES * 64)
    assert codes.max() < CODES


def test_half_precision_weights_are_read_as_float32(folder, tmp_path):
    MusicgenForConditionalGeneration.from_pretrained(folder).half().save_pretrained(tmp_path)
    shutil.copy(folder / "tokenizer.json", tmp_path)
    shutil.copy(folder / "tokenizer_config.json", tmp_path)
    model = musicgen.from_pretrained(str(tmp_path))
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}


def broken(folder, tmp_path, *missing):
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    for name in missing:
        (copy / name).unlink()
    return copy


def one_line(source):
    with pytest.raises(ModelError) as caught:
        musicgen.from_pretrained(str(source))
    message = str(caught.value)
    assert "\n" not in message
    assert str(source) in message
    return message


def test_a_folder_without_weights_is_refused_in_one_line(folder, tmp_path):
    assert "weights" in one_line(broken(folder, tmp_path, "model.safetensors"))


def test_a_folder_without_tokenizer_is_refused_in_one_line(folder, tmp_path):
    assert "tokenizer" in one_line(broken(folder, tmp_path, "tokenizer.json", "tokenizer_config.json"))


def test_another_kind_of_model_is_refused_in_one_line(tmp_path):
    T5EncoderModel(T5Config(d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, vocab_size=9)).save_pretrained(
        tmp_path
    )
    assert "t5 model, not a musicgen one" in one_line(tmp_path)


def test_a_stereo_model_is_refused_in_one_line(folder, tmp_path):
    copy = broken(folder, tmp_path)
    config = json.loads((copy / "config.json").read_text())
    config["decoder"]["audio_channels"] = 2
    (copy / "config.json").write_text(json.dumps(config))
    assert "stereo" in one_line(copy)


def test_an_empty_folder_is_refused_in_one_line(tmp_path):
    assert "configuration" in one_line(tmp_path)


def test_truncated_weights_are_refused_in_one_line(folder, tmp_path):
    copy = broken(folder, tmp_path)
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    one_line(copy)


def test_weights_that_lack_a_tensor_are_refused_in_one_line(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    copy = broken(folder, tmp_path)
    tensors = load_file(copy / "model.safetensors")
    del tensors["decoder.lm_heads.0.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    assert "lack decoder.lm_heads.0.weight" in one_line(copy)


def test_logits_that_are_not_finite_without_a_prompt_are_the_models_fault(folder, monkeypatch):
    plain = musicgen.MusicgenModel.null_logits
    monkeypatch.setattr(musicgen.MusicgenModel, "null_logits", lambda self, codes: plain(self, codes) * torch.nan)
    assert "gives logits that are not finite" in one_line(folder)
    # Without guidance that branch is never asked.
    musicgen.from_pretrained(str(folder), guidance=1.0)


def test_a_hub_that_cannot_be_reached_ends_in_one_line(monkeypatch):
    def unreachable(*_args, **_kwargs):
        raise OSError("We couldn't connect to the hub\nto load the files,\nand couldn't find them in the cache.")

    monkeypatch.setattr("transformers.PretrainedConfig.get_config_dict", unreachable)
    assert "some/model (revision main): We couldn't connect to the hub" in one_line("some/model")


def changed(folder, place, **fields):
    """A copy of a folder with fields of its generation_config.json changed."""
    shutil.copytree(folder, place)
    path = place / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return str(place)


def test_temperature_0_is_greedy_and_seeds_do_not_matter(folder):
    greedy = musicgen.from_pretrained(str(folder), temperature=0.0)
    text = greedy.encode(PROMPTS)
    codes = greedy.sample(text, [1, 2, 3])
    assert torch.equal(codes, greedy.sample(text, [4, 5, 6]))
    guided = greedy.guided(greedy.logits(codes, text), greedy.null_logits(codes))
    assert guided.isfinite().all()
    # Step after step, the likeliest code of the logits that it says it samples from.
    assert torch.equal(guided.argmax(-1), codes)
    coldest = musicgen.from_pretrained(str(folder), temperature=1e-4)
    assert torch.equal(coldest.sample(text, [1, 2, 3]), codes)
    assert torch.equal(musicgen.from_pretrained(str(folder), top_k=1).sample(text, [7, 8, 9]), codes)
    bare = musicgen.from_pretrained(str(folder), temperature=0.0, guidance=1.0)
    codes = bare.sample(text, [1, 2, 3])
    assert torch.equal(bare.logits(codes, text).argmax(-1), codes)


def test_a_folder_that_does_not_sample_is_greedy_unless_the_card_says_a_temperature(folder, tmp_path):
    still = changed(folder, tmp_path / "still", do_sample=False)
    assert musicgen.from_pretrained(still).temperature == 0
    assert musicgen.from_pretrained(still, temperature=0.5).temperature == 0.5


def test_settings_that_a_folder_leaves_open_have_defaults(folder, tmp_path):
    model = musicgen.from_pretrained(changed(folder, tmp_path / "open", guidance_scale=None, top_k=None))
    assert (model.guidance, model.temperature, model.top_k) == (1.0, 0.9, 50)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temperature": -1.0}, "(generation_config.json): temperature must be greater than or equal to 0, not -1.0"),
        ({"top_k": -3}, "(generation_config.json): top_k must be greater than or equal to 0, not -3"),
        ({"guidance_scale": "3"}, "(generation_config.json): guidance_scale must be a valid number, not '3'"),
        ({"do_sample": "x"}, "(generation_config.json): do_sample must be true or false, not 'x'"),
        ({"max_new_tokens": 2.5}, "(generation_config.json): a length must be a number of steps, not 2.5"),
        ({"max_new_tokens": "x"}, "cannot read the generation configuration of the model"),
        ({"top_p": 0.9}, "(generation_config.json): top_p = 0.9 is nothing that this adapter does; take it out"),
        ({"typical_p": 0.5}, "typical_p = 0.5"),
        ({"repetition_penalty": 1.2}, "repetition_penalty = 1.2"),
        ({"no_repeat_ngram_size": 3}, "no_repeat_ngram_size = 3"),
        ({"num_beams": 4}, "num_beams = 4"),
        ({"suppress_tokens": [1]}, "suppress_tokens = [1]"),
        ({"max_new_tokens": 10**9}, "beyond 300 s; set `seconds`"),
    ],
)
def test_settings_of_a_folder_are_held_to_the_same_bounds(folder, tmp_path, fields, said):
    with pytest.raises(ModelError) as caught:
        musicgen.from_pretrained(changed(folder, tmp_path / "odd", **fields))
    assert said in str(caught.value)


def test_settings_of_a_folder_that_change_nothing_are_let_through(folder, tmp_path):
    plain = {"top_p": 1.0, "repetition_penalty": 1.0, "num_beams": 1, "no_repeat_ngram_size": 0, "min_p": None}
    model = musicgen.from_pretrained(changed(folder, tmp_path / "plain", **plain))
    assert (model.guidance, model.temperature, model.top_k) == (3.0, 0.9, 50)
    # transformers draws nothing where it does not sample, so that this one is not asked.
    assert musicgen.from_pretrained(changed(folder, tmp_path / "still", do_sample=False, top_p=0.9)).temperature == 0


def test_a_card_stands_before_a_setting_that_is_none(folder, tmp_path):
    odd = changed(folder, tmp_path / "odd", temperature=-1.0, top_k=-3)
    assert musicgen.from_pretrained(odd, temperature=0.5, top_k=2).temperature == 0.5


def test_a_generation_shorter_than_a_frame_is_refused(folder):
    with pytest.raises(ModelError, match=r"makes 25 frames a second, and 0\.01 s hold none; ask for more"):
        musicgen.from_pretrained(str(folder), seconds=0.01)


def test_weights_saved_in_half_precision_are_read_in_single(folder, tmp_path):
    MusicgenForConditionalGeneration.from_pretrained(folder).half().save_pretrained(tmp_path / "half")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path / "half" / name)
    model = musicgen.from_pretrained(str(tmp_path / "half"))
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}
