"""What the contracts of several tracks ask alike of tensors, tokens and sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

Size = int | None
"""Of an axis; None takes any."""


def wrong_shape(what: str, tensor: Any, shape: Sequence[Size], letters: str) -> Iterator[str]:
    """Whether something is no tensor of that shape, or not finite; `letters` writes the shape: [B, K, F]."""
    if not isinstance(tensor, torch.Tensor):
        yield f"{what} is {type(tensor).__name__} and must be a tensor {letters}"
        return
    found = list(tensor.shape)
    if len(found) != len(shape) or any(size not in (None, at) for size, at in zip(shape, found, strict=True)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        yield f"{what} must be {letters} = [{wanted}]; found {found}"
    elif tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        yield f"{what} holds NaN or infinite values"


def wrong_tokens(model: Any, prompts: list[str]) -> Iterator[str]:
    """What is wrong with how a model splits prompts into tokens and words."""
    tokens, special, words = model.tokens(prompts), model.special(prompts), model.words(prompts)
    for what, answer in (("tokens", tokens), ("special", special), ("words", words)):
        if len(answer) != len(prompts):
            yield f"{what} must answer each of {len(prompts)} prompts; found {len(answer)} answers"
            return
    for prompt, texts, no_text, word in zip(prompts, tokens, special, words, strict=True):
        if not len(texts) == len(no_text) == len(word):
            yield (
                f"tokens, special and words must be of one length; found {len(texts)}, {len(no_text)} and {len(word)} "
                f"for {prompt!r}"
            )
            continue
        if (np.asarray(word) < 0).tolist() != np.asarray(no_text).astype(bool).tolist():
            yield f"words must be -1 where special is true and nowhere else, for {prompt!r}"
        count = len(prompt.split())
        if set(np.asarray(word)[np.asarray(word) >= 0].tolist()) != set(range(count)):
            yield f"words must number the {count} words of {prompt!r} from 0; found {np.asarray(word).tolist()}"


def wrong_encoding(model: Any, prompts: list[str], text: Any) -> Iterator[str]:
    """What is wrong with encoded prompts."""
    longest = max(map(len, model.tokens(prompts)))
    yield from wrong_shape("states of encode", text.states, (len(prompts), longest, None), "[B, N, D]")
    yield from wrong_shape("mask of encode", text.mask, (len(prompts), longest), "[B, N]")
    if isinstance(text.mask, torch.Tensor) and text.mask.dtype != torch.bool:
        yield f"mask of encode must be bool; found {text.mask.dtype}"


def differs(what: str, first: Tensor, second: Tensor, advice: str) -> Iterator[str]:
    """Whether what must be the same twice is not."""
    if first.shape != second.shape or not torch.equal(first, second):
        yield f"{what} differs the second time; {advice}"


def no_gradient(what: str, value: Callable[[Tensor], Tensor], at: Tensor) -> Iterator[str]:
    """Whether a value that is documented as differentiable in a tensor is not."""
    leaf = at.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        answer = value(leaf)
        if not answer.requires_grad:
            yield f"{what}: no gradient comes back; it is computed without a graph (no_grad, detach or numpy inside)"
            return
        (gradient,) = torch.autograd.grad(answer.float().square().sum(), leaf, allow_unused=True)
    if gradient is None or not bool(torch.isfinite(gradient).all()):
        yield f"{what}: the gradient is {'missing' if gradient is None else 'not finite'}"


def wrong_sound(what: str, audio: Any, axes: int, letters: str) -> Iterator[str]:
    """Whether something is no sound: floats of so many axes, finite and in [-1, 1]."""
    array: NDArray[Any] = np.asarray(audio)
    if array.ndim != axes or array.dtype.kind != "f" or not array.size:
        yield f"{what} must be floats {letters}, not empty; found {array.dtype} {list(array.shape)}"
    elif not np.isfinite(array).all():
        yield f"{what} holds {int((~np.isfinite(array)).sum())} NaN or infinite values"
    elif np.abs(array).max() > 1 + 1e-6:
        yield f"{what} must lie in [-1, 1]; found {float(array.min()):.3g} to {float(array.max()):.3g}"


def wrong_fields(record: Any, texts: Collection[str]) -> Iterator[str]:
    """Fields of a record that must be texts, and are none or empty."""
    for name in texts:
        value = getattr(record, name, None)
        if not isinstance(value, str) or not value.strip():
            yield f"{name} of a record must be a text that is not empty; found {value!r}"
