"""Judges with the architecture of PaSST, the Patchout Spectrogram Transformer (Koutini et al., arXiv 2110.05069).

Network and log-mel spectra are those of the authors' own package, hear21passt 0.0.26 (Apache-2.0): one of their
checkpoints on AudioSet, by its name or from a local file, or a folder of this suite's own.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from earwitness.errors import InvalidItemError, ModelError, nearest, one_line, short
from earwitness.judges.audioset import LABELS
from earwitness.judges.passt_package import package
from earwitness.models.pretrained_files import FAMILIES, at, attempt, named, parsed, require_finite, require_modest
from earwitness.parameters import ParameterError, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLISHED = (
    "passt_s_swa_p16_128_ap476",
    "passt_s_kd_p16_128_ap486",
    "passt_l_kd_p16_128_ap47",
    "passt_s_p16_s16_128_ap468",
    "passt_u600_f128_p16_s16_ap_460",
    "passt_b_f128_p16_s16_ap_459",
)
"""Checkpoints that hear21passt names, of AudioSet's classes and 10 s; the first is its default (`hear21passt.base`)."""
KIND = "passt"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
HEAD_WIDTH = 64
"""Width of a head of attention of every published checkpoint, as in ViT and DeiT."""
AT_ONCE = 16
"""Clips of a pass: 10 s are 1,190 patches, and each attends to each."""

Count = Annotated[int, Field(gt=0)]


@dataclass(frozen=True)
class PaSSTShape:
    """Shape of a PaSST; the defaults are those that all published checkpoints share."""

    img_size: tuple[Count, Count] = (128, 998)
    """Mel bins and frames that there are embeddings of positions for."""
    patch_size: Count = 16
    stride: tuple[Count, Count] = (10, 10)
    """Mel bins and frames from patch to patch."""
    embed_dim: Count = 768
    depth: Count = 12
    num_heads: Count = 12
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0

    @property
    def grid(self) -> tuple[int, int]:
        """Embeddings of positions over frequency and over time, as hear21passt counts them."""
        return self.img_size[0] // self.stride[0], self.img_size[1] // self.stride[1]

    def network(self, classes: int) -> Any:
        """An untrained network of C classes: [B, 1, M, T] to logits [B, C] and features [B, D]."""
        return package().passt.PaSST(**asdict(self), num_classes=classes, distilled=True)


@dataclass(frozen=True)
class PaSSTSpectrum:
    """Log-mel spectra as `hear21passt.base.get_basic_model` has them; its `fmax=None` is 15 kHz in evaluation."""

    n_mels: Count = 128
    sr: Count = 32_000
    """Hz."""
    win_length: Count = 800
    hopsize: Count = 320
    n_fft: Count = 1024
    fmin: Annotated[float, Field(ge=0)] = 0.0
    fmax: Annotated[float, Field(gt=0)] = 15_000.0
    fmin_aug_range: Count = 10
    fmax_aug_range: Count = 2000
    """Hz over which both ends are drawn in training."""

    def module(self) -> Any:
        """The module from audio [B, S] to spectra [B, M, T]; no band or stretch is masked, in training neither."""
        return package().preprocess.AugmentMelSTFT(**asdict(self), freqm=0, timem=0)


