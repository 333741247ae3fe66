"""How a MusicGen's codes are drawn from logits: as a card says, else as the folder does, else as transformers would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError, short
from earwitness.models.card_parameters import Guidance, Temperature, TopK
from earwitness.parameters import ParameterError, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = {"guidance": "guidance_scale", "temperature": "temperature", "top_k": "top_k"}
"""Names of these parameters in a generation_config.json."""
DEFAULTS = {"guidance": 1.0, "temperature": 1.0, "top_k": 50}
"""Of transformers' generation, where neither card nor folder says one."""
SHAPING = {
    "bad_words_ids": None,
    "begin_suppress_tokens": None,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "exponential_decay_length_penalty": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "no_repeat_ngram_size": 0,
    "num_beams": 1,
    "penalty_alpha": None,
    "repetition_penalty": 1.0,
    "sequence_bias": None,
    "suppress_tokens": None,
    "watermarking_config": None,
}
DRAWING = {"epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "min_p": 0.0, "top_h": None, "top_p": 1.0, "typical_p": 1.0}
"""Settings that transformers would obey and this adapter does not, with the values that change nothing; those of
DRAWING count only where codes are drawn."""


@dataclass(frozen=True)
class Sampling:
    """How codes are drawn from logits."""

    guidance: Guidance = 1.0
    temperature: Temperature = 1.0
    """At 0 the likeliest code is taken: no noise is drawn, and the seed does not matter."""
    top_k: TopK = 0


def chosen_sampling(source: str, settings: Any, given: Mapping[str, Any]) -> Sampling:
    """A card's parameters, and for those that are None the folder's settings.

    Raises ModelError where a setting that is read is no such value, or one is asked for that nothing here obeys.
    """
    own = {name: getattr(settings, key, None) for name, key in OWN.items()}
    still = getattr(settings, "do_sample", None)
    if still not in (None, True, False):
        raise _odd(source, "do_sample", f"must be true or false, not {short(repr(still))[:80]}")
    if still is False:
        own["temperature"] = 0.0
    asked = {name: own[name] for name in OWN if given.get(name) is None and own[name] is not None}
    try:
        taken = checked(Sampling, asked)
    except ParameterError as error:
        raise _odd(source, OWN[error.key], error.problem) from None
    said = {name: value for name, value in given.items() if value is not None}
    sampling = Sampling(**(DEFAULTS | taken | said))
    _require_plain(source, settings, SHAPING | (DRAWING if sampling.temperature else {}))
    return sampling


def _require_plain(source: str, settings: Any, plain: Mapping[str, Any]) -> None:
    for key, neutral in plain.items():
        value = getattr(settings, key, None)
        if value is not None and value != neutral:
            raise _odd(source, key, f"= {short(repr(value))[:80]} is nothing that this adapter does; take it out")


def _odd(source: str, key: str, problem: str) -> ModelError:
    return ModelError(f"the generation settings of {source} (generation_config.json): {key} {problem}")
