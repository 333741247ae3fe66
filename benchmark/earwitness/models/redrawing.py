"""A model's layers, and their parameters drawn anew: what is left of an explanation once what was learnt is gone.

Published: Adebayo et al., Sanity Checks for Saliency Maps, arXiv 1810.03292 (cascading randomisation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from earwitness.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn


def layers(module: nn.Module, run: Callable[[], object]) -> list[str]:
    """Names of the submodules that hold parameters of their own, from the output back, as `run` calls them.

    One that is not called itself (the output layer inside an attention, say) stands where what it lies in is called;
    one of which nothing is called is left out, for it has no part in what `run` computes.
    """
    called: dict[str, int] = {}

    def noting(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda *_: called.update({name: called.get(name, len(called))})

    named = dict(module.named_modules())
    hooks = [each.register_forward_pre_hook(noting(name)) for name, each in named.items()]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    places = {name: _place(name, called) for name, each in named.items() if any(True for _ in each.parameters(False))}
    order = {name: number for number, name in enumerate(named)}
    found = [(place, order[name], name) for name, place in places.items() if place is not None]
    return [name for _, _, name in sorted(found, reverse=True)]


def _place(name: str, called: dict[str, int]) -> int | None:
    """When a module, or the nearest that it lies in, is called first; None where none of them is."""
    while name not in called:
        if not name:
            return None
        name = name.rpartition(".")[0]
    return called[name]


@torch.no_grad()
def redraw(module: nn.Module, names: Iterable[str], seed: int) -> None:
    """Draw the parameters of some submodules anew, in place: the same seed and name, the same values.

    A module of torch's draws them as it does when it is made (`reset_parameters`). What that leaves as it was, and the
    parameters of other modules, are drawn from a normal distribution with the mean and the deviation that they have.
    """
    for name in names:
        own = module.get_submodule(name)
        before = {key: parameter.clone() for key, parameter in own.named_parameters(recurse=False)}
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, name))
            reset: Any = getattr(own, "reset_parameters", None)
            if callable(reset):
                reset()
            for key, parameter in own.named_parameters(recurse=False):
                if torch.equal(parameter, before[key]):
                    parameter.copy_(_alike(parameter))


def _alike(values: Tensor) -> Tensor:
    """Normal draws with the mean and the deviation of some values."""
    return torch.randn_like(values) * values.std(unbiased=False) + values.mean()
