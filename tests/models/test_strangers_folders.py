"""Folders that no test of ours wrote: malformed, oversized, older and oddly configured ones."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny_published
from earwitness.errors import ModelError
from earwitness.judges import ast
from earwitness.models import audioldm2, encodec, musicgen, oobleck, speech2text, whisper
from earwitness.models.pretrained_files import FAMILIES, require_finite, require_modest

pytestmark = pytest.mark.filterwarnings("ignore")

LOAD: dict[str, Callable[[str], Any]] = {
    "ast": ast.load,
    "audioldm2": lambda source: audioldm2.from_pretrained(source, steps=2, seconds=0.64),
    "encodec": encodec.from_pretrained,
    "musicgen": musicgen.from_pretrained,
    "oobleck": oobleck.from_pretrained,
    "speech2text": speech2text.from_pretrained,
    "whisper": whisper.from_pretrained,
}
CONFIG = dict.fromkeys(LOAD, "config.json") | {"audioldm2": "unet/config.json", "oobleck": "vae/config.json"}
WEIGHTS = dict.fromkeys(LOAD, "model.safetensors") | {
    "audioldm2": "unet/diffusion_pytorch_model.safetensors",
    "oobleck": "vae/diffusion_pytorch_model.safetensors",
}
families = pytest.mark.parametrize("family", sorted(LOAD))


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: getattr(tiny_published, name)(tmp_path_factory.mktemp(name)) for name in LOAD}


def refused(family: str, folder: Path) -> str:
    """The one line that a folder is refused with, soon."""
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        LOAD[family](str(folder))
    assert time.monotonic() - start < 10
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def edit(path: Path, **fields: Any) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | fields))


@families
@pytest.mark.parametrize("text", ["{nope", "[1, 2]", "null", "{}", "[" * 100_000 + "]" * 100_000, "\x00"])
def test_a_configuration_that_is_none_is_refused(family: str, text: str, doubles: Any, tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    (folder / CONFIG[family]).write_text(text)
    refused(family, folder)


@families
@pytest.mark.parametrize("spoiled", ["truncated", "garbage", "empty", "link", "not finite"])
def test_weights_that_are_none_are_refused(family: str, spoiled: str, doubles: Any, tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    weights = folder / WEIGHTS[family]
    whole = weights.read_bytes()
    if spoiled == "not finite":
        tensors = load_file(weights)
        name = next(name for name in sorted(tensors) if tensors[name].is_floating_point() and "codebook" not in name)
        tensors[name].view(-1)[-1] = float("nan")
        save_file(tensors, weights, metadata={"format": "pt"})
    elif spoiled == "link":
        weights.unlink()
        weights.symlink_to(weights)
    else:
        weights.write_bytes({"truncated": whole[: len(whole) // 2], "garbage": b"\xff" * 64, "empty": b""}[spoiled])
    message = refused(family, folder)
    assert ("not finite in" in message) == (spoiled == "not finite")


class Trap:
    def __reduce__(self) -> Any:
        return os.mkdir, ("trapped",)


@families
def test_a_pickle_is_not_run(family: str, doubles: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    weights = folder / WEIGHTS[family]
    weights.unlink()
    stem = "pytorch_model" if weights.name == "model.safetensors" else "diffusion_pytorch_model"
    torch.save({"weight": Trap()}, weights.with_name(f"{stem}.bin"))
    refused(family, folder)
    assert not (tmp_path / "trapped").exists()


SIZES = [
    ("ast", "config.json", {"num_hidden_layers": 10**9}, "num_hidden_layers = 1e+09"),
    ("ast", "config.json", {"num_hidden_layers": 0}, "num_hidden_layers = 0"),
    ("ast", "config.json", {"hidden_size": 10**12}, "hidden_size = 1e+12"),
    ("audioldm2", "language_model/config.json", {"n_layer": 10**9}, "n_layer = 1e+09"),
    ("audioldm2", "unet/config.json", {"block_out_channels": [10**9] * 4}, "block_out_channels = 1e+09"),
    ("encodec", "config.json", {"target_bandwidths": [1e6]}, "target_bandwidths = 1e+06"),
    ("encodec", "config.json", {"num_filters": 10**9}, "num_filters = 1e+09"),
    ("musicgen", "config.json", {"decoder": {"num_hidden_layers": 10**9}}, "decoder.num_hidden_layers"),
    ("oobleck", "vae/config.json", {"decoder_channels": 10**9}, "decoder_channels = 1e+09"),
    ("speech2text", "config.json", {"encoder_layers": 10_000}, "encoder_layers = 10000"),
    ("whisper", "config.json", {"decoder_layers": -1}, "decoder_layers = -1"),
    ("whisper", "config.json", {"vocab_size": 10**10}, "vocab_size = 1e+10"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "file", "fields", "said"), SIZES)
def test_a_size_that_no_model_has_is_refused_before_anything_is_built(
    family: str, file: str, fields: dict[str, Any], said: str, doubles: Any, tmp_path: Path
) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    edit(folder / file, **fields)
    start = time.monotonic()
    assert said in refused(family, folder)
    assert time.monotonic() - start < 2


def test_bounds_let_numbers_of_published_kinds_through() -> None:
    require_modest("m", {"vocab_size": 256_000, "rope_theta": 1e6, "eps": 1e-12, "init": -1, "flag": True, "no": None})
    for value in (float("nan"), float("inf"), 10**8):
        with pytest.raises(ModelError, match="which no model has"):
            require_modest("m", {"inner": [{"size": value}]})


def test_weights_with_more_layers_than_the_configuration_are_refused(doubles: Any, tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles["musicgen"], tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    edit(folder / "config.json", decoder=config["decoder"] | {"num_hidden_layers": 1})
    assert " tensors, decoder.model.decoder.layers.1." in refused("musicgen", folder)


@pytest.mark.parametrize("family", ["musicgen", "oobleck", "whisper"])
def test_other_safetensors_beside_the_weights_are_none_of_the_models(family: str, doubles: Any, tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    weights = folder / WEIGHTS[family]
    # Those of an older state of training, of a larger model, say.
    name = next(name for name in sorted(load_file(weights)) if ".0." in name)
    save_file({name.replace(".0.", ".9."): torch.zeros(1)}, weights.with_name("optimizer.safetensors"))
    weights.with_name("adapter_model.safetensors").write_bytes(b"none")
    LOAD[family](str(folder))


def test_weights_in_pieces_with_more_layers_than_the_configuration_are_refused(doubles: Any, tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles["musicgen"], tmp_path / "m")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file(tensors, folder / "model-00001-of-00001.safetensors", metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "model-00001-of-00001.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    LOAD["musicgen"](str(folder))
    config = json.loads((folder / "config.json").read_text())
    edit(folder / "config.json", decoder=config["decoder"] | {"num_hidden_layers": 1})
    assert "beyond its configuration, " in refused("musicgen", folder)


@pytest.mark.parametrize(
    "fields", [{"return_dict": False}, {"output_attentions": True, "output_hidden_states": True}, {"torchscript": True}]
)
@pytest.mark.parametrize("family", ["ast", "musicgen", "speech2text", "whisper"])
def test_what_a_folder_wants_returned_changes_nothing(
    family: str, fields: dict[str, Any], doubles: Any, tmp_path: Path
) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    edit(folder / "config.json", **fields)
    plain, odd = (outputs(family, LOAD[family](str(place))) for place in (doubles[family], folder))
    assert torch.equal(plain, odd)


def outputs(family: str, model: Any) -> Any:
    if family == "ast":
        return model.logits(torch.linspace(-1, 1, 8000)[None])
    if family == "musicgen":
        codes = torch.ones(1, 4, 2, dtype=torch.long)
        return model.logits(codes, model.encode(["a bell"]))
    features = torch.tensor(model.features(torch.linspace(-1, 1, 8000).sin().numpy()))[None]
    return model.logits(features, torch.tensor([[4, 5]]))


@pytest.mark.parametrize("kind", ["musicgen_melody", "wav2vec2", "made_up_kind"])
def test_a_family_that_no_adapter_reads_is_said_so(kind: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    for family in ("musicgen", "whisper", "speech2text", "encodec"):
        message = refused(family, tmp_path)
        assert f"is a {kind} model, not a" in message
        assert "no adapter reads it; take " in message


def test_a_family_of_another_adapter_names_that_one(doubles: Any) -> None:
    assert "name the adapter whisper" in refused("musicgen", doubles["whisper"])
    assert "name the adapter speech2text" in refused("whisper", doubles["speech2text"])
    adapters = Path(musicgen.__file__).parent, Path(ast.__file__).parent
    for adapter, _ in FAMILIES.values():
        assert any((place / f"{adapter}.py").is_file() for place in adapters)


def test_only_parameters_must_be_finite_and_the_first_that_is_not_is_named() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    module.register_buffer("mask", torch.full((2,), -torch.inf))
    require_finite("m", module)
    with torch.no_grad():
        module[0].weight.fill_(3e38)
    require_finite("m", module)
    with torch.no_grad():
        module[1].bias[1] = torch.inf
    with pytest.raises(ModelError, match=r"the weights of m are not finite in part\.1\.bias; take another"):
        require_finite("m", module, "part")


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("audioldm2", "steps", "5"),
        ("audioldm2", "steps", 0),
        ("audioldm2", "steps", 1001),
        ("audioldm2", "guidance", float("nan")),
        ("audioldm2", "strength", 0),
        ("audioldm2", "strength", 1.5),
        ("audioldm2", "seconds", float("inf")),
        ("audioldm2", "seconds", 1e9),
        ("encodec", "bandwidth", "24"),
        ("encodec", "bandwidths", 24.0),
        ("musicgen", "guidance", -1.0),
        ("musicgen", "temperature", -1.0),
        ("musicgen", "top_k", -1),
        ("musicgen", "top_k", 1.5),
        ("musicgen", "seconds", "5"),
        ("musicgen", "seconds", 1e9),
        ("musicgen", "seconds", True),
        ("oobleck", "sample_rate", -44_100),
        ("oobleck", "channels", 0),
        ("speech2text", "max_tokens", 0),
        ("whisper", "max_tokens", "5"),
        ("whisper", "task", "summarise"),
        ("whisper", "language", 7),
    ],
)
def test_a_parameter_that_is_none_is_named_before_anything_is_read(family: str, key: str, value: Any) -> None:
    module = {
        "audioldm2": audioldm2, "encodec": encodec, "musicgen": musicgen, "oobleck": oobleck,
        "speech2text": speech2text, "whisper": whisper,
    }[family]  # fmt: skip
    with pytest.raises(ModelError, match=f"^no/such: parameter {key} (must be|is unknown)") as caught:
        module.from_pretrained("no/such", **{key: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family", ["musicgen", "speech2text", "whisper"])
@pytest.mark.parametrize("text", ['{"guidance_scale": 3.', "[]"])
def test_settings_of_generation_that_cannot_be_read_are_not_left_out(
    doubles: dict[str, Path], tmp_path: Path, family: str, text: str
) -> None:
    folder = shutil.copytree(doubles[family], tmp_path / "model")
    (folder / "generation_config.json").write_text(text, encoding="utf-8")
    assert "cannot read the generation configuration" in refused(family, folder)
