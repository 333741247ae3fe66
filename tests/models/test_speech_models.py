from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForSpeechSeq2Seq

from earwitness.box.meter import Meter
from earwitness.errors import InvalidItemError, ModelError
from earwitness.explaining import memory
from earwitness.models import speech2text, whisper
from earwitness.models.cached_decoder import bytes_of_utterance
from tiny_speech import LONGEST_TRANSCRIPT, SPEECH_BINS, tiny_speech2text, tiny_whisper

RATE = 16000


def some_audio(seconds=1.6, seed=0):
    generator = np.random.default_rng(seed)
    samples = int(seconds * RATE)
    envelope = np.abs(np.sin(np.arange(samples) / 2500)) + 0.01
    return (generator.normal(size=samples) * envelope * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        "speech2text": tiny_speech2text(tmp_path_factory.mktemp("speech2text")),
        "whisper": tiny_whisper(tmp_path_factory.mktemp("whisper")),
    }


@pytest.fixture(scope="module", params=["speech2text", "whisper"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family, folders):
    return {"speech2text": speech2text, "whisper": whisper}[family].from_pretrained(str(folders[family]))


@pytest.fixture(scope="module")
def original(family, folders):
    """The module as transformers loads it, with its slow attention."""
    return AutoModelForSpeechSeq2Seq.from_pretrained(folders[family], attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def features(model):
    return torch.tensor(model.features(some_audio()))[None]


@pytest.fixture(scope="module")
def tokens(model):
    return torch.tensor([4, 6, 5, 9, 4])[None]


@pytest.fixture(scope="module")
def perturbed(features):
    generator = torch.Generator().manual_seed(1)
    return features * (torch.rand((4, *features.shape[1:]), generator=generator) > 0.3)


def literal_logits(family, model, original, features, tokens, embedding=None):
    """Logits [B, O, V] by transformers' own forward pass over the prompt and the tokens."""
    ids = torch.cat([torch.tensor([model.prompt]).expand(len(tokens), -1), tokens], dim=1)
    given = features
    if family == "whisper":
        given = torch.full((len(features), SPEECH_BINS, 400), whisper.SILENCE)
        given[:, :, : features.shape[1]] = features.transpose(1, 2)
    with torch.no_grad():
        if embedding is not None:
            states = original.model.encoder(given).last_hidden_state
            return by_hand(original, states, ids, embedding)[:, len(model.prompt) - 1 : -1]
        return original(given, decoder_input_ids=ids).logits[:, len(model.prompt) - 1 : -1]


def by_hand(original, states, ids, factor):
    """Logits of a decoder whose token embeddings are multiplied by `factor` [B, P + O] before positions are added."""
    decoder = original.model.decoder
    length = ids.shape[1]
    if original.config.model_type == "whisper":
        hidden = decoder.embed_tokens(ids) * factor[..., None] + decoder.embed_positions.weight[:length]
    else:
        scaled = decoder.embed_tokens(ids) * factor[..., None] * decoder.embed_scale
        hidden = scaled + decoder.embed_positions(ids)
    causal = torch.full((length, length), torch.finfo(torch.float32).min).triu(1)[None, None]
    for layer in decoder.layers:
        hidden = layer(hidden, causal, states)
    return original.get_output_embeddings()(decoder.layer_norm(hidden))


def test_logits_are_those_of_a_plain_forward_pass(family, model, original, features, tokens):
    expected = literal_logits(family, model, original, features, tokens)
    assert torch.allclose(model.logits(features, tokens), expected, atol=1e-5)
    assert expected.std() > 0.1


def test_a_batch_of_perturbed_spectrograms_equals_one_by_one(model, perturbed, tokens):
    together = model.logits(perturbed, tokens)
    alone = torch.cat([model.logits(row[None], tokens) for row in perturbed])
    assert torch.allclose(together, alone, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-2


def test_rows_of_tokens_are_independent(model, features, tokens):
    both = torch.cat([tokens, tokens.flip(1)])
    shared = model.logits(features, both)
    assert torch.allclose(shared, torch.cat([model.logits(features, row[None]) for row in both]), atol=1e-5)


def test_a_prefix_mask_of_ones_changes_nothing(model, features, tokens):
    ones = torch.ones(3, tokens.shape[1])
    assert torch.allclose(model.logits(features, tokens, ones), model.logits(features, tokens), atol=1e-5)


def test_a_masked_token_has_its_embedding_removed_and_its_position_kept(family, model, original, features, tokens):
    mask = torch.tensor([[1, 0, 1, 1, 1], [0, 1, 0.5, 0, 1]])
    factor = torch.cat([torch.ones(2, len(model.prompt)), mask], dim=1)
    spectrograms, transcripts = features.expand(2, -1, -1), tokens.expand(2, -1)
    expected = literal_logits(family, model, original, spectrograms, transcripts, factor)
    found = model.logits(features, tokens, mask)
    assert torch.allclose(found, expected, atol=1e-5)
    assert (found[:, 2:] - model.logits(features, tokens)[:, 2:]).abs().max() > 1e-2


def test_many_prefix_masks_of_one_spectrogram_equal_one_by_one(model, features, tokens):
    masks = (torch.rand(6, tokens.shape[1], generator=torch.Generator().manual_seed(2)) > 0.4).float()
    alone = torch.cat([model.logits(features, tokens, row[None]) for row in masks])
    assert torch.allclose(model.logits(features, tokens, masks), alone, atol=1e-5)


def test_a_token_depends_on_the_mask_of_earlier_tokens_alone(model, features, tokens):
    mask = torch.full((1, tokens.shape[1]), 0.7, requires_grad=True)
    logits = model.logits(features, tokens, mask)
    for k in range(tokens.shape[1]):
        (slope,) = torch.autograd.grad(logits[0, k].square().sum(), mask, retain_graph=True)
        assert (slope[0, k:] == 0).all()
        assert (slope[0, :k] != 0).all()


def test_gradients_reach_every_frame_that_the_encoder_reads(model, features, tokens):
    given = features.clone().requires_grad_()
    logits = model.logits(given, tokens)
    logits.gather(2, tokens[..., None]).sum().backward()
    assert (given.grad.abs().sum(2) > 0).all()


def test_a_gradient_through_a_shared_encoder_is_the_sum_over_its_masks(model, features, tokens):
    masks = (torch.rand(3, tokens.shape[1], generator=torch.Generator().manual_seed(3)) > 0.4).float()
    given = features.clone().requires_grad_()
    (together,) = torch.autograd.grad(model.logits(given, tokens, masks).square().sum(), given)
    apart = sum(torch.autograd.grad(model.logits(given, tokens, row[None]).square().sum(), given)[0] for row in masks)
    assert torch.allclose(together, apart, rtol=1e-3, atol=1e-3 * float(apart.abs().max()))


def test_nothing_is_recorded_for_autograd_unless_asked_for(model, features, tokens):
    assert not model.logits(features, tokens).requires_grad
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    assert not model.module.training
    with torch.inference_mode():
        inside = model.logits(features, tokens)
    given = features.clone().requires_grad_()
    model.logits(given, tokens).sum().backward()
    assert torch.allclose(inside, model.logits(features, tokens))


def test_no_hook_stays_behind_an_error(model, features, tokens):
    before = model.logits(features, tokens)
    with pytest.raises(RuntimeError):
        model.logits(features, tokens, torch.zeros(1, tokens.shape[1] - 2))
    with pytest.raises(ValueError, match="differ in number"):
        model.logits(features.expand(2, -1, -1), tokens, torch.zeros(3, tokens.shape[1]))
    assert torch.equal(model.logits(features, tokens), before)


def test_a_greedy_search_picks_the_likeliest_token_at_each_step(model, perturbed):
    barred = model._search.suppress_tokens
    for spectrogram, found in zip(perturbed, model.transcribe(perturbed, beams=1), strict=True):
        assert 0 < len(found) <= LONGEST_TRANSCRIPT
        logits = model.logits(spectrogram[None], torch.tensor(found)[None])[0]
        logits[:, barred] = -torch.inf
        logits[0, model._search.begin_suppress_tokens or []] = -torch.inf
        assert logits.argmax(-1).tolist() == found.tolist()


def test_beams_find_a_likelier_transcript_than_greed_and_find_it_again(model, perturbed):
    def mean_log_likelihood(found):
        scores = model.logits(perturbed[:1], torch.tensor(found)[None])[0].log_softmax(-1)
        return float(scores.gather(1, torch.tensor(found)[:, None]).mean())

    greedy, beams = (model.transcribe(perturbed[:1], beams=beams)[0] for beams in (1, 5))
    assert mean_log_likelihood(beams) > mean_log_likelihood(greedy)
    assert np.array_equal(beams, model.transcribe(perturbed, beams=5)[0])


def test_a_transcript_holds_no_special_token(family, model, perturbed):
    noise = torch.randn((12, *perturbed.shape[1:]), generator=torch.Generator().manual_seed(4))
    found = np.concatenate(model.transcribe(torch.cat([perturbed, noise]), beams=3))
    assert len(set(found.tolist())) > 3
    texts = [model.pieces([int(token)])[0] for token in found]
    assert not any(text.startswith("<") for text in texts)


def test_a_transcript_of_nothing_is_empty(family, folders, tmp_path):
    shutil.copytree(folders[family], tmp_path / "copy")
    of = {"speech2text": speech2text, "whisper": whisper}[family]
    silent = of.from_pretrained(str(tmp_path / "copy"))
    silent._search.begin_suppress_tokens = None
    end = silent._ends[0]
    silent._search.suppress_tokens = [token for token in range(silent.module.config.vocab_size) if token != end]
    found = silent.transcribe(torch.tensor(silent.features(some_audio()))[None])
    assert [row.tolist() for row in found] == [[]]
    assert silent.text(found[0]) == ""
    assert silent.pieces(found[0]) == []
    assert silent.words(found[0]).shape == (0,)


def test_attention_sums_to_what_the_utterance_gets(family, model, perturbed, tokens):
    attention = model.attention(perturbed, tokens)
    count = tokens.shape[1]
    assert attention.cross.shape == (len(perturbed), 2, 2, count, perturbed.shape[1])
    assert attention.prefix.shape == (len(perturbed), 2, 2, count, count)
    given = attention.cross.sum(-1)
    assert (given <= 1 + 1e-5).all()
    assert torch.allclose(given, torch.ones_like(given)) == (family == "speech2text")
    assert (attention.prefix.triu() == 0).all()
    assert (attention.prefix[..., 1:, :].sum(-1) < 1).all()


def test_attention_is_that_of_the_layers_spread_over_frames(model, original, features, tokens):
    ids = torch.cat([torch.tensor([model.prompt]), tokens], dim=1)
    states = original.model.encoder(model._window(features)).last_hidden_state
    given = original.model.decoder(ids, encoder_hidden_states=states, output_attentions=True, use_cache=False)
    found, first = model.attention(features, tokens), len(model.prompt)
    step, inside = 3, slice(3 * model.stride, 4 * model.stride)
    assert torch.allclose(
        found.cross[0, 1, :, :, inside].sum(-1), given.cross_attentions[1][0, :, first - 1 : -1, step], atol=1e-5
    )
    assert torch.allclose(
        found.prefix[0, 1, :, 3, :3], given.attentions[1][0, :, first + 2, first : first + 3], atol=1e-5
    )
    assert model.module.config._attn_implementation == "sdpa"


def test_attention_is_differentiable(model, features, tokens):
    given = features.clone().requires_grad_()
    attention = model.attention(given, tokens)
    (cross,) = torch.autograd.grad(attention.cross.square().sum(), given, retain_graph=True)
    (prefix,) = torch.autograd.grad(attention.prefix.square().sum(), given)
    assert cross.abs().max() > 0
    assert prefix.abs().max() > 0


def test_a_pass_costs_one_and_a_shared_encoder_is_paid_once(model, features, perturbed, tokens):
    share = model.metered.share
    assert 0.5 < share < 1

    def cost(run):
        with Meter(model) as meter:
            run()
        return meter.usage()

    assert cost(lambda: model.logits(features, tokens)).forwards == pytest.approx(1)
    assert cost(lambda: model.logits(perturbed, tokens)).forwards == pytest.approx(4)
    assert cost(lambda: model.attention(perturbed, tokens)).forwards == pytest.approx(4)
    masked = cost(lambda: model.logits(features, tokens, torch.ones(100, tokens.shape[1]))).forwards
    assert masked == pytest.approx(share + 100 * (1 - share))
    given = features.clone().requires_grad_()
    assert cost(lambda: model.logits(given, tokens).sum().backward()).backwards == pytest.approx(1)
    greedy, beams = (cost(lambda beams=beams: model.transcribe(features, beams)).forwards for beams in (1, 5))
    assert share < greedy < beams < 12


def test_white_box_calls_of_the_module_are_metered(model, features, tokens):
    with Meter(model) as meter, torch.no_grad():
        model.module(model._window(features.expand(3, -1, -1)), decoder_input_ids=tokens.expand(3, -1), use_cache=False)
    assert meter.usage().forwards == pytest.approx(3)


def test_features_are_the_extractors_and_end_with_the_utterance(family, model, folders):
    audio = some_audio(1.234)
    found = model.features(audio)
    assert found.dtype == np.float32
    if family == "whisper":
        whole = model._extractor(audio, sampling_rate=RATE, return_tensors="np")["input_features"][0].T
        assert found.shape == (125, SPEECH_BINS)
        assert np.array_equal(found, whole[:125])
        # The last frame hears the end of the utterance; those after it are silence, and so is the padding.
        assert whole[124].max() > whole.max() - 2
        assert np.allclose(whole[125:], whole.max() - 2)
        padded = model._window(torch.tensor(found)[None])[0].T.numpy()
        assert np.array_equal(padded[:125], found)
        assert (padded[125:] == whisper.SILENCE).all()
    else:
        assert found.shape == (1 + (len(audio) - 400) // 160, SPEECH_BINS)
        assert np.allclose(found.mean(0), 0, atol=1e-4)
        assert np.allclose(found.std(0), 1, atol=1e-3)


def test_whispers_frames_are_all_that_hear_the_utterance(folders):
    model = whisper.from_pretrained(str(folders["whisper"]))
    for samples in (1, 159, 160, 16000, 16161, 4 * RATE - 1, 4 * RATE):
        found = model.features(np.full(samples, 0.1, dtype=np.float32))
        heard = [frame for frame in range(400) if 160 * frame - 200 < samples]
        assert len(found) == len(heard)


def test_whispers_padding_does_not_move_with_what_is_removed(folders):
    model = whisper.from_pretrained(str(folders["whisper"]))
    features = torch.tensor(model.features(some_audio()))[None]
    removed = torch.where(features > features.quantile(0.5), features.mean(1, keepdim=True), features)
    assert (features.amax() - removed.amax()) > 0.1
    behind = slice(features.shape[1], None)
    assert torch.equal(model._window(features)[..., behind], model._window(removed)[..., behind])


def test_silence_has_finite_features(model):
    assert np.isfinite(model.features(np.zeros(RATE, dtype=np.float32))).all()


@pytest.mark.parametrize(
    ("audio", "complaint"),
    [
        (np.zeros(RATE * 21, dtype=np.float32), "lasts 21.0 s and the model takes (20|4) s; cut it"),
        (np.zeros(0, dtype=np.float32), "the audio (is empty|has 0 samples)"),
        (np.zeros((2, RATE), dtype=np.float32), "must be finite and mono"),
        (np.full(RATE, np.nan, dtype=np.float32), "must be finite and mono"),
    ],
)
def test_audio_that_is_no_use_is_refused_in_one_line(model, audio, complaint):
    with pytest.raises(InvalidItemError, match=complaint) as refused:
        model.features(audio)
    assert "\n" not in str(refused.value)


def test_a_spectrogram_or_transcript_beyond_the_model_is_refused_in_one_line(model, features, tokens):
    long = torch.zeros(1, round(model.longest * model.frame_rate) + 1, model.bins)
    for run in (model.encode, model.transcribe, lambda given: model.logits(given, tokens)):
        with pytest.raises(InvalidItemError, match="frames and the model takes 1 to"):
            run(long)
    with pytest.raises(InvalidItemError, match="tokens and the model takes"):
        model.logits(features, tokens.repeat(1, 20))


def test_a_folder_of_another_kind_or_without_its_parts_is_refused_in_one_line(family, folders, tmp_path):
    of = {"speech2text": speech2text, "whisper": whisper}[family]
    other = folders["whisper" if family == "speech2text" else "speech2text"]
    (tmp_path / "empty").mkdir()
    bare = shutil.copytree(folders[family], tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    wordless = shutil.copytree(
        folders[family], tmp_path / "wordless", ignore=shutil.ignore_patterns("tokenizer*", "vocab*")
    )
    deaf = shutil.copytree(folders[family], tmp_path / "deaf", ignore=shutil.ignore_patterns("preprocessor*"))
    for source, complaint in (
        (other, "name the adapter (speech2text|whisper)"),
        (tmp_path / "empty", "cannot read the configuration"),
        (bare, "cannot read the weights"),
        (wordless, "holds no tokenizer"),
        (deaf, "cannot read the feature extractor"),
    ):
        with pytest.raises(ModelError, match=complaint) as refused:
            of.from_pretrained(str(source))
        assert "\n" not in str(refused.value)


def test_text_pieces_and_words_are_those_of_the_tokens(family, model):
    ids = {"speech2text": [4, 6], "whisper": model._tokens._tokenizer.convert_tokens_to_ids(["Ġtur", "n", "Ġlamp"])}
    said = {"speech2text": (["turn", "lamp"], [0, 1]), "whisper": (["tur", "n", "lamp"], [0, 0, 1])}
    assert model.text(ids[family]) == "turn lamp"
    assert (model.pieces(ids[family]), model.words(ids[family]).tolist()) == said[family]


def test_whispers_language_and_task_open_the_transcript(folders, tmp_path):
    source = str(folders["whisper"])
    names = whisper.from_pretrained(source)._tokens._tokenizer.convert_ids_to_tokens
    start, end = "<|startoftranscript|>", "<|notimestamps|>"
    assert names(list(whisper.from_pretrained(source).prompt)) == [start, "<|en|>", "<|transcribe|>", end]
    german = whisper.from_pretrained(source, language="german", task="translate")
    assert names(list(german.prompt)) == [start, "<|de|>", "<|translate|>", end]
    english = str(tiny_whisper(tmp_path / "english", multilingual=False))
    assert names(list(whisper.from_pretrained(english).prompt)) == [start, end]
    with pytest.raises(ModelError, match="recognises English alone"):
        whisper.from_pretrained(english, language="de")
    with pytest.raises(ModelError, match="knows no language 'xx'"):
        whisper.from_pretrained(source, language="xx")


def test_whispers_prompt_is_the_one_that_transformers_opens_with(folders):
    model = whisper.from_pretrained(str(folders["whisper"]), language="de")
    original = AutoModelForSpeechSeq2Seq.from_pretrained(folders["whisper"])
    settings = original.generation_config
    settings.language, settings.task = "de", "transcribe"
    opened = original._retrieve_init_tokens(
        torch.zeros(1, SPEECH_BINS, 400), 1, settings, original.config, num_segment_frames=400, kwargs={}
    )
    assert opened[0].tolist() == list(model.prompt)


def test_a_transcript_can_be_bounded(folders):
    model = speech2text.from_pretrained(str(folders["speech2text"]), max_tokens=2)
    assert len(model.transcribe(torch.tensor(model.features(some_audio()))[None], beams=2)[0]) <= 2


@pytest.mark.parametrize("beams", [1, 5])
def test_a_transcription_can_be_bounded_and_never_beyond_the_models_own_bound(model, perturbed, beams):
    free = model.transcribe(perturbed, beams)
    assert max(map(len, free)) > 2
    assert max(map(len, model.transcribe(perturbed, beams, most=2))) == 2
    for found, expected in zip(model.transcribe(perturbed, beams, most=10_000), free, strict=True):
        assert np.array_equal(found, expected)


def test_transcripts_are_the_same_however_many_are_searched_at_once(model, perturbed, monkeypatch):
    together = [row.tolist() for row in model.transcribe(perturbed)]
    encoded = []
    monkeypatch.setattr(memory, "ROWS_BYTES", 1)
    usual = model.encode
    monkeypatch.setattr(model, "encode", lambda rows: (encoded.append(len(rows)), usual(rows))[1])
    assert [row.tolist() for row in model.transcribe(perturbed)] == together
    assert set(encoded) == {1}


def test_what_a_search_holds_is_bounded_from_above_and_not_by_far(model, features):
    with torch.inference_mode():
        states = model.encode(features)
        each = bytes_of_utterance(model._decoder, model._head, states, 5, len(model.prompt) + LONGEST_TRANSCRIPT)
        peak = memory.peak_bytes(lambda: model._search_through(states, 5, None))
    assert peak / 2 < each
    assert each < 4 * peak


@pytest.fixture(scope="module")
def halved(family, folders):
    """The model in bfloat16."""
    return {"speech2text": speech2text, "whisper": whisper}[family].from_pretrained(
        str(folders[family]), dtype="bfloat16"
    )


def test_in_bfloat16_answers_are_near_those_in_float32(model, halved, features, perturbed, tokens):
    assert {parameter.dtype for parameter in halved.module.parameters()} == {torch.bfloat16}
    assert halved.encode(features).dtype == torch.bfloat16
    masks = torch.tensor([[1.0, 0, 1, 1, 1], [0, 1, 0.5, 0, 1]])
    for given in ((features, tokens), (perturbed, tokens), (features, tokens, masks)):
        exact, near = model.logits(*given), halved.logits(*given)
        assert near.dtype == torch.float32
        assert (near - exact).abs().mean() < 0.1 * exact.std()
    exact, near = model.attention(perturbed, tokens), halved.attention(perturbed, tokens)
    assert near.cross.dtype == near.prefix.dtype == torch.float32
    assert torch.allclose(near.cross, exact.cross, atol=0.05)
    given = features.clone().requires_grad_()
    halved.logits(given, tokens).square().sum().backward()
    assert given.grad.dtype == torch.float32
    assert given.grad.abs().max() > 0
    assert all(len(row) for row in halved.transcribe(perturbed))


def test_a_dtype_that_is_none_is_refused_in_one_line(family, folders):
    of = {"speech2text": speech2text, "whisper": whisper}[family]
    with pytest.raises(ModelError, match="dtype"):
        of.from_pretrained(str(folders[family]), dtype="float8")
