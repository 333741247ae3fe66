"""AudioGen through audiocraft: the same numbers as MusicGen of transformers has with the same weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import tiny_published
from baselines import baseline, make_item
from earwitness.datasets import scenes
from earwitness.errors import InvalidItemError
from earwitness.models import audiogen, audiogen_parts, musicgen
from earwitness.models.audiogen import AudioGenModel
from earwitness.models.audiogen_files import LANGUAGE, read_checkpoint
from earwitness.models.audiogen_parts import AudioGenParts
from earwitness.models.musicgen_sampling import Sampling
from earwitness.tracks.prompt import Encoded, Removal
from tiny_audiogen import own_language_model

pytestmark = pytest.mark.filterwarnings("ignore")

CAPTIONS = [record.prompt for record in scenes.load(split="test", items=8, seed=0)]
SEEDS = list(range(1, 9))
PROMPTS = ["bass and drums", "piano", "a recording of bass and drums"]


@pytest.fixture(scope="module")
def model(audiogen_folder):
    return audiogen.from_pretrained(str(audiogen_folder), seconds=0.24)


@pytest.fixture(scope="module")
def text(model):
    return model.encode(PROMPTS)


@pytest.fixture(scope="module")
def codes(model, text):
    return model.sample(text, [1, 2, 3])


@pytest.fixture(scope="module")
def untouched(audiogen_folder):
    """audiocraft's own language model with the same weights."""
    checkpoint = read_checkpoint(str(audiogen_folder), "main")
    lm = own_language_model(audiogen_folder, tiny_published.shrunk_audiogen()[LANGUAGE], width=12)
    lm.load_state_dict(checkpoint.language.weights)
    return lm


@pytest.fixture(scope="module")
def both(micro_through_audiocraft, micro_through_transformers):
    return micro_through_audiocraft, micro_through_transformers


@pytest.fixture(scope="module")
def micro(both):
    """Prompts encoded by either model, and codes that they draw under the same noise."""
    texts = [each.encode(CAPTIONS) for each in both]
    return texts, [each.sample(text, SEEDS) for each, text in zip(both, texts, strict=True)]


def some_mask(text, frames, seed=0):
    rows, tokens = text.mask.shape
    return torch.rand((rows, frames, tokens), generator=torch.Generator().manual_seed(seed))


def furthest(pair):
    one, other = pair
    return float((one - other).abs().max())


def test_captions_are_read_alike(both, micro):
    for ask in ("tokens", "words", "special"):
        found = [getattr(each, ask)(CAPTIONS) for each in both]
        assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))
    (mine, theirs), _ = micro
    assert torch.equal(mine.mask, theirs.mask)
    assert furthest((mine.states, theirs.states)) <= 1e-5
    for each in both:
        assert (each.codebooks, each.frames, each.sample_rate, each.frame_rate) == (4, 50, 16_000, 25.0)


def test_the_same_noise_draws_the_same_codes_and_sounds(both, micro):
    texts, (mine, theirs) = micro
    assert torch.equal(mine, theirs)
    assert torch.equal(*(each.audio(mine[:1]) for each in both))
    mask = some_mask(texts[0], 50)
    for removal in Removal:
        drawn = [
            each.sample(Encoded(*(part[:1] for part in text)), SEEDS[:1], mask[:1], removal)
            for each, text in zip(both, texts, strict=True)
        ]
        assert torch.equal(*drawn), removal


def test_teacher_forced_numbers_are_the_same_under_every_removal_operator(both, micro):
    texts, (codes, _) = micro
    pairs = list(zip(both, texts, strict=True))
    gaps = {"null_logits": furthest(each.null_logits(codes) for each in both)}
    gaps["cross_attention"] = furthest(each.cross_attention(codes, text) for each, text in pairs)
    gaps["logits"] = furthest(each.logits(codes, text) for each, text in pairs)
    mask = some_mask(texts[0], 50)
    for removal in Removal:
        found = [each.teacher_forced(codes, text, mask, removal) for each, text in pairs]
        gaps[f"logits, {removal}"] = furthest(each.logits for each in found)
        gaps[f"hidden, {removal}"] = furthest(each.hidden for each in found)
    print("\nlargest difference on 8 captions:", ", ".join(f"{name} {gap:.1e}" for name, gap in gaps.items()))
    assert all(gap <= 1e-4 for gap in gaps.values()), gaps


