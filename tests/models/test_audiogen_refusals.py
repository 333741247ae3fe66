"""What is no AudioGen that can be read is one line: what it is, and what to do."""

from __future__ import annotations

import pickle
import sys

import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

import tiny_published
from earwitness import stand_ins
from earwitness.errors import ModelError
from earwitness.models import audiogen, audiogen_parts
from earwitness.models.audiogen_files import CODEC, LANGUAGE
from tiny import tiny_musicgen
from tiny_audiogen import exported

pytestmark = pytest.mark.filterwarnings("ignore")


def one_line(source):
    with pytest.raises(ModelError) as caught:
        audiogen.from_pretrained(str(source))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def files(audiogen_folder, tmp_path):
    """A copy of the double, without its weights twice on the disk; `write` replaces the configuration of a file."""

    class Files:
        folder = tmp_path / "model"

        def __init__(self):
            self.folder.mkdir()
            for name in (LANGUAGE, CODEC, "t5-large"):
                (self.folder / name).symlink_to(audiogen_folder / name)

        def write(self, name, change):
            read = torch.load(audiogen_folder / name, weights_only=True)
            config = tiny_published.shrunk_audiogen()[name]
            change(config)
            (self.folder / name).unlink()
            exported(self.folder / name, read["best_state"], config)

        def save(self, name, content):
            (self.folder / name).unlink()
            torch.save(content, self.folder / name)

    return Files()


def put(*keys, value):
    def change(config):
        for key in keys[:-1]:
            config = config.setdefault(key, {})
        if value is None:
            del config[keys[-1]]
        else:
            config[keys[-1]] = value

    return change


MELODY = {"self_wav": {"model": "chroma_stem", "chroma_stem": {"n_chroma": 12}}}
STYLE = {"self_wav": {"model": "style", "style": {"model_name": "mert"}}}
TEXT = tiny_published.shrunk_audiogen()[LANGUAGE]["conditioners"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("channels", value=2), "makes stereo, which no adapter reads; take a mono model"),
        (put("interleave_stereo_codebooks", "use", value=True), "makes stereo, which no adapter reads"),
        (put("conditioners", value=TEXT | MELODY), "is conditioned on self_wav (chroma_stem), a melody, a style or"),
        (put("conditioners", value=TEXT | STYLE), "is conditioned on self_wav (style), a melody, a style or"),
        (
            put("lm_model", value="transformer_lm_magnet"),
            "is a transformer_lm_magnet (MAGNeT is transformer_lm_magnet)",
        ),
        (put("codebooks_pattern", "modeling", value="parallel"), "lays its codes out as parallel [0, 1, 2, 3]"),
        (put("codebooks_pattern", "delay", "delays", value=[0, 2, 4, 6]), "lays its codes out as delay [0, 2, 4, 6]"),
        (put("codebooks_pattern", "delay", "flatten_first", value=2), "(flatten_first and empty_initial [2, 0])"),
        (put("transformer_lm", "causal", value=False), "transformer_lm.causal is not true"),
        (put("conditioners", value={}), "has no T5 as its one text conditioner (found: none)"),
        (
            put("conditioners", value={"description": {"model": "lut", "lut": {"n_bins": 9}}}),
            "has no T5 as its one text conditioner (found: description (lut))",
        ),
        (
            put("conditioners", "description", "t5", "normalize_text", value=True),
            "rewrites prompts before it reads them",
        ),
        (put("fuser", "prepend", value=["description"]), "joins its text otherwise than by plain cross-attention"),
        (put("fuser", "cross_attention_pos_emb", value=True), "joins its text otherwise than by plain cross-attention"),
        (put("transformer_lm", "n_q", value=None), "lacks transformer_lm.n_q; export it with audiocraft.utils.export"),
        (put("sample_rate", value=None), "lacks sample_rate; export it"),
        (put("conditioners", "description", "t5", "name", value=None), "lacks conditioners.description.t5.name"),
        (put("lm_model", value=None), "lacks lm_model"),
        (put("transformer_lm", "dim", value=None), "(KeyError: 'dim')"),
        (put("transformer_lm", "card", value="x"), "transformer_lm.card = 'x' is no int"),
        (put("transformer_lm", "n_q", value=10**9), "n_q = 1e+09, which no model has"),
        (put("sample_rate", value="${nowhere}"), "sample_rate cannot be read"),
        (put("sample_rate", value=32_000), "the codec makes 16000 Hz and the language model was trained at 32000 Hz"),
        (put("transformer_lm", "num_layers", value=3), "lacks transformer.layers.2.cross_attention.in_proj_weight and"),
        (put("transformer_lm", "unheard_of", value=3), "(TypeError: "),
        (put("conditioners", "description", "t5", "name", value="no/where/t5"), "the text encoder no/where/t5 of "),
    ],
)
def test_a_language_model_that_is_not_read_is_named(files, change, said):
    files.write(LANGUAGE, change)
    message = one_line(files.folder)
    assert said in message
    assert str(files.folder) in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("encodec", "channels", value=2), "a codec of 2 channels"),
        (put("encodec", "sample_rate", value=32_000), "the codec makes 32000 Hz and the language model was trained at"),
        (put("rvq", "n_q", value=3), "compression_state_dict.bin does not fit its configuration: it has quantizer.vq"),
        (put("seanet", value=None), "cannot read the codec of the model"),
    ],
)
def test_a_codec_that_does_not_fit_is_named(files, change, said):
    files.write(CODEC, change)
    message = one_line(files.folder)
    assert said in message
    assert str(files.folder) in message


