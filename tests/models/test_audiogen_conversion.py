"""AudioGen of audiocraft, converted: transformers computes what audiocraft does."""

from __future__ import annotations

import json
import sys
from copy import deepcopy

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoProcessor, EncodecModel, MusicgenForConditionalGeneration

import tiny_published
from earwitness.closure import closure
from earwitness.errors import EarwitnessError, ModelError
from earwitness.models import audiogen, audiogen_conversion, audiogen_parts, musicgen
from earwitness.models.audiogen_conversion import convert, main
from earwitness.models.audiogen_files import CODEC, LANGUAGE, Saved, SavedSettings, read_checkpoint
from earwitness.models.encodec_conversion import _bandwidth, converted_codec
from tiny_audiogen import exported, own_codec, own_language_model

pytestmark = pytest.mark.filterwarnings("ignore")

PROMPTS = ["bass and drums", "piano"]


@pytest.fixture(scope="module")
def checkpoint(audiogen_folder):
    return read_checkpoint(str(audiogen_folder), "main")


@pytest.fixture(scope="module")
def own(audiogen_folder, checkpoint):
    """audiocraft's language model and codec with the weights of the files."""
    files = tiny_published.shrunk_audiogen()
    lm, codec = own_language_model(audiogen_folder, files[LANGUAGE], width=12), own_codec(files[CODEC])
    lm.load_state_dict(checkpoint.language.weights)
    codec.load_state_dict(checkpoint.codec.weights)
    return lm, codec


@pytest.fixture(scope="module")
def converted(converted_folder):
    return MusicgenForConditionalGeneration.from_pretrained(converted_folder).eval()


@pytest.fixture(scope="module")
def codes():
    return torch.randint(0, 2048, (1, 4, 20), generator=torch.Generator().manual_seed(0))


def test_logits_are_audiocrafts_own(own, converted, converted_folder, codes):
    lm, _ = own
    attributes = audiogen_parts.audiocraft("modules.conditioners").ConditioningAttributes
    processor = AutoProcessor.from_pretrained(converted_folder)
    gaps = []
    with torch.no_grad():
        for prompt in PROMPTS:
            given = lm.condition_provider(lm.condition_provider.tokenize([attributes(text={"description": prompt})]))
            theirs = lm.compute_predictions(codes, [], given, keep_only_valid_steps=False)
            assert theirs.mask.all()
            # Labels are what transformers delays and shifts by itself.
            start = torch.full((1, 4, 1), 2048)
            ids = converted.decoder.build_delay_pattern_mask(torch.cat([start, codes], -1)[0], 2048, max_length=24)[1]
            mine = converted(**processor(text=[prompt], return_tensors="pt"), decoder_input_ids=ids[:, :-1]).logits
            mine = torch.stack([mine[k, k : k + 20] for k in range(4)])
            gaps.append(float((mine - theirs.logits[0]).abs().max()))
    print(f"\nlargest difference of a logit {max(gaps):.1e}")
    assert max(gaps) <= 1e-4


def test_the_codec_decodes_and_encodes_as_audiocrafts_own(own, converted, codes):
    _, codec = own
    with torch.no_grad():
        mine, theirs = converted.audio_encoder.decode(codes[None], [None]).audio_values, codec.decode(codes)
        assert mine.shape == theirs.shape == (1, 1, 20 * 320)
        assert theirs.abs().max() > 1e-2
        assert (mine - theirs).abs().max() <= 1e-4
        again = converted.audio_encoder.encode(theirs).audio_codes[0]
        assert torch.equal(again, codec.encode(theirs)[0])
    assert converted.config.audio_encoder.num_quantizers == 4


def test_transformers_own_greedy_generation_is_the_adapters(converted, converted_folder):
    model = audiogen.from_pretrained(str(converted_folder), seconds=0.2, temperature=0.0)
    ids = model._prompts.padded(PROMPTS[:1])[0]
    expected = converted.generate(input_ids=ids, do_sample=False, guidance_scale=3.0, max_new_tokens=13)
    _, audio = model.generate(model.encode(PROMPTS[:1]), 0)
    assert torch.allclose(audio, expected[:, 0], atol=1e-5)


