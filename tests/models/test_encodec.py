"""EnCodec, the spectral codec, and either of them inside a MusicGen, as the concept track's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, EncodecModel, MusicgenForConditionalGeneration

from earwitness.box.meter import Meter
from earwitness.errors import ModelError
from earwitness.models import encodec
from earwitness.models.latent_frames import LatentFrames
from earwitness.models.spectral_codec import SpectralCodec
from earwitness.tracks.concept import Kind
from tiny_autoencoders import (
    ENCODEC_FRAME,
    ENCODEC_RATE,
    ENCODEC_WIDTH,
    SPECTRAL_FRAME,
    SPECTRAL_WIDTH,
    tiny_autoencoder,
    tiny_encodec,
    tiny_spectral_codec,
)

MICRO = Path(__file__).parents[2] / "tasks" / "micro_prompt" / "model"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encodec(tmp_path_factory.mktemp("encodec"))


@pytest.fixture(scope="module")
def spectral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_spectral_codec(tmp_path_factory.mktemp("spectral"))


def _noise(samples: int, rows: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(rows, samples, generator=torch.Generator().manual_seed(1))


def _changed(folder: Path, target: Path, **fields: Any) -> Path:
    """A copy of a model's folder with other fields in its configuration."""
    target.mkdir()
    (target / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | fields))
    return target


@torch.no_grad()
def test_encodec_latents_are_what_the_quantiser_is_given_and_what_it_gives(plain: Path) -> None:
    model, library = encodec.from_pretrained(str(plain)), EncodecModel.from_pretrained(plain).eval()
    audio, given = _noise(10 * ENCODEC_FRAME), []
    library.quantizer.layers[0].register_forward_pre_hook(lambda _, args: given.append(args[0]))
    real = library.quantizer.encode
    library.quantizer.encode = lambda embeddings, bandwidth=None: (
        given.append(embeddings) or real(embeddings, bandwidth)
    )
    codes = library.encode(audio[:, None]).audio_codes[0]
    assert torch.equal(model.encode(audio), given[0].transpose(1, 2))
    assert torch.equal(model.encode(audio, Kind.QUANTISED), library.quantizer.decode(codes.transpose(0, 1)).mT)
    assert (model.width, model.sample_rate, model.frame_rate) == (ENCODEC_WIDTH, ENCODEC_RATE, 25)


@torch.no_grad()
@pytest.mark.parametrize("bandwidth", [None, 0.4])
def test_quantised_encodec_latents_decode_to_the_librarys_own_bits(plain: Path, bandwidth: float | None) -> None:
    model = encodec.from_pretrained(str(plain), bandwidth=bandwidth)
    library = EncodecModel.from_pretrained(plain).eval()
    audio = _noise(10 * ENCODEC_FRAME)
    expected = library(audio[:, None], bandwidth=bandwidth)
    assert expected.audio_codes.shape[2] == (2 if bandwidth is None else 4)
    assert torch.equal(model.decode(model.encode(audio, Kind.QUANTISED)), expected.audio_values[:, 0])
    assert not torch.equal(model.decode(model.encode(audio)), expected.audio_values[:, 0])


@torch.no_grad()
def test_spectral_latents_decode_to_the_codecs_own_bits(spectral: Path) -> None:
    model, codec = encodec.from_pretrained(str(spectral)), AutoModel.from_pretrained(spectral).eval()
    assert isinstance(codec, SpectralCodec)
    audio = _noise(5 * SPECTRAL_FRAME)
    assert torch.equal(model.encode(audio), codec.latents(audio))
    expected = codec(audio[:, None]).audio_values
    assert torch.equal(model.decode(model.encode(audio, Kind.QUANTISED)), expected[:, 0])
    assert (model.width, model.sample_rate, model.frame_rate) == (SPECTRAL_WIDTH, 16_000, 25)


@torch.no_grad()
def test_the_micro_prompt_models_codec_is_read_where_it_lies() -> None:
    model = encodec.from_pretrained(str(MICRO))
    codec: Any = MusicgenForConditionalGeneration.from_pretrained(MICRO, dtype=torch.float32).audio_encoder.eval()
    audio = _noise(5 * SPECTRAL_FRAME)
    assert torch.equal(model.encode(audio), codec.latents(audio))
    assert torch.equal(model.decode(model.encode(audio, Kind.QUANTISED)), codec(audio[:, None]).audio_values[:, 0])
    assert (model.width, model.frame_rate, model.kinds) == (48, 25, (Kind.CONTINUOUS, Kind.QUANTISED))


@torch.no_grad()
def test_the_encodec_of_a_musicgen_is_read_with_its_old_names_of_weights_too(folder: Path, tmp_path: Path) -> None:
    codec: Any = MusicgenForConditionalGeneration.from_pretrained(folder).audio_encoder.eval()
    expected = codec.encoder(_noise(640)[:, None]).mT
    assert torch.equal(encodec.from_pretrained(str(folder)).encode(_noise(640)), expected)
    old = _changed(folder, tmp_path / "old")
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    weights = load_file(folder / "model.safetensors")
    for now, before in names.items():
        weights = {name.replace(now, before): value for name, value in weights.items()}
    assert any(name.startswith("audio_encoder") and name.endswith("weight_g") for name in weights)
    save_file(weights, old / "model.safetensors", metadata={"format": "pt"})
    assert torch.equal(encodec.from_pretrained(str(old)).encode(_noise(640)), expected)


