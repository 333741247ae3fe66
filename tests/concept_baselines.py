"""The checkout's submissions of the concept track, and items of a fake model to fit them on."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from concept_fakes import FakeConceptModel, fake_item, planted
from earwitness.submission import load_explainer, read_submission

if TYPE_CHECKING:
    from concept_fakes import Planted
    from earwitness.tracks.concept import ConceptItem

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
CONCEPT_IDS = sorted(
    path.parent.name
    for path in SUBMISSIONS.glob("*/submission.toml")
    if "concept" in read_submission(path.parent).card.explainers
)


def concept_baseline(name: str, **parameters: Any) -> Any:
    """A submission's explainer, with some of its parameters replaced; only those that it has."""
    torch.set_num_threads(1)
    explainer = load_explainer(read_submission(SUBMISSIONS / name), "concept")
    own = vars(explainer)
    return type(explainer)(**{**own, **{key: value for key, value in parameters.items() if key in own}})


@cache
def concept_world(width: int = 16, clips: int = 60) -> tuple[Planted, ConceptItem]:
    """Planted latents, and the item of the fake model that they are."""
    given = planted(width, clips)
    return given, fake_item(FakeConceptModel(width), given)