def test_what_the_folder_says_of_generation_is_audiocrafts_default(converted_folder):
    model = musicgen.from_pretrained(str(converted_folder))
    assert (model.frames, model.guidance, model.temperature, model.top_k) == (250, 3.0, 1.0, 250)
    assert json.loads((converted_folder / "config.json").read_text())["dtype"] == "float32"


def test_a_model_of_one_width_comes_back_to_the_bit(micro_folder, micro_through_transformers, tmp_path):
    model = audiogen.from_pretrained(str(convert(str(micro_folder), str(tmp_path / "model"))))
    before, after = (each.module.state_dict() for each in (micro_through_transformers, model))
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_half_precision_stays_half_on_disk(tmp_path):
    source = tiny_published.audiogen(tmp_path / "half", half=True)
    weights = load_file(convert(str(source), str(tmp_path / "model")) / "model.safetensors")
    assert {tensor.dtype for name, tensor in weights.items() if name.startswith("decoder.")} == {torch.float16}
    model = audiogen.from_pretrained(str(tmp_path / "model"))
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}


CAUSAL = {"encodec": {"causal": True}, "seanet": {"pad_mode": "reflect", "decoder": {"trim_right_ratio": 0.5}}}
WIDE = {"seanet": {"true_skip": False, "n_residual_layers": 2, "compress": 1, "dilation_base": 3, "ratios": [4, 2]}}
GROUP = {"seanet": {"norm": "time_group_norm", "kernel_size": 5, "last_kernel_size": 3, "residual_kernel_size": 5}}
DEEP = {"seanet": {"lstm": 2}, "rvq": {"n_q": 7, "bins": 64}}


@pytest.mark.parametrize("changes", [CAUSAL, WIDE, GROUP, DEEP])
def test_codecs_of_other_configurations_decode_alike(changes):
    config = tiny_published.shrunk_audiogen()[CODEC]
    for section, values in changes.items():
        config[section] = merged(config[section], values)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        codec = own_codec(config)
        from omegaconf import OmegaConf

        settings = SavedSettings("a codec", OmegaConf.create(config))
        found, weights = converted_codec(Saved(settings, codec.state_dict()))
        model = EncodecModel(found).eval()
        model.load_state_dict(weights)
        codes = torch.randint(0, codec.cardinality, (2, codec.num_codebooks, 9))
        theirs = codec.decode(codes)
        assert torch.allclose(model.decode(codes[None], [None]).audio_values, theirs, atol=1e-5)
        assert torch.equal(model.encode(theirs).audio_codes[0], codec.encode(theirs)[0])


def merged(one, other):
    """A table with the values of another in place of its own."""
    found = deepcopy(one)
    for key, value in other.items():
        found[key] = merged(found[key], value) if isinstance(value, dict) else value
    return found


def test_a_bandwidth_holds_the_bits_that_it_stands_for():
    assert all(1000 * _bandwidth(bits) >= bits and int(1000 * _bandwidth(bits)) == bits for bits in range(1, 30_000))


@pytest.fixture
def spoiled(audiogen_folder, tmp_path):
    """Writes the double again with files changed, and gives what converting it says."""
    files = {LANGUAGE: None, CODEC: None}

    def said(name, change):
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "t5-large").symlink_to(audiogen_folder / "t5-large")
        for each in files:
            read = torch.load(audiogen_folder / each, weights_only=True)
            config = tiny_published.shrunk_audiogen()[each]
            if each == name:
                change(read["best_state"], config)
            exported(source / each, read["best_state"], config)
        with pytest.raises(ModelError) as caught:
            convert(str(source), str(tmp_path / "model"))
        assert not (tmp_path / "model").exists()
        message = str(caught.value)
        assert "\n" not in message
        assert str(source) in message
        return message

    return said


def removed(name):
    return lambda weights, _: weights.pop(name)


def added(name):
    return lambda weights, _: weights.update({name: torch.zeros(3)})


