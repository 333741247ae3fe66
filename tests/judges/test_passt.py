"""The PaSST judge: the authors' network and spectra, their checkpoints and folders of our own, and what is refused."""

from __future__ import annotations

import json
import math
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from earwitness.authoring.training.judges import at_rate
from earwitness.errors import EarwitnessError, InvalidItemError, ModelError
from earwitness.judges import ast, audioset, passt, passt_package
from earwitness.worlds.events import render
from earwitness.worlds.scenes import scene
from earwitness.worlds.sounds import LABELS

SOUNDS = 20
AUDIO = torch.randn(3, 64_000, generator=torch.Generator().manual_seed(0)) * 0.05
TINY = passt.PaSSTShape(embed_dim=64, depth=1, num_heads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("passt") / "judge"
    passt.small_passt(LABELS).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def judge(folder: Path) -> passt.PaSSTJudge:
    return passt.load(folder)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    """A small double of a published checkpoint, as a file, and its network."""
    torch.manual_seed(1)
    network = TINY.network(len(audioset.LABELS)).eval()
    path = tmp_path_factory.mktemp("published") / "passt-s-f128-p16-s10-ap.476-swa.pt"
    torch.save(network.state_dict(), path)
    return path, network


def spectra_of_the_package() -> torch.nn.Module:
    """What `hear21passt.base.get_basic_model` builds."""
    return passt_package.package().preprocess.AugmentMelSTFT(
        n_mels=128,
        sr=32_000,
        win_length=800,
        hopsize=320,
        n_fft=1024,
        freqm=48,
        timem=192,
        htk=False,
        fmin=0.0,
        fmax=None,
        norm=1,
        fmin_aug_range=10,
        fmax_aug_range=2000,
    )


def test_a_judge_read_from_a_folder_names_its_classes_and_gives_probabilities(judge: passt.PaSSTJudge) -> None:
    assert judge.labels == LABELS
    assert judge.sample_rate == 32_000
    torch.testing.assert_close(judge.probabilities(AUDIO).sum(1), torch.ones(3))
    torch.testing.assert_close(judge.presence(AUDIO), judge.logits(AUDIO).sigmoid())
    torch.testing.assert_close(judge.logits(AUDIO[1:2]), judge.logits(AUDIO)[1:2], rtol=1e-3, atol=1e-4)


def test_spectra_are_those_of_the_package_on_sounds_of_the_world(judge: passt.PaSSTJudge) -> None:
    sounds = np.stack([render(scene("test", index)).audio for index in range(SOUNDS)])
    audio = at_rate(torch.from_numpy(sounds), judge.sample_rate)
    theirs = spectra_of_the_package().eval()
    assert theirs.fmax == judge.spectrum.fmax == 15_000
    found = judge.features(audio)
    assert found.shape == (SOUNDS, 128, 200)
    assert float(found.std()) > 0.1
    torch.testing.assert_close(found, theirs(audio), rtol=0, atol=0)


@pytest.mark.parametrize(("low", "high"), [(0.0, 15_000.0), (20.0, -500.0)])
def test_mel_filters_are_kaldis_computed_one_by_one(low: float, high: float) -> None:
    bins, n_fft, rate = 16, 256, 32_000

    def mel(hertz: float) -> float:
        return 1127.0 * math.log(1.0 + hertz / 700.0)

    top = high if high > 0 else rate / 2 + high
    step = (mel(top) - mel(low)) / (bins + 1)
    expected = np.zeros((bins, n_fft // 2))
    for row in range(bins):
        left = mel(low) + row * step
        centre, right = left + step, left + 2 * step
        for column in range(n_fft // 2):
            at = mel(column * rate / n_fft)
            if left < at < right:
                expected[row, column] = (at - left) / step if at <= centre else (right - at) / step
    found, centres = passt_package.mel_filters(bins, n_fft, rate, low, high, 100.0, -500.0, 1.0)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(centres.numpy(), [mel(low) + (row + 1) * step for row in range(bins)], rtol=1e-6)
    assert (expected.sum(1) > 0).all()
    with pytest.raises(NotImplementedError, match="install torchaudio"):
        passt_package.mel_filters(bins, n_fft, rate, low, high, vtln_warp_factor=1.1)


def test_a_stand_in_for_a_training_mask_is_no_mask_that_masks_nothing() -> None:
    with pytest.raises(NotImplementedError, match="freqm=0"):
        passt_package.TrainingMask(48, iid_masks=True)(AUDIO)


def test_answers_hang_on_nothing_but_the_sound_and_nothing_is_printed(
    judge: passt.PaSSTJudge, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    first = judge.logits(AUDIO[:, :40_000])
    judge.network.s_patchout_f, judge.network.s_patchout_t = 2, 6
    state = torch.manual_seed(7).get_state()
    again = judge.logits(AUDIO[:, :40_000])
    judge.network.s_patchout_f = judge.network.s_patchout_t = 0
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_many_clips_are_heard_a_few_at_once(judge: passt.PaSSTJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge.logits(AUDIO)
    monkeypatch.setattr(passt, "AT_ONCE", 2)
    torch.testing.assert_close(judge.logits(AUDIO), whole, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_a_longer_clip_is_the_mean_over_windows_a_quarter_apart(judge: passt.PaSSTJudge) -> None:
    audio = torch.randn(2, 160_000, generator=torch.Generator().manual_seed(2)) * 0.05
    half = 32_000
    mirrored = torch.cat([audio[:, 1 : half + 1].flip(1), audio, audio[:, -half - 1 : -1].flip(1)], 1)
    starts = range(0, mirrored.shape[1] - 64_000 + 1, 16_000)
    windows = [judge(mirrored[:, start : start + 64_000]) for start in starts]
    assert len(windows) == 11
    torch.testing.assert_close(judge.logits(audio), torch.stack(windows).mean(0))


def test_a_clip_shorter_than_a_patch_is_no_sound_to_hear(judge: passt.PaSSTJudge) -> None:
    assert judge.logits(AUDIO[:, :4801]).isfinite().all()
    with pytest.raises(InvalidItemError, match=r"a sound of 0\.150 s: PaSST hears 0\.150 s or more"):
        judge.logits(AUDIO[:, :4800])


def test_logits_are_differentiable_in_the_audio(judge: passt.PaSSTJudge) -> None:
    audio = AUDIO.clone().requires_grad_()
    judge(audio).sum().backward()
    assert audio.grad is not None
    assert audio.grad.abs().sum() > 0


def test_the_small_judge_is_small_and_hears_two_seconds_at_once(judge: passt.PaSSTJudge, folder: Path) -> None:
    assert 250_000 < sum(p.numel() for p in judge.parameters()) < 350_000
    assert (folder / "model.safetensors").stat().st_size < 0.8e6
    assert judge.features(AUDIO).shape[-1] == judge.shape.img_size[1]
    assert all(tensor.dtype == torch.float16 for tensor in load_file(folder / "model.safetensors").values())
    assert {p.dtype for p in judge.parameters()} == {torch.float32}


def test_the_names_are_those_of_audioset() -> None:
    assert len(audioset.LABELS) == len(set(audioset.LABELS)) == 527
    assert audioset.LABELS[:2] == ("Speech", "Male speech, man speaking")
    assert audioset.LABELS[526] == "Field recording"


def test_a_published_checkpoint_is_read_from_a_file_a_folder_or_by_its_name(
    published: tuple[Path, torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, network = published
    asked = []
    weights = torch.load(path, weights_only=True)
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda url, **rules: asked.append((url, rules)) or weights
    )
    with torch.inference_mode():
        expected = network(spectra_of_the_package().eval()(AUDIO)[:, None])[0]
    for source in (path, path.parent, passt.PUBLISHED[0]):
        judge = passt.load(source)
        assert judge.labels == audioset.LABELS
        assert (judge.sample_rate, judge.seconds) == (32_000, 10)
        torch.testing.assert_close(judge.logits(AUDIO), expected, rtol=0, atol=0)
    [(url, rules)] = asked
    assert url.endswith("/passt-s-f128-p16-s10-ap.476-swa.pt")
    assert rules["weights_only"] is True


def test_every_name_is_one_that_hear21passt_names_with_the_classes_of_audioset() -> None:
    for name in passt.PUBLISHED:
        told = passt_package.package().passt.default_cfgs[name]
        assert told["num_classes"] == len(audioset.LABELS)
        assert told["input_size"][1:] == TINY.img_size
        assert told["url"].endswith(".pt")


@pytest.mark.parametrize("stride", [10, 16])
def test_strides_and_depth_are_told_from_the_weights(tmp_path: Path, stride: int) -> None:
    shape = passt.PaSSTShape(stride=(stride, stride), embed_dim=128, depth=2, num_heads=2)
    torch.save({"model": shape.network(len(audioset.LABELS)).state_dict()}, tmp_path / "a.pt")
    assert passt.load(tmp_path / "a.pt").shape == shape


def test_the_published_shape_is_that_of_the_paper() -> None:
    assert passt.PaSSTShape().grid == (12, 99)


class Harm:
    """What runs as it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("harm_was_done"),)


def other_classes(path: Path) -> None:
    torch.save(TINY.network(20).state_dict(), path / "a.pt")


def longer_clips(path: Path) -> None:
    longer = passt.PaSSTShape((128, 2000), embed_dim=64, depth=1, num_heads=1)
    torch.save(longer.network(527).state_dict(), path / "a.pt")


def another_network(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), path / "a.pt")


def a_list(path: Path) -> None:
    torch.save([1, 2], path / "a.pt")


def harm(path: Path) -> None:
    (path / "a.pt").write_bytes(pickle.dumps(Harm()))


def cut_short(path: Path) -> None:
    other_classes(path)
    (path / "a.pt").write_bytes((path / "a.pt").read_bytes()[:500])


def two_files(path: Path) -> None:
    (path / "a.pt").touch()
    (path / "b.pt").touch()


def not_finite(path: Path) -> None:
    weights = TINY.network(527).state_dict()
    weights["head.1.bias"][0] = float("nan")
    torch.save(weights, path / "a.pt")


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (other_classes, r"the weights of \S+ are of 20 classes, and AudioSet names 527"),
        (longer_clips, r"has 12 x 200 positions, and a PaSST of 128 mel bins and 10 s has others; take"),
        (another_network, r"holds no PaSST with two tokens: it has no cls_token; take a checkpoint"),
        (a_list, r"holds no weights alone; take a checkpoint that hear21passt names: passt_s_swa_p16_128_ap476"),
        (harm, r"a\.pt cannot be read as weights alone \(.+\); take"),
        (cut_short, r"a\.pt cannot be read as weights alone \(.+\); take"),
        (two_files, r"holds neither a config\.json nor one \.pt file, but 2; name the file itself"),
        (not_finite, r"are not finite in head\.1\.bias; take another checkpoint"),
    ],
)
def test_what_is_no_published_checkpoint_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    plant(folder)
    with pytest.raises(ModelError, match=message) as error:
        passt.load(folder)
    assert "\n" not in str(error.value)
    assert not Path("harm_was_done").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["one", "two"]}, r"are of 8 classes, and its configuration names 2"),
        ({"spectrum": {"sr": 16_000}}, r"hears 16000 Hz; a PaSST hears 32000 Hz"),
        ({"network": {"patch_sizes": 16}}, r"parameter is unknown|patch_sizes is unknown; did you mean 'patch_size'"),
        ({"network": {"embed_dim": 96, "depth": 2}}, r"are not those of its network \(.+\); save it again"),
        ({"seconds": 30.0}, r"seconds must be less than or equal to 10, not 30\.0; save the model again"),
        ({"network": {"depth": 10**9}}, r"depth = 1e\+09, which no model has"),
        ({"seconds": 3.0}, r"cannot read the shape of the model .* \(RuntimeError|cannot read the shape of the model"),
        ({"model_type": "cnn_judge"}, r"is a cnn_judge model, not a passt one; name the adapter cnn"),
        ({"model_type": "x"}, r"is a x model, not a passt one; take a checkpoint"),
    ],
)
def test_a_spoiled_folder_is_refused_in_one_line(folder: Path, tmp_path: Path, change: dict, message: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    save_file(load_file(folder / "model.safetensors"), tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=message) as error:
        passt.load(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_of_an_ast_names_its_adapter(tmp_path: Path) -> None:
    ast.small_ast(LABELS).save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match="is an audio-spectrogram-transformer model, not a passt one; name the adapter"
    ):
        passt.load(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/no/such/folder", r"no such folder: /no/such/folder"),
        ("passt_s_swa_p16_128_ap467", r"names no checkpoint .*; did you mean 'passt_s_swa_p16_128_ap476'\?"),
    ],
)
def test_a_source_that_is_none_is_refused(source: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        passt.load(source)
    with pytest.raises(ModelError, match="has no revisions"):
        passt.load(source, revision="v2")


def test_a_checkpoint_that_cannot_be_fetched_says_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(url: str, **rules: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(
        ModelError, match=r"cannot fetch https://\S+: OSError: no route to host; name a folder"
    ) as error:
        passt.load(passt.PUBLISHED[0])
    assert "\n" not in str(error.value)


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch):
    """hear21passt as if it had not been imported yet."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "hear21passt"]:
        monkeypatch.delitem(sys.modules, name)
    passt_package.package.cache_clear()
    yield
    passt_package.package.cache_clear()


class Absent:
    """Finds no hear21passt, whatever is installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "hear21passt":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.usefixtures("forgotten")
def test_without_hear21passt_the_command_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(EarwitnessError) as error:
        passt.load(folder)
    assert str(error.value) == "hear21passt is not installed: pip install --no-deps hear21passt==0.0.26"


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    ("files", "told"), [({}, "needs hear21passt.models"), ({"passt": "", "preprocess": ""}, "PaSST")]
)
def test_half_of_hear21passt_is_installed_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], told: str
) -> None:
    package = tmp_path / "hear21passt"
    package.mkdir()
    (package / "__init__.py").touch()
    if files:
        (package / "models").mkdir()
        (package / "wrapper.py").touch()
        for name, text in files.items():
            (package / "models" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EarwitnessError, match=rf"{told}.*: pip install --no-deps hear21passt==0\.0\.26") as error:
        passt.load(folder)
    assert "\n" not in str(error.value)
    for name in [name for name in sys.modules if name.partition(".")[0] == "hear21passt"]:
        monkeypatch.delitem(sys.modules, name)
