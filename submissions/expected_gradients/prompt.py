"""Expected gradients on the text's states (arXiv 1906.10670)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.likelihood_gradients import likelihood_gradients
from earwitness.explaining.token_maps import Average, averaged, positive_map
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class ExpectedGradients(PromptExplainer):
    """Integrated gradients from many references, not one: each of as many of the prompt's own tokens, drawn evenly."""

    samples: Annotated[int, Field(ge=1)] = 200
    """Draws of a reference and of a place on the way from it."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: Annotated[int, Field(ge=1)] = 25
    """Points a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map of one item."""
        states = model.encode([item.prompt]).states[0].detach()
        references, places = self.draw(item, states)
        way = states - references
        found = likelihood_gradients(model, item, references + places[:, None, None] * way, self.batch)
        attributions = (found.gradients * way).sum(-1).mean(1).double().cpu().numpy()
        scores = np.where(item.special, 0.0, found.rows(attributions)[:, : len(item.tokens)])
        return positive_map(averaged(scores, item, self.average))

    def draw(self, item: PromptItem, states: Tensor) -> tuple[Tensor, Tensor]:
        """References [P, N, D] and places [P] in [0, 1] on the way from each to the states [N, D].

        Each word's token has the state of one of the prompt's words' tokens, drawn evenly, in its place.
        """
        rng = np.random.default_rng(item.explainer_seed)
        words = np.flatnonzero(~item.special)
        source = np.tile(np.arange(len(states)), (self.samples, 1))
        if len(words):
            source[:, words] = rng.choice(words, (self.samples, len(words)))
        places = torch.as_tensor(rng.random(self.samples), dtype=states.dtype, device=states.device)
        return states[torch.as_tensor(source, device=states.device)], places
