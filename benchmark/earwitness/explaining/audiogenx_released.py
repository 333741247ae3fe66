"""AudioGenX as its authors' code trains it (github.com/hjkng/audiogenX, 3881f1e), to compare the causal pass with."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, gumbel_softmax

from earwitness.explaining.attention_layout import projected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from earwitness.tracks.prompt import PromptItem, PromptModel


@dataclass(frozen=True)
class MaskTraining:
    """How networks are trained, by the names of `AudioGenX`'s parameters."""

    epochs: int
    lr: float
    weight_decay: float
    temperature: float
    width: int
    size: float
    norm: float


class LossTerms(NamedTuple):
    """The four terms of the objective, each a number: the last two without their coefficients."""

    factual: Tensor
    """- sum_t cos(u[t], uF[t])."""
    counterfactual: Tensor
    """sum_t cos(u[t], uCF[t])."""
    size: Tensor
    """sum |P|."""
    norm: Tensor
    """||P||_2."""


class SingleSteps:
    """One prompt's T = F + K - 1 decoding steps, each a sequence of length 1 at position 0, under masks of all tokens.

    White box, for a decoder in the layout of transformers' MusicGen. Special tokens are tokens like any other.
    """

    def __init__(self, model: PromptModel, item: PromptItem) -> None:
        """Encode the prompt, lay out the delay pattern, and run the unmasked pass with its history once."""
        module: Any = model.module
        self._model = model
        codes = torch.as_tensor(item.codes, device=model.device)
        codebooks, frames = codes.shape
        steps = frames + codebooks - 1
        self.states: Tensor = model.encode([item.prompt]).states[0]
        """[N, D], those of special tokens among them."""
        self.columns = codes.new_full((steps, codebooks), module.config.decoder.pad_token_id)
        """[T, K] codes that each step reads."""
        for k in range(codebooks):
            self.columns[k + 1 : k + 1 + frames, k] = codes[k, : steps - k - 1]
        with torch.no_grad():
            self.original = self._run(self.columns.T, self.states[None])[0]
            """[T, D] final hidden states u of the unmasked conditional branch."""

    def hidden(self, mask: Tensor) -> Tensor:
        """Final hidden states [T, D] under mask [T, N]; the unconditional half runs along, unused."""
        states = self.states.expand(len(mask), -1, -1)
        with scaled_cross_attention(self._model.module, mask):
            both = self._run(self.columns.repeat(2, 1).reshape(-1, 1), torch.cat([states, torch.zeros_like(states)]))
        return both[: len(mask), 0]

    def terms(self, weights: Tensor, mask: Tensor) -> LossTerms:
        """The objective's terms of weights P [T, N] and a relaxed sample M [T, N] of them."""
        kept, lost = (
            cosine_similarity(self.original, self.hidden(each), dim=-1, eps=1e-6).sum() for each in (mask, 1 - mask)
        )
        return LossTerms(-kept, lost, weights.abs().sum(), torch.linalg.vector_norm(weights))

    def _run(self, ids: Tensor, states: Tensor) -> Tensor:
        """Final hidden states [R, S, D] of ids [R K, S] that attend to states [R, N, D]."""
        found: Tensor = self._model.metered(
            input_ids=ids, encoder_hidden_states=states, use_cache=False
        ).last_hidden_state
        return found


def released_mask(model: PromptModel, item: PromptItem, training: MaskTraining) -> Tensor:
    """A relaxed sample [T, N] of the trained weights: noise to the end, a module for every step, all from one seed."""
    steps = SingleSteps(model, item)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(item.explainer_seed)
        sizes = (steps.states.shape[-1], training.width)
        networks = nn.ModuleList(
            nn.Sequential(nn.Linear(*sizes), nn.PReLU(), nn.Linear(training.width, 1), nn.Sigmoid())
            for _ in steps.columns
        ).to(model.device)
        optimiser = torch.optim.Adam(networks.parameters(), lr=training.lr, weight_decay=training.weight_decay)
        for _ in range(training.epochs):
            terms = steps.terms(*sampled(networks, steps.states, training.temperature))
            loss = terms.factual + terms.counterfactual + training.size * terms.size + training.norm * terms.norm
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        with torch.no_grad():
            return sampled(networks, steps.states, training.temperature)[1]


def sampled(networks: nn.ModuleList, states: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Weights P [T, N] of states [N, D], network by network, and one relaxed sample of them."""
    weights = [network(states)[:, 0] for network in networks]
    samples = [
        gumbel_softmax(torch.log(torch.stack([1 - weight, weight], dim=-1) + 1e-9), tau=temperature)[:, 1]
        for weight in weights
    ]
    return torch.stack(weights), torch.stack(samples)


@contextmanager
def scaled_cross_attention(module: nn.Module, mask: Tensor) -> Iterator[None]:
    """Within it, cross-attention of the first T rows of a pass of single steps is multiplied by mask [T, N]."""
    rows = torch.cat([mask, torch.ones_like(mask)])[:, None, None]

    def bind(attention: Any) -> Any:
        def forward(hidden_states: Tensor, key_value_states: Tensor, **_: Any) -> tuple[Tensor, None]:
            query, key, value = projected(attention, hidden_states, key_value_states)
            weights = (query @ key.transpose(2, 3) * attention.scaling).softmax(-1) * rows
            return attention.out_proj((weights @ value).transpose(1, 2).flatten(2)), None

        return forward

    layers: list[Any] = [part for name, part in module.named_modules() if name.endswith(".encoder_attn")]
    for layer in layers:
        layer.forward = bind(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