@pytest.mark.parametrize("name", ["occlusion", "atman", "chefer", "grad_cam", "audiogenx"])
def test_an_explainer_gives_the_same_maps_through_either_adapter(name, both):
    explainer = baseline(name).build(epochs=3) if name == "audiogenx" else baseline(name).explainer
    items = [make_item(both[0], prompt, seed) for seed, prompt in enumerate(CAPTIONS[:2])]
    maps = [explainer.explain_batch(each, items) for each in both]
    gaps = [np.abs(one.weights - other.weights).max() for one, other in zip(*maps, strict=True)]
    print(f"\n{name}: largest difference of a weight {max(gaps):.1e}")
    assert max(gaps) <= 1e-3
    for one, other in zip(*maps, strict=True):
        assert np.array_equal(one.weights.mean(0).argsort(), other.weights.mean(0).argsort())


def test_defaults_are_those_of_audiocrafts_audiogen(audiogen_folder):
    published = audiogen_parts.audiocraft("models.audiogen").AudioGen.set_generation_params
    params = dict(zip(published.__code__.co_varnames[1:], published.__defaults__, strict=False))
    model = audiogen.from_pretrained(str(audiogen_folder))
    assert (model.guidance, model.temperature, model.top_k) == (
        params["cfg_coef"], params["temperature"], params["top_k"],
    )  # fmt: skip
    # Its constructor asks for 5 s, whatever the longest is.
    assert (model.frames, model.sample_rate, model.frame_rate, model.codebooks) == (250, 16_000, 50.0, 4)
    given = audiogen.from_pretrained(str(audiogen_folder), seconds=0.1, guidance=1.5, temperature=0.0, top_k=3)
    assert (given.frames, given.guidance, given.temperature, given.top_k) == (5, 1.5, 0.0, 3)


def attributes(prompts, null=False):
    """Prompts, or what audiocraft makes of them for the null branch."""
    conditioners = audiogen_parts.audiocraft("modules.conditioners")
    given = [conditioners.ConditioningAttributes(text={"description": prompt}) for prompt in prompts]
    return conditioners.ClassifierFreeGuidanceDropout(p=1.0)(given) if null else given


def conditions(lm, prompts, null=False):
    given = attributes(prompts, null)
    return lm.condition_provider(lm.condition_provider.tokenize(given))


def predicted(lm, codes, given):
    """Logits [B, K, F, V] by audiocraft's own pass and its own delay pattern."""
    found = lm.compute_predictions(codes, [], given, keep_only_valid_steps=False)
    assert found.mask.all()
    return found.logits


def test_without_a_mask_logits_are_those_of_the_untouched_language_model(model, untouched, codes):
    with torch.no_grad():
        for row, prompt in enumerate(PROMPTS):
            own = predicted(untouched, codes[row : row + 1], conditions(untouched, [prompt]))
            assert torch.allclose(model.logits(codes[row : row + 1], model.encode([prompt])), own, atol=1e-5)
        null = predicted(untouched, codes, conditions(untouched, PROMPTS, null=True))
    assert torch.allclose(model.null_logits(codes), null, atol=1e-5)


def test_greedy_generation_is_audiocrafts(model, untouched, audiogen_folder):
    greedy = audiogen.from_pretrained(str(audiogen_folder), seconds=0.24, temperature=0.0)
    expected = untouched.generate(conditions=attributes(PROMPTS[:1]), max_gen_len=12, use_sampling=False, cfg_coef=3.0)
    assert torch.equal(greedy.sample(greedy.encode(PROMPTS[:1]), 0), expected)


def test_a_call_of_the_modules_own_is_audiocrafts(model, untouched, codes):
    given = conditions(untouched, PROMPTS)
    with torch.no_grad():
        mine, theirs = (lm(codes, [], given) for lm in (model.module.lm, untouched))
    assert torch.allclose(mine, theirs, atol=1e-5)
    assert set(model.module.lm.state_dict()) == set(untouched.state_dict())