class PaSSTJudge(nn.Module):
    """A PaSST behind its log-mel spectra, as hear21passt puts them together.

    Longer clips than the network's are heard as `PasstBasicWrapper.get_scene_embeddings` hears them: windows of its
    length, a quarter of it apart, over the clip mirrored at both ends by half of it, and the mean of their logits.
    """

    def __init__(self, shape: PaSSTShape, spectrum: PaSSTSpectrum, labels: tuple[str, ...], seconds: float) -> None:
        """`seconds` are those that the network hears at once."""
        super().__init__()
        self.shape = shape
        self.spectrum = spectrum
        self.labels = labels
        self.seconds = seconds
        self.sample_rate = spectrum.sr
        self.listener = package().wrapper.PasstBasicWrapper(
            spectrum.module(),
            shape.network(len(labels)),
            max_model_window=round(1000 * seconds),
            scene_hop=round(250 * seconds),
            mode="logits",
        )

    @property
    def network(self) -> Any:
        """hear21passt's network."""
        return self.listener.net

    def features(self, audio: Tensor) -> Tensor:
        """Log-mel spectra [B, M, T] of audio [B, S]."""
        spectra: Tensor = _quietly(self.listener.mel, audio)
        return spectra

    def forward(self, audio: Tensor) -> Tensor:
        """Logits [B, C] of audio [B, S] no longer than the network's, differentiable."""
        logits: Tensor = _quietly(self.listener, audio)
        return logits

    @torch.inference_mode()
    def logits(self, audio: Tensor) -> Tensor:
        """Logits [B, C] of audio [B, S]; raises InvalidItemError where it is shorter than a patch."""
        shortest = (self.shape.patch_size - 1) * self.spectrum.hopsize + 1
        if audio.shape[-1] < shortest:
            rate = self.sample_rate
            raise InvalidItemError(
                f"a sound of {audio.shape[-1] / rate:.3f} s: PaSST hears {shortest / rate:.3f} s or more"
            )
        # Its spectra draw from the global generator in evaluation, too, and do not use what they draw.
        with torch.random.fork_rng(devices=[]):
            parts = [_quietly(self.listener.get_scene_embeddings, part) for part in torch.split(audio, AT_ONCE)]
        return torch.cat(parts).to(audio.device)

    def probabilities(self, audio: Tensor) -> Tensor:
        """Softmax of the logits, [B, C], of audio [B, S]."""
        return self.logits(audio).softmax(-1)

    def presence(self, audio: Tensor) -> Tensor:
        """Sigmoid of the logits, [B, C], of audio [B, S]."""
        return self.logits(audio).sigmoid()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write configuration and weights, weights in half precision, to be read in single precision."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "model_type": KIND,
            "labels": self.labels,
            "seconds": self.seconds,
            "network": asdict(self.shape),
            "spectrum": asdict(self.spectrum),
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        weights = {name: tensor.half().contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        (folder / WEIGHTS).chmod(0o644)


def small_passt(labels: tuple[str, ...]) -> PaSSTJudge:
    """An untrained judge of about 0.3 M parameters for clips of 2 s."""
    shape = PaSSTShape((128, 200), stride=(16, 10), embed_dim=96, depth=3, num_heads=4, mlp_ratio=3.0)
    return PaSSTJudge(shape, PaSSTSpectrum(), labels, seconds=2.0)


def load(source: str | Path, revision: str = "main", device: str = "cpu") -> PaSSTJudge:
    """The judge of a published checkpoint's name, of a `.pt` file or a folder with one, or of a folder of our own.

    Raises ModelError where it cannot be read, and EarwitnessError where hear21passt is not installed.
    """
    package()
    place, path = str(source), Path(source)
    if revision != "main":
        raise ModelError(f"{place}: a PaSST has no revisions, so that {revision!r} cannot be read; take it out")
    if place in PUBLISHED:
        judge = _published(place, _fetched(place))
    elif (path / CONFIG).is_file():
        judge = _own(path)
    else:
        file = _checkpoint(path)
        judge = _published(place, _unpickled(file))
    require_finite(place, judge.network)
    judge.train(False)
    return judge.to(device)


def _own(folder: Path) -> PaSSTJudge:
    """The judge of a folder that `save_pretrained` wrote."""
    place = str(folder)
    config = attempt("configuration", place, lambda: parsed(folder / CONFIG))
    if config.get("model_type") != KIND:
        raise _other(place, config.get("model_type"))
    require_modest(place, config)
    try:
        found = checked(_settings, {key: value for key, value in config.items() if key != "model_type"})
        shape = PaSSTShape(**checked(PaSSTShape, found["network"]))
        spectrum = PaSSTSpectrum(**checked(PaSSTSpectrum, found["spectrum"]))
    except ParameterError as error:
        raise ModelError(f"the configuration of {place}: {error.key} {error.problem}; save the model again") from None
    if spectrum.sr != PaSSTSpectrum.sr:
        raise ModelError(f"{place} hears {spectrum.sr} Hz; a PaSST hears {PaSSTSpectrum.sr} Hz: train it on those")
    judge = attempt("shape", place, lambda: PaSSTJudge(shape, spectrum, found["labels"], found["seconds"]))
    weights = attempt("weights", place, lambda: load_file(folder / WEIGHTS))
    judge = _with_weights(place, judge, {name: tensor.float() for name, tensor in weights.items()})
    # Positions, mel bins and seconds may not fit each other, which the network says when it first hears.
    attempt("shape", place, lambda: judge.eval()(torch.zeros(1, round(judge.seconds * judge.sample_rate))))
    return judge


def _settings(
    labels: tuple[str, ...],
    seconds: Annotated[float, Field(gt=0, le=10)],
    network: dict[str, Any],
    spectrum: dict[str, Any],
) -> None:
    """What a configuration holds."""


def _published(place: str, weights: Mapping[str, Any]) -> PaSSTJudge:
    """The judge of one of the authors' checkpoints, by its weights."""
    tensors = dict(weights.get("model", weights) if isinstance(weights, dict) else {})
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ModelError(f"{place} holds no weights alone; {_ADVICE}")
    shape = _shape_of(place, tensors)
    tensors["patch_embed.proj.weight"] = package().passt.adapt_input_conv(1, tensors["patch_embed.proj.weight"])
    return _with_weights(place, PaSSTJudge(shape, PaSSTSpectrum(), LABELS, seconds=10.0), tensors)


_ADVICE = f"take a checkpoint that hear21passt names: {PUBLISHED[0]}"


def _shape_of(place: str, weights: Mapping[str, Tensor]) -> PaSSTShape:
    """Shape of a published checkpoint; raises ModelError where the weights are none of a PaSST of 10 s."""
    names = ("cls_token", "freq_new_pos_embed", "time_new_pos_embed", "patch_embed.proj.weight", "head_dist.weight")
    absent = next((name for name in names if name not in weights), None)
    if absent is not None:
        raise ModelError(f"{place} holds no PaSST with two tokens: it has no {absent}; {_ADVICE}")
    width = weights["cls_token"].shape[-1]
    depth = len({match.group() for name in weights if (match := re.match(r"blocks\.\d+\.", name))})
    grid = (weights["freq_new_pos_embed"].shape[-2], weights["time_new_pos_embed"].shape[-1])
    for stride in range(1, PaSSTShape.patch_size + 1):
        shape = PaSSTShape(stride=(stride, stride), embed_dim=width, depth=depth, num_heads=max(1, width // HEAD_WIDTH))
        if shape.grid == grid:
            return shape
    raise ModelError(
        f"{place} has {grid[0]} x {grid[1]} positions, and a PaSST of {PaSSTShape.img_size[0]} mel bins and 10 s has "
        f"others; {_ADVICE}"
    )


def _with_weights(place: str, judge: PaSSTJudge, weights: Mapping[str, Tensor]) -> PaSSTJudge:
    """The judge with its weights; raises ModelError where they are of other classes or of another network."""
    head = weights.get("head.1.weight")
    if head is not None and len(head) != len(judge.labels):
        whose = "AudioSet" if judge.labels == LABELS else "its configuration"
        raise ModelError(f"the weights of {place} are of {len(head)} classes, and {whose} names {len(judge.labels)}")
    try:
        judge.network.load_state_dict(weights)
    except RuntimeError as error:
        reason = short(" ".join(str(error).split()[6:]))[:160]
        raise ModelError(f"the weights of {place} are not those of its network ({reason}); save it again") from error
    return judge


def _fetched(name: str) -> Any:
    """Weights of a published checkpoint, from where hear21passt names it, or as torch.hub has kept them."""
    url = package().passt.default_cfgs[name]["url"]
    try:
        return torch.hub.load_state_dict_from_url(url, map_location="cpu", progress=False, weights_only=True)
    except Exception as error:  # of the network, of the disk, of a file that was cut short
        raise ModelError(
            f"cannot fetch {url}: {one_line(error)[:160]}; name a folder that holds the file as its copy"
        ) from error


def _checkpoint(path: Path) -> Path:
    """The `.pt` file that a path is, or that lies in it alone; raises ModelError where there is none."""
    if path.is_file():
        return path
    if not path.is_dir():
        at(str(path), "main")
        raise ModelError(f"hear21passt names no checkpoint {str(path)!r}; {nearest(str(path), PUBLISHED, 'it names')}")
    files = sorted(path.glob("*.pt"))
    if len(files) != 1:
        raise ModelError(f"{path} holds neither a {CONFIG} nor one .pt file, but {len(files)}; name the file itself")
    return files[0]


def _unpickled(file: Path) -> Any:
    """Weights of a file; whatever else a pickle holds is refused before it runs."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # UnpicklingError, EOFError, RuntimeError, by what is wrong with the file
        reason = short(str(error).splitlines()[0] if str(error) else type(error).__name__)[:120]
        raise ModelError(f"{file} cannot be read as weights alone ({reason}); {_ADVICE}") from error


def _other(place: str, kind: Any) -> ModelError:
    own = FAMILIES.get(str(kind))
    advice = f"name the adapter {own[0]}" if own else _ADVICE
    return ModelError(f"{place} is {named(kind)} model, not a {KIND} one; {advice}")


def _quietly(listen: Any, audio: Tensor) -> Any:
    """What a module makes of audio, without warnings of spectra of other lengths and of what torch will change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return listen(audio)