def test_a_codec_of_other_codes_is_named(files, tmp_path):
    musicgen = tiny_musicgen(tmp_path / "musicgen")
    files.save(CODEC, {"pretrained": str(musicgen)})
    assert "is a musicgen model, not an encodec one" in one_line(files.folder)
    tiny_published.encodec(files.folder / "codec")
    files.save(CODEC, {"pretrained": "codec"})
    assert "the codec makes 24000 Hz and the language model was trained at 16000 Hz" in one_line(files.folder)
    files.save(CODEC, {"pretrained": "dac_44khz"})
    assert "the codec dac_44khz of" in one_line(files.folder)


def test_a_source_that_is_neither_says_what_is_there(tmp_path):
    assert "is no AudioGen: it has none of them; give a folder or a hub id with" in one_line(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    assert "is no AudioGen: it has notes.txt; give a folder" in one_line(tmp_path)
    assert "no such folder: " in one_line(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    assert "is a t5 model, not a musicgen one" in one_line(tmp_path)


def test_one_file_of_two_is_named(files):
    (files.folder / CODEC).unlink()
    assert f"has no {CODEC}; an AudioGen of audiocraft has" in one_line(files.folder)


class Other:
    """What only unpickling code would build."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"xp.cfg": Other(), "best_state": {}}, "holds more than tensors, numbers and texts, which is not read"),
        ({"best_state": {}}, "is no export of audiocraft: its xp.cfg is absent or of another kind"),
        (
            {"xp.cfg": "a: 1", "best_state": 3},
            "is no export of audiocraft: its best_state is absent or of another kind",
        ),
        ({"xp.cfg": "a: [", "best_state": {}}, "is no YAML"),
        ({"xp.cfg": "- a", "best_state": {}}, "is no table of keys and values"),
        ([1], "is no export of audiocraft: its xp.cfg is absent"),
        ({"pretrained": "facebook/encodec_24khz"}, "names facebook/encodec_24khz and holds no model"),
    ],
)
def test_a_file_that_is_no_export_is_one_line(files, content, said):
    files.save(LANGUAGE, content)
    message = one_line(files.folder)
    assert f"{files.folder}" in message
    assert said in message


def test_code_in_a_file_is_not_run(files, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (files.folder / LANGUAGE).unlink()
    (files.folder / LANGUAGE).write_bytes(pickle.dumps({"xp.cfg": Bomb()}))
    assert "is not read" in one_line(files.folder)
    assert not (tmp_path / "ran").exists()


def test_a_truncated_file_is_one_line(files):
    whole = (files.folder / LANGUAGE).read_bytes()
    (files.folder / LANGUAGE).unlink()
    (files.folder / LANGUAGE).write_bytes(whole[: len(whole) // 2])
    assert f"{files.folder}/{LANGUAGE}" in one_line(files.folder)


def test_weights_that_are_not_finite_are_named(files):
    read = torch.load(files.folder / LANGUAGE, weights_only=True)
    read["best_state"]["linears.1.weight"][0, 0] = torch.nan
    files.save(LANGUAGE, read)
    assert "are not finite in lm.linears.1.weight" in one_line(files.folder)


def test_a_text_encoder_without_a_tensor_is_named(files, audiogen_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    encoder = tiny_published.copied(audiogen_folder / "t5-large", tmp_path / "t5")
    tensors = load_file(encoder / "model.safetensors")
    del tensors["encoder.final_layer_norm.weight"]
    save_file(tensors, encoder / "model.safetensors", metadata={"format": "pt"})
    (files.folder / "t5-large").unlink()
    encoder.rename(files.folder / "t5-large")
    message = one_line(files.folder)
    assert "the text encoder t5-large of" in message
    assert "lack encoder.final_layer_norm.weight" in message


INSTALL = "pip install --no-deps audiocraft==1.3.0 && pip install 'earwitness[audiogen]'"


def without(monkeypatch, package):
    """Have a package be absent, and audiocraft not imported yet."""

    class Nowhere:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in [each for each in sys.modules if each.partition(".")[0] in ("audiocraft", package)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Nowhere(), *sys.meta_path])


def test_without_audiocraft_the_commands_are_said(files, monkeypatch):
    without(monkeypatch, "audiocraft")
    assert one_line(files.folder) == f"audiocraft is not installed: {INSTALL}"


def test_with_half_of_audiocraft_what_is_missing_is_said(files, monkeypatch):
    without(monkeypatch, "julius")
    assert one_line(files.folder) == f"audiocraft needs julius, which is not installed: {INSTALL}"


def test_without_omegaconf_the_command_is_said(files, monkeypatch):
    without(monkeypatch, "omegaconf")
    assert one_line(files.folder) == "omegaconf is not installed: pip install 'earwitness[audiogen]'"


def test_another_audiocraft_is_one_line(files, monkeypatch):
    def raised(name):
        raise AttributeError("module 'torch' has no attribute 'x'")

    monkeypatch.setattr(stand_ins, "import_module", raised)
    assert "audiocraft cannot be imported (AttributeError: module" in one_line(files.folder)


def test_a_stand_in_that_is_used_says_so():
    with pytest.raises(Exception, match="audiocraft wants torchaudio, torchmetrics or spacy here"):
        audiogen_parts.Absent()


def test_a_hub_id_is_asked_for_both_files(monkeypatch, audiogen_folder, converted_folder):
    asked = []

    def hub(folder):
        def download(source, name, revision):
            asked.append((source, name, revision))
            path = folder / name
            if path.is_file():
                return str(path)
            raise EntryNotFoundError(f"404: {name}")

        return download

    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub(audiogen_folder))
    monkeypatch.setattr("earwitness.models.audiogen_named_parts.place_of", lambda _, name: str(audiogen_folder / name))
    model = audiogen.from_pretrained("some/audiogen", "v1", seconds=0.02)
    assert model.frames == 1
    assert set(asked) == {("some/audiogen", LANGUAGE, "v1"), ("some/audiogen", CODEC, "v1")}
    monkeypatch.setattr("huggingface_hub.hf_hub_download", hub(audiogen_folder / "nothing"))
    assert "some/audiogen is no AudioGen" in one_line("some/audiogen")


def test_a_hub_that_cannot_be_reached_ends_in_one_line(monkeypatch):
    def unreachable(*_, **__):
        raise LocalEntryNotFoundError("We cannot find it.\nCheck your connection.")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", unreachable)
    message = one_line("some/model")
    assert message.startswith(
        "cannot read the model some/model (revision main): We cannot find it; give a folder with "
    )


def test_parameters_of_a_card_are_held_to_bounds(audiogen_folder):
    with pytest.raises(ModelError, match="parameter top_k"):
        audiogen.from_pretrained(str(audiogen_folder), top_k=-1)
    with pytest.raises(ModelError, match=r"makes 50 frames a second, and 0\.001 s hold none"):
        audiogen.from_pretrained(str(audiogen_folder), seconds=0.001)