def test_states_are_those_of_audiocrafts_conditioner(model, untouched, text):
    states, mask = conditions(untouched, PROMPTS)["description"]
    assert torch.allclose(text.states, states, atol=1e-6)
    assert torch.equal(text.mask, mask.bool())


@pytest.mark.parametrize("removal", list(Removal))
def test_padding_changes_no_result(model, text, codes, removal):
    mask = some_mask(text, codes.shape[-1])
    together = model.logits(codes, text, mask, removal)
    for row, prompt in enumerate(PROMPTS):
        alone = model.encode([prompt])
        n = alone.states.shape[1]
        single = model.logits(codes[row : row + 1], alone, mask[row : row + 1, :, :n], removal)
        assert torch.allclose(single, together[row : row + 1], atol=1e-4)


@pytest.mark.parametrize("removal", list(Removal))
def test_the_streamed_loop_draws_what_recomputing_every_prefix_draws(model, text, removal):
    mask, seeds = some_mask(text, model.frames), [11, 12, 13]
    noise = model._noise.batch(seeds, model.device)
    codes = torch.zeros(len(PROMPTS), 4, model.frames, dtype=torch.long)
    with torch.no_grad():
        for step in range(model.steps):
            logits = model.guided(model.logits(codes, text, mask, removal), model.null_logits(codes))
            for k in range(4):
                if 0 <= step - k < model.frames:
                    at = logits[:, k, step - k]
                    kept = at.masked_fill(at < at.topk(250).values[:, -1:], -torch.inf)
                    codes[:, k, step - k] = (kept + noise[step, :, k]).argmax(-1)
    assert torch.equal(model.sample(text, seeds, mask, removal), codes)


def test_removing_every_token_is_the_null_branch(model, text, codes):
    zeros = torch.zeros(text.mask.shape)
    for removal in (Removal.SCALE, Removal.RENORMALISE, Removal.NULL):
        assert torch.allclose(model.logits(codes, text, zeros, removal), model.null_logits(codes), atol=1e-5)
    assert not torch.allclose(model.logits(codes, text, zeros, Removal.MEAN), model.null_logits(codes), atol=1e-2)


def test_gradients_reach_the_mask_the_states_and_the_attention(model, text, codes):
    mask = some_mask(text, codes.shape[-1]).requires_grad_()
    states = text.states.clone().requires_grad_()
    for removal in Removal:
        out = model.teacher_forced(codes, Encoded(states, text.mask), mask, removal, attentions=True)
        found = torch.autograd.grad(out.logits.logsumexp(-1).sum(), [mask, states, *out.attentions])
        assert all(torch.isfinite(each).all() and each.abs().max() > 0 for each in found)


def test_cross_attention_has_the_documented_shape_and_sums_to_one_over_the_prompts_tokens(model, text, codes):
    attention = model.cross_attention(codes, text)
    assert attention.shape == (3, 2, 2, codes.shape[-1], text.mask.shape[1])
    assert torch.allclose(attention.sum(-1), torch.ones(()), atol=1e-6)
    assert attention[1, ..., ~text.mask[1]].abs().max() == 0


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
    assert len(spent) == model.steps
    assert sum(spent) == pytest.approx(2 * 3)


def test_a_failed_pass_leaves_the_model_as_it_was(model, text, codes):
    expected = model.logits(codes, text)
    with pytest.raises(ValueError, match=r"token_mask must be .* found \[3, 5, 2\]"):
        model.logits(codes, text, torch.ones(3, 5, 2))
    with pytest.raises(RuntimeError):
        model.logits(codes, Encoded(text.states[..., :5], text.mask))
    with pytest.raises(InvalidItemError):
        model.encode(["piano " * 600])
    assert model._passes.now is None
    assert torch.equal(model.logits(codes, text), expected)