def of(*keys, value):
    def change(_, config):
        for key in keys[:-1]:
            config = config[key]
        config[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        (LANGUAGE, removed("linears.2.weight"), "it lacks linears.2.weight; export it"),
        (
            LANGUAGE,
            removed("transformer.layers.1.self_attn.in_proj_weight"),
            "lacks transformer.layers.1.self_attn.in_",
        ),
        (
            LANGUAGE,
            added("transformer.layers.0.self_attn.in_proj_bias"),
            "has transformer.layers.0.self_attn.in_proj_b",
        ),
        (LANGUAGE, added("condition_provider.conditioners.description.t5.x"), "has x too many"),
        (
            LANGUAGE,
            of("transformer_lm", "num_layers", value=1),
            "has transformer.layers.1.cross_attention.in_proj_weig",
        ),
        (LANGUAGE, of("transformer_lm", "dim", value=20), "emb.0.weight is [2049, 16] and not [2049, 20]"),
        (
            LANGUAGE,
            of("transformer_lm", "norm_first", value=False),
            "transformer_lm.norm_first = False, and MusicGen of",
        ),
        (LANGUAGE, of("transformer_lm", "bias_attn", value=True), "transformer_lm.bias_attn = True"),
        (LANGUAGE, of("transformer_lm", "positional_embedding", value="rope"), "positional_embedding = 'rope'"),
        (CODEC, removed("quantizer.vq.layers.3._codebook.embed"), "it lacks quantizer.vq.layers.3._codebook.embed;"),
        (CODEC, added("decoder.model.99.bias"), "it has decoder.model.99.bias too many"),
        (CODEC, of("seanet", "norm", value="none"), "seanet.norm = 'none', which transformers has no model for"),
        (CODEC, of("seanet", "encoder", value={"n_filters": 3}), "seanet.encoder.n_filters = 3"),
        (CODEC, of("seanet", "decoder", "final_activation", value="Tanh"), "final_activation = 'Tanh'"),
        (CODEC, of("seanet", "ratios", value=[3, 5]), "seanet.ratios = [3, 5] do not divide 16000 Hz into frames"),
        (CODEC, of("encodec", "renormalize", value=True), "encodec.renormalize = True"),
        (
            CODEC,
            of("rvq", "bins", value=400),
            "rvq.bins = 400, which transformers has no model for (it has a power of 2)",
        ),
        (CODEC, of("compression_model", value="dac"), "is a dac codec"),
    ],
)
def test_what_cannot_be_converted_is_named_and_nothing_is_written(spoiled, name, change, expected):
    assert expected in spoiled(name, change)


def test_a_projection_between_equal_widths_has_no_place(micro_folder, tmp_path, monkeypatch):
    def turned(*args):
        found = read_checkpoint(*args)
        found.language.weights["condition_provider.conditioners.description.output_proj.weight"] += 1e-3
        return found

    monkeypatch.setattr(audiogen_conversion, "read_checkpoint", turned)
    with pytest.raises(ModelError, match="projects its text between equal widths"):
        convert(str(micro_folder), str(tmp_path / "model"))


def test_a_folder_that_is_there_is_not_written_over(audiogen_folder, tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(EarwitnessError, match="is there already; name a folder that is not"):
        convert(str(audiogen_folder), str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_write_that_fails_leaves_nothing(audiogen_folder, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MusicgenForConditionalGeneration, "save_pretrained", full)
    with pytest.raises(EarwitnessError, match="No space left on device; make room and run the same command again"):
        convert(str(audiogen_folder), str(tmp_path / "model"))
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_does_and_ends_in_one_line(audiogen_folder, tmp_path, capsys):
    assert main([str(audiogen_folder), str(tmp_path / "model")]) == 0
    out, said = capsys.readouterr()
    assert out == f"{tmp_path / 'model'}\n"
    assert "reading the text encoder t5-large" in said
    assert "parameters to" in said
    assert main([str(audiogen_folder), str(tmp_path / "model")]) == 2
    assert capsys.readouterr().err == f"earwitness: {tmp_path / 'model'} is there already; name a folder that is not\n"
    assert main([str(tmp_path), str(tmp_path / "other")]) == 2
    assert "has no state_dict.bin" in capsys.readouterr().err


def test_converting_needs_no_audiocraft(audiogen_folder, tmp_path, monkeypatch):
    assert audiogen_parts.__name__ not in closure([audiogen_conversion.__name__])
    for name in [*(each for each in sys.modules if each.partition(".")[0] == "audiocraft"), "audiocraft"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert (convert(str(audiogen_folder), str(tmp_path / "model")) / "model.safetensors").is_file()
