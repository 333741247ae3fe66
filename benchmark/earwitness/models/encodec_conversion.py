"""EnCodec as audiocraft saves it, as transformers' EncodecModel: configuration and weights."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError, short
from earwitness.models.audiogen_files import require_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from earwitness.models.audiogen_files import Saved, SavedSettings

SAME = {
    "dimension": "hidden_size",
    "n_filters": "num_filters",
    "n_residual_layers": "num_residual_layers",
    "kernel_size": "kernel_size",
    "last_kernel_size": "last_kernel_size",
    "residual_kernel_size": "residual_kernel_size",
    "dilation_base": "dilation_growth_rate",
    "compress": "compress",
    "lstm": "num_lstm_layers",
}
"""Numbers of `seanet` and their names in an EncodecConfig."""
ALIKE = {
    "encodec.autoencoder": "seanet",
    "encodec.quantizer": "rvq",
    "encodec.renormalize": False,
    "seanet.activation": "ELU",
    "seanet.activation_params.alpha": 1.0,
    "seanet.disable_norm_outer_blocks": 0,
    "seanet.decoder.final_activation": None,
}
"""The only values of these keys that transformers' EncodecModel computes, or that a language model's codec has."""
OVERRIDES: dict[str, tuple[str, ...]] = {
    "encoder": (),
    "decoder": ("final_activation", "final_activation_params", "trim_right_ratio"),
}
"""What one half alone may set."""
NORMS = ("weight_norm", "time_group_norm")
CONVOLUTION = re.compile(r"^(encoder|decoder)\.layers\.(\d+(?:\.\w+)*?)\.(conv|norm)\.(.+)$")
WEIGHT_NORM = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
"""Of torch's weight norm, today's names and those of the one that audiocraft uses."""


def converted_codec(saved: Saved) -> tuple[Any, dict[str, Tensor]]:
    """EncodecConfig and weights, by EncodecModel's names, of an EnCodec of audiocraft.

    Raises ModelError where it computes what EncodecModel does not, or where its weights lack a tensor or have one more.
    """
    import torch
    from transformers import EncodecModel
    from transformers.models.encodec.modeling_encodec import EncodecConvTranspose1d

    config = _config(saved.settings)
    with torch.device("meta"):
        empty = EncodecModel(config)
    transposed = {name for name, module in empty.named_modules() if isinstance(module, EncodecConvTranspose1d)}
    wanted = empty.state_dict()
    names = {name: _former(name, transposed) for name in wanted}
    require_tensors(saved.settings.place, saved.weights, {former: wanted[name] for name, former in names.items()})
    return config, {name: saved.weights[former] for name, former in names.items()}


def _config(settings: SavedSettings) -> Any:
    from transformers import EncodecConfig

    kind = settings.need("compression_model", str)
    if kind != "encodec":
        raise ModelError(f"{settings.place} is a {short(kind)[:80]} codec, of which transformers has no EncodecModel")
    for key, wanted in ALIKE.items():
        value = settings.get(key, wanted)
        if value != wanted:
            raise _other(settings, key, value, wanted)
    for half, allowed in OVERRIDES.items():
        beyond = sorted(set(settings.get(f"seanet.{half}", {})) - set(allowed))
        if beyond:
            raise _other(settings, f"seanet.{half}.{beyond[0]}", settings.get(f"seanet.{half}.{beyond[0]}"), "unset")
    sizes: dict[str, Any] = {name: settings.size(f"seanet.{key}") for key, name in SAME.items()}
    ratios = settings.need("seanet.ratios", list)
    rate = settings.size("encodec.sample_rate")
    if not ratios or not all(isinstance(each, int) and each > 0 for each in ratios) or rate % math.prod(ratios):
        raise settings.odd(f"seanet.ratios = {short(repr(ratios))[:80]} do not divide {rate} Hz into frames")
    norm = settings.need("seanet.norm", str)
    if norm not in NORMS:
        raise _other(settings, "seanet.norm", norm, " or ".join(NORMS))
    codes = settings.size("rvq.bins")
    if codes & (codes - 1):
        raise _other(settings, "rvq.bins", codes, "a power of 2")
    frames, quantisers = rate // math.prod(ratios), settings.size("rvq.n_q")
    config: Any = EncodecConfig(
        target_bandwidths=[_bandwidth(quantisers * frames * (codes.bit_length() - 1))],
        sampling_rate=rate,
        audio_channels=settings.size("encodec.channels"),
        upsampling_ratios=ratios,
        norm_type=norm,
        use_causal_conv=settings.get("seanet.causal", False),
        pad_mode=settings.need("seanet.pad_mode", str),
        trim_right_ratio=float(settings.get("seanet.decoder.trim_right_ratio", 1.0)),
        codebook_size=codes,
        codebook_dim=sizes["hidden_size"],
        use_conv_shortcut=not settings.need("seanet.true_skip", bool),
        **sizes,
    )
    assert config.num_quantizers == quantisers
    return config


def _bandwidth(bits: int) -> float:
    """Thousand bits a second such that a thousand of them are no fewer bits than there are, whatever rounding does."""
    bandwidth = bits / 1000
    return bandwidth if 1000 * bandwidth >= bits else math.nextafter(bandwidth, math.inf)


def _other(settings: SavedSettings, key: str, value: Any, wanted: Any) -> ModelError:
    return ModelError(
        f"the configuration (xp.cfg) of {settings.place} has {key} = {short(repr(value))[:80]}, which transformers has "
        f"no model for (it has {wanted}); read it through audiocraft, by the adapter audiogen"
    )


def _former(name: str, transposed: set[str]) -> str:
    """What audiocraft calls a tensor of EncodecModel; `transposed` are the names of its transposed convolutions."""
    found = CONVOLUTION.match(name)
    if found is None:
        name = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
        return re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
    half, place, kind, tensor = found.groups()
    # There a convolution lies one deeper, beside the norm that it may have.
    outer = "convtr" if f"{half}.layers.{place}" in transposed else "conv"
    inner = outer if kind == "conv" else "norm"
    return f"{half}.model.{place}.{outer}.{inner}.{WEIGHT_NORM.get(tensor, tensor)}"
