"""Earwitness: does the explanation say what the model actually heard?

    import earwitness

    mine = earwitness.evaluate(MyExplainer(), "micro_prompt", items=20)
    others = earwitness.evaluate("random", "micro_prompt", items=20)
    (mine + others).compare("my_explainer", "random")

Names are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from earwitness.version import VERSION

if TYPE_CHECKING:
    from earwitness.api.evaluation import evaluate, load_model, load_submission, load_task, read_results
    from earwitness.api.results import Results

__version__ = VERSION
__all__ = ["Results", "__version__", "evaluate", "load_model", "load_submission", "load_task", "read_results"]

_MODULES = dict.fromkeys(__all__, "earwitness.api.evaluation") | {"Results": "earwitness.api.results"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
