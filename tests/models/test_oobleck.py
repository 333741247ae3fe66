"""Oobleck autoencoders in diffusers' format and as a TorchScript file, as the concept track's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderOobleck
from safetensors.torch import load_file, save_file

from earwitness.box.meter import Meter
from earwitness.errors import ModelError
from earwitness.models import oobleck
from earwitness.models.latent_frames import LatentFrames
from earwitness.tracks.concept import Kind
from tiny_autoencoders import (
    OOBLECK_FRAME,
    OOBLECK_RATE,
    OOBLECK_WIDTH,
    tiny_encodec,
    tiny_oobleck,
    tiny_script,
)

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def diffusers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_oobleck(tmp_path_factory.mktemp("oobleck"))


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_script(tmp_path_factory.mktemp("script") / "vae_model.pt").parent


def _noise(frames: int, rows: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(rows, frames * OOBLECK_FRAME, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize("channels", [1, 2])
def test_latents_are_the_posteriors_mean_and_decode_to_the_librarys_own_bits(tmp_path: Path, channels: int) -> None:
    folder = tiny_oobleck(tmp_path, channels=channels)
    model, library = oobleck.from_pretrained(str(folder)), AutoencoderOobleck.from_pretrained(folder).eval()
    audio = _noise(6)
    posterior = library.encode(torch.stack([audio] * channels, 1)).latent_dist
    latents = model.encode(audio)
    assert latents.shape == (2, 6, OOBLECK_WIDTH)
    assert torch.equal(latents, posterior.mean.mT)
    assert not torch.equal(latents, posterior.sample(torch.Generator().manual_seed(0)).mT)
    expected = library.decode(posterior.mean).sample
    assert torch.equal(model.decode(latents), expected.mean(1))
    assert (model.width, model.sample_rate) == (OOBLECK_WIDTH, OOBLECK_RATE)
    assert model.frame_rate == OOBLECK_RATE / OOBLECK_FRAME
    assert model.kinds == (Kind.CONTINUOUS,)


@torch.no_grad()
def test_the_autoencoder_of_a_pipelines_folder_is_found(diffusers: Path, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableAudioPipeline"}))
    AutoencoderOobleck.from_pretrained(diffusers).save_pretrained(tmp_path / "vae")
    expected = oobleck.from_pretrained(str(diffusers)).encode(_noise(2))
    assert torch.equal(oobleck.from_pretrained(str(tmp_path)).encode(_noise(2)), expected)
    assert torch.equal(oobleck.from_pretrained(str(tmp_path), subfolder="vae").encode(_noise(2)), expected)


@torch.no_grad()
def test_weights_of_half_precision_are_read_in_single_precision(diffusers: Path, tmp_path: Path) -> None:
    whole = AutoencoderOobleck.from_pretrained(diffusers)
    whole.half().save_pretrained(tmp_path)
    model = oobleck.from_pretrained(str(tmp_path))
    assert {weight.dtype for weight in model.module.parameters()} == {torch.float32}
    torch.testing.assert_close(
        model.encode(_noise(2)), oobleck.from_pretrained(str(diffusers)).encode(_noise(2)), rtol=0.02, atol=0.02
    )


@torch.no_grad()
def test_an_odd_stride_decodes_to_whole_frames_all_the_same(tmp_path: Path) -> None:
    folder = tiny_oobleck(tmp_path, ratios=(3, 4))
    model, library = oobleck.from_pretrained(str(folder)), AutoencoderOobleck.from_pretrained(folder).eval()
    latents = model.encode(_noise(1)[:, :120])
    assert latents.shape == (2, 10, OOBLECK_WIDTH)
    expected = library.decode(latents.mT).sample.mean(1)
    assert expected.shape[1] < 120
    found = model.decode(latents)
    assert found.shape == (2, 120)
    assert torch.equal(found[:, : expected.shape[1]], expected)
    assert not found[:, expected.shape[1] :].any()


@torch.no_grad()
@pytest.mark.parametrize("channels", [1, 2])
def test_a_script_is_asked_through_its_two_exported_methods(tmp_path: Path, channels: int) -> None:
    path = tiny_script(tmp_path / "vae_model.pt", channels)
    model = oobleck.from_pretrained(str(path), sample_rate=OOBLECK_RATE, channels=channels)
    library: Any = torch.jit.load(str(path))
    audio = _noise(6)
    mean, scale = library.encode_export(torch.stack([audio] * channels, 1)).chunk(2, 1)
    assert not torch.equal(mean, scale)
    latents = model.encode(audio)
    assert torch.equal(latents, mean.mT)
    assert torch.equal(model.decode(latents), library.decode_export(mean).mean(1))
    assert (model.width, model.sample_rate) == (OOBLECK_WIDTH, OOBLECK_RATE)
    assert model.frame_rate == OOBLECK_RATE / OOBLECK_FRAME


@torch.no_grad()
def test_a_script_is_found_in_its_folder_and_read_as_stereo_of_44100_hertz(script: Path, tmp_path: Path) -> None:
    model = oobleck.from_pretrained(str(script))
    assert (model.sample_rate, model.frame_rate) == (44_100, 44_100 / OOBLECK_FRAME)
    other = tiny_script(tmp_path / "other.ts").parent
    assert torch.equal(
        oobleck.from_pretrained(str(other), script="other.ts").encode(_noise(2)), model.encode(_noise(2))
    )


@torch.no_grad()
@pytest.mark.parametrize("form", ["diffusers", "script"])
def test_audio_is_padded_with_silence_to_whole_frames(form: str, request: pytest.FixtureRequest) -> None:
    model = oobleck.from_pretrained(str(request.getfixturevalue(form)))
    short = _noise(3)[:, : 2 * OOBLECK_FRAME + 1]
    padded = torch.nn.functional.pad(short, (0, OOBLECK_FRAME - 1))
    assert torch.equal(model.encode(short), model.encode(padded))
    assert model.decode(model.encode(short)).shape == (2, 3 * OOBLECK_FRAME)


@pytest.mark.parametrize("form", ["diffusers", "script"])
def test_gradients_flow_and_a_clip_there_and_back_costs_one_pass(form: str, request: pytest.FixtureRequest) -> None:
    model: LatentFrames = oobleck.from_pretrained(str(request.getfixturevalue(form)))
    audio = _noise(2, rows=3).requires_grad_()
    with Meter(model) as meter:
        latents = model.encode(audio)
        assert meter.usage().forwards == 1.5
        model.decode(latents[:1]).square().sum().backward()
        assert meter.usage().forwards == 2.0
        assert meter.usage().backwards == 2.0
    assert audio.grad is not None
    assert audio.grad[0].abs().sum() > 0
    assert not audio.grad[1:].any()
    assert not any(weight.requires_grad for weight in model.module.parameters())


def test_there_are_no_quantised_latents(diffusers: Path) -> None:
    with pytest.raises(ModelError, match="has no quantised latents; choose among its own kinds: continuous"):
        oobleck.from_pretrained(str(diffusers)).encode(_noise(1), Kind.QUANTISED)


@pytest.mark.parametrize("form", ["diffusers", "script"])
def test_a_task_of_quantised_latents_ends_in_one_line(form: str, request: pytest.FixtureRequest) -> None:
    folder = str(request.getfixturevalue(form))
    assert oobleck.from_pretrained(folder, kind="continuous").kind is Kind.CONTINUOUS
    with pytest.raises(ModelError, match="no quantised latents; choose among its own kinds: continuous") as caught:
        oobleck.from_pretrained(folder, kind="quantised")
    assert "\n" not in str(caught.value)


def test_what_is_no_oobleck_autoencoder_ends_in_one_line(diffusers: Path, script: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    encodec = tiny_encodec(tmp_path / "encodec")
    text = tmp_path / "text.pt"
    text.write_text("no script")
    half = tiny_script(tmp_path / "half.pt", methods=("encode_export",))
    less = tmp_path / "less"
    AutoencoderOobleck.from_pretrained(diffusers).save_pretrained(less)
    weights = load_file(less / WEIGHTS)
    kept = {name: value for name, value in weights.items() if name != "decoder.conv1.bias"}
    save_file(kept, less / WEIGHTS, metadata={"format": "pt"})
    bare = tmp_path / "bare"
    AutoencoderOobleck.from_pretrained(diffusers).save_pretrained(bare)
    (bare / WEIGHTS).unlink()
    wrong: list[tuple[Path, dict[str, Any], str]] = [
        (tmp_path / "empty", {}, "holds no config.json and no vae_model.pt"),
        (tmp_path / "nowhere", {}, "no such folder"),
        (encodec, {}, "holds an encodec, not an AutoencoderOobleck"),
        (less, {}, "decoder.conv1.bias"),
        (bare, {}, "cannot read the weights"),
        (text, {}, "cannot read the script"),
        (half, {}, "has no method decode_export"),
        (script, {"script": "other.pt"}, "holds no other.pt"),
        (script, {"channels": 1}, "cannot encode and decode silence"),
    ]
    for source, parameters, reason in wrong:
        with pytest.raises(ModelError, match=reason) as caught:
            oobleck.from_pretrained(str(source), **parameters)
        assert "\n" not in str(caught.value)
