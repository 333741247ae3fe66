"""A task whose model computes in another dtype than its card's: a variant, whose rows meet none of the card's model."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from earwitness import plugins
from earwitness.errors import EarwitnessError, shortened
from earwitness.task import OwnModel

if TYPE_CHECKING:
    from earwitness.task import Task

T = TypeVar("T", bound="Task")
DEFAULT = "float32"
DTYPES = (DEFAULT, "bfloat16")
"""What weights and activations of a model may be held in."""
PARAMETER = "dtype"
"""What adapters that can be asked for another take it by."""
CODEC = "what is explained are its latents themselves, and Fourier transforms of torch know no bfloat16"
DIFFUSION = "schedule, spectrograms and vocoder compute in it, and the denoiser is not cast apart from them"
WHY = {
    **dict.fromkeys(("encodec", "oobleck", "wavtokenizer", "audioldm2_latents"), CODEC),
    **dict.fromkeys(("audioldm2", "stable_audio"), DIFFUSION),
}
"""Why an adapter computes in float32 alone."""


@dataclass(frozen=True)
class CastModel(OwnModel):
    """A task's model in another dtype than its card says."""

    of: OwnModel | None = None
    """The model in place of the card's that it is; None where it is the card's."""


def require_known(dtype: str) -> None:
    """Raise EarwitnessError where no dtype of that name can be asked for."""
    if dtype not in DTYPES:
        raise EarwitnessError(f"no dtype is called {shortened(dtype)!r}; dtypes: {', '.join(DTYPES)}")


def dtype_of(task: Task) -> str:
    """What the task's model computes in."""
    return str(task.card.model.parameters.get(PARAMETER, DEFAULT))


def in_dtype(task: T, dtype: str) -> T:
    """A variant of the task whose model computes in a dtype; the task itself where its model does so anyway.

    Truth that is stored with the task is that of its own model, and is not read. Raises EarwitnessError where the
    model's adapter computes in one alone.
    """
    require_known(dtype)
    if dtype == dtype_of(task):
        return task
    name = task.card.model.adapter
    if task.own_model is not None and task.own_model.loaded is not None:
        raise EarwitnessError(f"the model of {task.id} is in memory: cast it, and leave dtype out")
    if PARAMETER not in inspect.signature(plugins.adapter("models", name).entry).parameters:
        why = f": {WHY[name]}" if name in WHY else ", and takes no dtype"
        raise EarwitnessError(f"task {task.id}: its adapter {name} computes in {DEFAULT} alone{why}; leave --dtype out")
    parameters = {**task.card.model.parameters, PARAMETER: dtype}
    model = task.card.model.model_copy(update={"parameters": parameters})
    own = task.own_model
    identity = f"{'the card' if own is None else own.identity}{_in(dtype)}"
    found = copy.copy(task)
    found.card = task.card.model_copy(update={"model": model})
    found.own_model = CastModel(f"{task.model_name}{_in(dtype)}", identity, of=own)
    return found


def before_cast(task: Task) -> dict[str, str | None] | None:
    """What the model of a task is without its dtype, as recipes have it: name, and identity where it is not the card's.

    None where it was not cast.
    """
    own = task.own_model
    if not isinstance(own, CastModel):
        return None
    return {"model": own.name.removesuffix(_in(dtype_of(task))), "own_model": own.of.identity if own.of else None}


def _in(dtype: str) -> str:
    return f" in {dtype}"
