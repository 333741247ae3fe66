"""WavTokenizer through the user's own install: tried against a double with its interface."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from earwitness.box.meter import Meter
from earwitness.errors import ModelError
from earwitness.models import wavtokenizer
from earwitness.models.latent_frames import LatentFrames
from earwitness.tracks.concept import Kind
from tiny_autoencoders import (
    WAV_FRAME,
    WAV_RATE,
    WAV_WIDTH,
    WavTokenizerDouble,
    install_wavtokenizer,
    tiny_wavtokenizer,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_wavtokenizer(tmp_path_factory.mktemp("wavtokenizer"))


@pytest.fixture
def model(files: Path, monkeypatch: pytest.MonkeyPatch) -> LatentFrames:
    install_wavtokenizer(monkeypatch)
    return wavtokenizer.from_pretrained(str(files))


def _library(files: Path) -> WavTokenizerDouble:
    library = WavTokenizerDouble.from_pretrained0802(str(files / "tiny.yaml"), str(files / "tiny.ckpt"))
    # Torch multiplies by a weight that needs no gradient in another order, so that the last bit may differ.
    return library.requires_grad_(False)


def _noise(frames: int, rows: int = 2) -> torch.Tensor:
    return torch.randn(rows, frames * WAV_FRAME, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize("bandwidth", [0, 2])
def test_quantised_latents_decode_to_the_installs_own_bits(
    files: Path, monkeypatch: pytest.MonkeyPatch, bandwidth: int
) -> None:
    install_wavtokenizer(monkeypatch)
    model, library = wavtokenizer.from_pretrained(str(files), bandwidth_id=bandwidth), _library(files)
    audio, chosen = _noise(7), torch.tensor([bandwidth])
    features, _ = library.encode_infer(audio, bandwidth_id=chosen)
    latents = model.encode(audio, Kind.QUANTISED)
    assert torch.equal(latents, features.mT)
    assert torch.equal(model.decode(latents), library.decode(features, bandwidth_id=chosen))


@torch.no_grad()
def test_continuous_latents_are_what_the_quantiser_is_given(model: LatentFrames, files: Path) -> None:
    audio = _noise(7)
    given = _library(files).feature_extractor.encodec.encoder(audio[:, None])
    assert torch.equal(model.encode(audio), given.mT)
    assert not torch.equal(model.encode(audio), model.encode(audio, Kind.QUANTISED))


def test_frames_are_measured_and_audio_is_padded_to_them(model: LatentFrames) -> None:
    assert (model.sample_rate, model.frame_rate, model.width) == (WAV_RATE, WAV_RATE / WAV_FRAME, WAV_WIDTH)
    for kind in model.kinds:
        found = model.encode(_noise(2)[:, :-1], kind)
        assert found.shape == (2, 2, WAV_WIDTH)
        assert model.decode(found).shape == (2, 2 * WAV_FRAME)


def test_gradients_reach_what_inference_mode_would_cut_off(model: LatentFrames) -> None:
    audio = _noise(3).requires_grad_()
    model.decode(model.encode(audio)).square().sum().backward()
    assert audio.grad is not None
    assert audio.grad.abs().sum() > 0
    quantised = model.encode(_noise(3), Kind.QUANTISED).requires_grad_()
    model.decode(quantised).square().sum().backward()
    assert quantised.grad is not None


def test_a_clip_there_and_back_costs_one_pass_of_either_kind(model: LatentFrames) -> None:
    with Meter(model) as meter:
        for kind in model.kinds:
            model.decode(model.encode(_noise(2, rows=3), kind))
        assert meter.usage().forwards == 6.0


def test_a_task_says_of_which_latents_its_items_are(model: LatentFrames, files: Path) -> None:
    assert model.kind is Kind.CONTINUOUS
    assert wavtokenizer.from_pretrained(str(files), kind="quantised").kind is Kind.QUANTISED
    with pytest.raises(ModelError, match="no discrete latents; choose among its own kinds: continuous, quantised"):
        wavtokenizer.from_pretrained(str(files), kind="discrete")


def test_what_the_install_prints_stays_from_the_terminal(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_wavtokenizer(monkeypatch)
    wavtokenizer.from_pretrained(str(files))
    assert capsys.readouterr().out == ""


def test_a_package_is_preferred_to_a_checkout_on_the_path(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_wavtokenizer(monkeypatch, "wavtokenizer.decoder")
    checkout: Any = type(sys)("decoder.pretrained")
    monkeypatch.setitem(sys.modules, "decoder.pretrained", checkout)
    assert wavtokenizer.from_pretrained(str(files)).width == WAV_WIDTH


def test_a_missing_install_ends_in_one_line_that_says_what_to_clone(files: Path) -> None:
    with pytest.raises(ModelError, match=r"not installed: clone github\.com/jishengpeng/WavTokenizer") as caught:
        wavtokenizer.from_pretrained(str(files))
    assert "\n" not in str(caught.value)


def test_an_install_that_lacks_a_package_of_its_own_ends_in_one_line(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "decoder").mkdir()
    (tmp_path / "decoder" / "pretrained.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=r"from decoder.pretrained: No module named 'a_package_that_nobody_has'"):
        wavtokenizer.from_pretrained(str(files))
    for name in ("decoder", "decoder.pretrained"):
        sys.modules.pop(name, None)


def test_missing_doubled_and_broken_files_end_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_wavtokenizer(monkeypatch)
    (tmp_path / "empty").mkdir()
    bare, twice, broken = (tiny_wavtokenizer(tmp_path / name) for name in ("bare", "twice", "broken"))
    (bare / "tiny.ckpt").unlink()
    (twice / "more.yaml").write_text("")
    (broken / "tiny.ckpt").write_bytes(b"no checkpoint")
    wrong = [
        (tmp_path / "empty", "holds 0 .yaml files"),
        (bare, "holds 0 .ckpt files"),
        (twice, "holds 2 .yaml files"),
        (broken, "cannot read the checkpoint"),
    ]
    for source, reason in wrong:
        with pytest.raises(ModelError, match=reason) as caught:
            wavtokenizer.from_pretrained(str(source))
        assert "\n" not in str(caught.value)