def test_generation_and_reading_leave_global_randomness_alone(model, text, audiogen_folder):
    state = torch.get_rng_state()
    model.generate(text, 3)
    audiogen.from_pretrained(str(audiogen_folder), seconds=0.02)
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_saved_in_half_precision_are_read_in_single(tmp_path):
    model = audiogen.from_pretrained(str(tiny_published.audiogen(tmp_path, half=True)), seconds=0.02)
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}


def test_a_copy_of_a_model_computes_for_itself(model, text, codes):
    expected = model.logits(codes, text)
    assert torch.equal(copy.deepcopy(model).logits(codes, text), expected)


def test_a_converted_folder_is_read_without_audiocraft(converted_folder, monkeypatch):
    monkeypatch.setattr(audiogen_parts, "imported", None)
    model = audiogen.from_pretrained(str(converted_folder), seconds=0.1)
    assert isinstance(model, musicgen.MusicgenModel)
    assert (model.frames, model.guidance, model.top_k) == (5, 3.0, 250)


class WordTable:
    """Prompts of audiocraft's debug model: a number for each word, and no token beside them."""

    BINS = 128

    def texts(self, prompt):
        return prompt.split()

    def special(self, prompt):
        return np.zeros(len(prompt.split()), dtype=bool)

    def words(self, prompt):
        return np.arange(len(prompt.split()))

    def padded(self, prompts):
        hashed = audiogen_parts.audiocraft("utils.utils").hash_trick
        rows = [torch.tensor([hashed(word, self.BINS) for word in prompt.split()]) for prompt in prompts]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return ids, torch.arange(ids.shape[1])[None] < torch.tensor([[len(row)] for row in rows])


class DebugModel(AudioGenModel):
    """audiocraft's debug model, whose conditioner looks words up in a table."""

    def _states(self, ids, mask):
        return self._conditioner((ids, mask.int()))[0]


def test_audiocrafts_debug_model_runs_end_to_end(monkeypatch):
    found = audiogen_parts.audiocraft("models.audiogen")
    monkeypatch.setattr(audiogen_parts.audiocraft("modules.conditioners").spacy, "load", lambda _: None)
    # Its codebooks are as good as any, and its own way to them takes a minute.
    monkeypatch.setattr(
        audiogen_parts.audiocraft("quantization.core_vq"), "kmeans", lambda data, n, _: (data[:n], data.new_ones(n))
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        debug = found.AudioGen.get_pretrained("debug", device="cpu")
    plain = copy.deepcopy(debug.lm)
    parts = AudioGenParts(debug.lm, torch.nn.Identity(), debug.compression_model)
    model = DebugModel(parts, WordTable(), 25, Sampling(3.0, 1.0, 250))
    text = model.encode(["dog barks loudly", "rain"])
    codes, audio = model.generate(text, [1, 2])
    assert codes.shape == (2, 4, 25)
    assert audio.shape == (2, 16_000)
    assert torch.isfinite(audio).all()
    mask = torch.ones(2, 25, 3)
    mask[:, 5:, 0] = 0
    before, after = model.hidden(codes, text), model.hidden(codes, text, mask)
    assert torch.allclose(before[:, :5], after[:, :5], atol=1e-6)
    assert not torch.allclose(before, after, atol=1e-4)
    with torch.no_grad():
        given = {"description": (text.states[:1], text.mask[:1].int())}
        own = predicted(plain, codes[:1], given)
        null = predicted(plain, codes[:1], {"description": (torch.zeros(1, 1, 16), None)})
    assert torch.allclose(model.logits(codes[:1], Encoded(*(part[:1] for part in text))), own, atol=1e-5)
    # Its values have a bias, which is what the null branch takes.
    assert torch.allclose(model.null_logits(codes[:1]), null, atol=1e-5)
    zeros = torch.zeros(2, 3)
    with torch.no_grad():
        for layer in debug.lm.transformer.layers:
            layer.cross_attention.in_proj_bias.normal_(generator=torch.Generator().manual_seed(1))
    assert torch.allclose(model.logits(codes, text, zeros, Removal.NULL), model.null_logits(codes), atol=1e-5)
    assert not torch.allclose(model.logits(codes, text, zeros), model.null_logits(codes), atol=1e-3)