@torch.no_grad()
@pytest.mark.parametrize("codec", ["plain", "spectral"])
def test_audio_is_padded_with_silence_to_whole_frames(codec: str, request: pytest.FixtureRequest) -> None:
    model = encodec.from_pretrained(str(request.getfixturevalue(codec)))
    samples = round(model.sample_rate / model.frame_rate)
    short = _noise(2 * samples + 1)
    padded = torch.nn.functional.pad(short, (0, samples - 1))
    for kind in model.kinds:
        found = model.encode(short, kind)
        assert found.shape == (2, 3, model.width)
        assert torch.equal(found, model.encode(padded, kind))
        assert model.decode(found).shape == (2, 3 * samples)


@pytest.mark.parametrize("codec", ["plain", "spectral"])
def test_gradients_reach_audio_and_latents_and_no_weights(codec: str, request: pytest.FixtureRequest) -> None:
    model = encodec.from_pretrained(str(request.getfixturevalue(codec)))
    audio = _noise(round(3 * model.sample_rate / model.frame_rate)).requires_grad_()
    model.decode(model.encode(audio)).square().sum().backward()
    assert audio.grad is not None
    assert audio.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in model.module.parameters())


@pytest.mark.parametrize("codec", ["plain", "spectral"])
def test_a_clip_there_and_back_costs_one_pass(codec: str, request: pytest.FixtureRequest) -> None:
    model: LatentFrames = encodec.from_pretrained(str(request.getfixturevalue(codec)))
    audio = _noise(1280, rows=3)
    with Meter(model) as meter:
        latents = model.encode(audio)
        assert meter.usage().forwards == 1.5
        model.decode(latents[:1])
        assert meter.usage().forwards == 2.0
        model.decode(latents.clone().requires_grad_()).sum().backward()
        assert meter.usage().forwards == 3.5
        assert meter.usage().backwards == 1.5


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"normalize": True}, "lack their loudness"),
        ({"chunk_length_s": 1.0, "overlap": 0.01}, "lack their loudness"),
        ({"audio_channels": 2}, "lack their loudness"),
        ({"model_type": "whisper"}, "is a whisper model, not an encodec one"),
        ({"num_filters": 6}, "cannot read the weights"),
    ],
)
def test_what_is_no_mono_encodec_ends_in_one_line(
    plain: Path, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        encodec.from_pretrained(str(_changed(plain, tmp_path / "other", **fields)))
    assert "\n" not in str(caught.value)


def test_missing_files_and_weights_and_bandwidths_end_in_one_line(plain: Path, spectral: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    bare = _changed(plain, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    less = _changed(plain, tmp_path / "less")
    weights = load_file(less / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("decoder.layers.0")}
    save_file(kept, less / "model.safetensors", metadata={"format": "pt"})
    oobleck = tmp_path / "oobleck"
    tiny_autoencoder().save_pretrained(oobleck)
    wrong: list[tuple[Path, dict[str, Any], str]] = [
        (tmp_path / "empty", {}, "cannot read the configuration"),
        (bare, {}, "cannot read the weights"),
        (less, {}, "lack 3 tensors"),
        (oobleck, {}, "cannot read the configuration"),
        (plain, {"bandwidth": 6.0}, "has no bandwidth 6; choose one of 0.2, 0.4"),
        (spectral, {"bandwidth": 6.0}, "has one bandwidth"),
    ]
    for folder, parameters, reason in wrong:
        with pytest.raises(ModelError, match=reason) as caught:
            encodec.from_pretrained(str(folder), **parameters)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("codec", ["plain", "spectral"])
def test_a_task_says_of_which_latents_its_items_are(codec: str, request: pytest.FixtureRequest) -> None:
    folder = str(request.getfixturevalue(codec))
    assert encodec.from_pretrained(folder).kind is Kind.CONTINUOUS
    assert encodec.from_pretrained(folder, kind="quantised").kind is Kind.QUANTISED
    with pytest.raises(ModelError, match="no discrete latents; choose among its own kinds: continuous, quantised"):
        encodec.from_pretrained(folder, kind="discrete")


def test_arrays_of_another_shape_and_unknown_kinds_end_in_one_line(spectral: Path) -> None:
    model = encodec.from_pretrained(str(spectral))
    with pytest.raises(ModelError, match=r"audio must be \[B, S\] with S at least 1, not \[640\]"):
        model.encode(torch.zeros(640))
    with pytest.raises(ModelError, match=r"not \[1, 0\]"):
        model.encode(torch.zeros(1, 0))
    with pytest.raises(ModelError, match="no other latents; choose among its own kinds: continuous, quantised"):
        model.encode(torch.zeros(1, 640), "other")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"latents must be \[B, F, 8\] with F at least 1, not \[1, 3, 9\]"):
        model.decode(torch.zeros(1, 3, 9))
