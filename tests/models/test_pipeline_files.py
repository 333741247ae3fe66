"""Pipelines of diffusers whose index or whose parts are not whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny_published
from earwitness.errors import ModelError
from earwitness.models import audioldm2, stable_audio
from tiny_stable_audio import tiny_stable_audio

pytestmark = pytest.mark.filterwarnings("ignore")

LOAD: dict[str, Callable[[str], Any]] = {
    "audioldm2": lambda source: audioldm2.from_pretrained(source, steps=2, seconds=0.64),
    "stable_audio": lambda source: stable_audio.from_pretrained(source, steps=2),
}
PARTS = {
    "audioldm2": (
        "language_model", "projection_model", "text_encoder", "text_encoder_2", "unet", "vae", "vocoder",
    ),
    "stable_audio": ("projection_model", "text_encoder", "transformer", "vae"),
}  # fmt: skip
BINARY = {"model": "pytorch_model", "diffusion_pytorch_model": "diffusion_pytorch_model"}


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        "audioldm2": tiny_published.audioldm2(tmp_path_factory.mktemp("audioldm2")),
        "stable_audio": tiny_stable_audio(tmp_path_factory.mktemp("stable_audio")),
    }


def refused(family: str, folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        LOAD[family](str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder), "MODEL")


def as_binary(weights: Path, tensors: dict[str, torch.Tensor]) -> None:
    weights.unlink()
    torch.save(tensors, weights.with_name(f"{BINARY[weights.stem]}.bin"))


@pytest.mark.parametrize("binary", [False, True], ids=["safetensors", "bin"])
@pytest.mark.parametrize(("family", "part"), [(family, part) for family in PARTS for part in PARTS[family]])
def test_a_part_that_lacks_a_tensor_is_refused_and_not_filled_in(
    family: str, part: str, binary: bool, doubles: dict[str, Path], tmp_path: Path
) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    weights = next((folder / part).glob("*.safetensors"))
    tensors = load_file(weights)
    dropped = sorted(tensors)[-1]
    del tensors[dropped]
    if binary:
        as_binary(weights, tensors)
    else:
        save_file(tensors, weights, metadata={"format": "pt"})
    message = refused(family, folder)
    assert message.startswith(f"the weights of the {part} of MODEL lack ")
    # A tensor that another is tied to is named by either.
    assert dropped in message or "2 tensors" in message


@pytest.mark.parametrize("family", sorted(LOAD))
def test_weights_in_binary_files_are_the_same_model(family: str, doubles: dict[str, Path], tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    for part in PARTS[family]:
        weights = next((folder / part).glob("*.safetensors"))
        as_binary(weights, load_file(weights))
    one, other = (LOAD[family](str(place)) for place in (doubles[family], folder))
    for name in PARTS[family]:
        mine, theirs = (getattr(model.pipeline, name).state_dict() for model in (one, other))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_attention_weights_under_the_names_of_an_older_diffusers_are_read(
    doubles: dict[str, Path], tmp_path: Path
) -> None:
    folder = tiny_published.copied(doubles["audioldm2"], tmp_path / "m")
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    older = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    renamed = {}
    for name, tensor in load_file(weights).items():
        for new, old in older.items():
            name = name.replace(new, old) if "mid_block.attentions" in name else name
        renamed[name] = tensor
    assert any(".query." in name for name in renamed)
    save_file(renamed, weights, metadata={"format": "pt"})
    one, other = (LOAD["audioldm2"](str(place)).pipeline.vae.state_dict() for place in (doubles["audioldm2"], folder))
    assert all(torch.equal(one[key], other[key]) for key in one)


INDICES: list[tuple[dict[str, Any], str]] = [
    ({"_class_name": None}, "the model_index.json of MODEL names no pipeline as its _class_name; save the pipeline"),
    ({"_class_name": []}, "the model_index.json of MODEL names no pipeline as its _class_name; save the pipeline"),
    ({"_class_name": "AudioLDMPipeline"}, "MODEL holds an AudioLDMPipeline, not {}; no adapter reads it; take "),
    ({"_class_name": "MusicLDMPipeline"}, "MODEL holds a MusicLDMPipeline, not {}; no adapter reads it; take "),
    ({"vae": None}, "does not say which library and class its vae is of; save the pipeline again"),
    ({"vae": [None, None]}, "does not say which library and class its vae is of; save the pipeline again"),
    ({"scheduler": {}}, "does not say which library and class its scheduler is of; save the pipeline again"),
    ({"scheduler": ["diffusers", "NoSuchScheduler"]}, "cannot read the pipeline of the model MODEL"),
    ({"vae": ["os", "system"]}, "cannot read the pipeline of the model MODEL"),
]


@pytest.mark.parametrize(("fields", "said"), INDICES)
@pytest.mark.parametrize("family", sorted(LOAD))
def test_an_index_that_is_none_or_anothers_is_said_so(
    family: str, fields: dict[str, Any], said: str, doubles: dict[str, Path], tmp_path: Path
) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    kind = {"audioldm2": "an AudioLDM2Pipeline", "stable_audio": "a StableAudioPipeline"}[family]
    message = refused(family, folder)
    assert said.format(kind) in message
    assert "name its own adapter" not in message


@pytest.mark.parametrize("family", sorted(LOAD))
def test_another_pipeline_that_is_read_names_its_adapter(family: str, doubles: dict[str, Path]) -> None:
    other = next(name for name in LOAD if name != family)
    assert refused(family, doubles[other]).endswith(f"name the adapter {other}")


@pytest.mark.parametrize("text", ["[]", "null", '"x"', "{"])
def test_an_index_that_is_no_table_is_one_line(text: str, doubles: dict[str, Path], tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles["stable_audio"], tmp_path / "m")
    (folder / "model_index.json").write_text(text)
    assert "cannot read the index of the model MODEL" in refused("stable_audio", folder)


def test_a_part_without_a_folder_is_named(
    doubles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_published.copied(doubles["stable_audio"], tmp_path / "m")
    (folder / "vae").rename(tmp_path / "elsewhere")
    assert "MODEL holds no folder vae, a part of its pipeline" in refused("stable_audio", folder)
    # Nor is a relative path taken for a hub id.
    monkeypatch.chdir(tmp_path)
    assert "holds no folder vae" in refused("stable_audio", Path("m"))
