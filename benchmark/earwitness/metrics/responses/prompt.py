"""Responses of the prompt track: what judges and the model answer to masked prompts, and what is known of the words.

Letters of shapes as in `tracks.prompt`; `C` is the judge's classes, `W` the prompt's words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from earwitness.metrics import Response
from earwitness.tracks.prompt import Removal

SOFT = "soft"


def share(name: str) -> float | None:
    """Share of the text's tokens that a mask keeps: 0.3 for `top30`, None for `soft`; raises ValueError.

    >>> share("top30"), share("soft")
    (0.3, None)
    """
    if name == SOFT:
        return None
    found = re.fullmatch(r"top(\d{1,3})", name, re.ASCII)
    if not found or not 0 < int(found[1]) <= 100:
        raise ValueError(f"no mask is called {name!r}; masks: soft, top1 ... top100")
    return int(found[1]) / 100


def _known(name: str) -> str:
    share(name)
    return name


Mask = Annotated[str, AfterValidator(_known)]
"""`soft`, the weights themselves; or `top30`, the 30 % of the text's tokens with the largest weights of each frame."""


@dataclass(frozen=True)
class PromptResponse(Response):
    """A response of the prompt track."""

    track: ClassVar[str] = "prompt"


@dataclass(frozen=True)
class Masked(PromptResponse):
    """An answer to the prompt under a mask that is made of the explanation."""

    removed: ClassVar[bool]
    """Whether the explanation's words are removed rather than kept."""
    mask: Mask = SOFT
    removal: Removal = Removal.SCALE


@dataclass(frozen=True)
class Sound(Masked):
    """A judge's answers to a sound that is generated under a mask."""

    repeated: ClassVar[bool] = True
    judge: str = ""


@dataclass(frozen=True)
class KeptSound(Sound):
    """The judge's softmax [C] on the original, and on the sound generated from the explanation's words alone."""

    removed: ClassVar[bool] = False


@dataclass(frozen=True)
class RemovedSound(Sound):
    """The judge's softmax [C] on the original, and on the sound generated without the explanation's words."""

    removed: ClassVar[bool] = True


@dataclass(frozen=True)
class FreshSound(PromptResponse):
    """The judge's softmax [C] on the original, and on an unmasked regeneration under fresh noise."""

    repeated: ClassVar[bool] = True
    judge: str = ""


@dataclass(frozen=True)
class Logits(Masked):
    """The model's own logits under a mask, teacher-forced on the original codes."""


@dataclass(frozen=True)
class KeptLogits(Logits):
    """Logits [K, F, V] that are sampled from on the original codes, and with the explanation's words alone."""

    removed: ClassVar[bool] = False


@dataclass(frozen=True)
class RemovedLogits(Logits):
    """Logits [K, F, V] that are sampled from on the original codes, and without the explanation's words."""

    removed: ClassVar[bool] = True


@dataclass(frozen=True)
class TokenWeights(PromptResponse):
    """The weights [F, N'] of the text's tokens."""


@dataclass(frozen=True)
class WordRoles(PromptResponse):
    """The words' ranks [W] by the explanation, and which words [W] made the sound by the dataset's truth."""

    roles: Literal["class", "causal"] = "class"
    """`class` words alone, or those of every role that acts on the sound and is certified."""


@dataclass(frozen=True)
class WordIntervals(PromptResponse):
    """Class words' weights [F, W] in the frames asked for, when each event sounds [W, 2], and frame times [F], in s."""


@dataclass(frozen=True)
class WordShapley(PromptResponse):
    """The words' ranks [W] by the explanation, and their exact Shapley values [W] in nats."""


@dataclass(frozen=True)
class NullWords(PromptResponse):
    """The explanation's mass on each word [W], and which words [W] are certified to do nothing."""
