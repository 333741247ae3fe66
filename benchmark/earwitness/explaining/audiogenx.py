"""AudioGenX: masks that keep the sound and whose complement loses it (arXiv 2502.00459)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import cosine_similarity, prelu

from earwitness.explaining.audiogenx_released import MaskTraining, released_mask
from earwitness.explaining.token_maps import Average, averaged
from earwitness.tracks.prompt import Encoded, PromptExplainer, PromptItem, PromptModel, Removal, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class PromptBatch(NamedTuple):
    """Items ready to be explained."""

    text: Encoded
    codes: Tensor
    """[B, K, F] codes of the sounds."""
    original: Tensor
    """[B, F, D] final hidden states u of the unmasked conditional branch."""
    explained: Tensor
    """[B, 1, N] 1 on the tokens that take part in both masks, 0 on padding and, where they are out, special tokens."""


class FrameNetworks:
    """The networks D -> H -> PReLU -> 1 of all frames of a batch of prompts; the first layers are one product a prompt.

    The first layers hold nearly all parameters: their gradient is written into one buffer, since a fresh tensor of
    that size every epoch costs more than the product itself.
    """

    def __init__(self, first: Tensor, rest: Sequence[Tensor]) -> None:
        """`first` is [B, F H, D]; `rest` first bias [B F, H, 1], second layer [B F, 1, H], second bias [B F, 1]."""
        self.first = first.requires_grad_()
        self.first.grad = torch.zeros_like(first)
        self.rest = [tensor.requires_grad_() for tensor in (*rest, first.new_full((len(rest[0]),), 0.25))]

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [self.first, *self.rest]

    def logits(self, states: Tensor) -> Tensor:
        """Logits [B, F, N] for states [B, N, D]."""
        bias, second, second_bias, slope = self.rest
        with torch.no_grad():
            product = torch.bmm(self.first, states.transpose(1, 2))
        if torch.is_grad_enabled():
            product.requires_grad_()
            product.register_hook(lambda gradient: self._take(gradient, states))  # type: ignore[no-untyped-call]
        hidden = product.view(len(bias), -1, states.shape[1]) + bias
        active = prelu(hidden.flatten(1)[None], slope).view_as(hidden)
        return (torch.bmm(second, active)[:, 0] + second_bias).view(len(states), -1, states.shape[1])

    def forget(self) -> None:
        """Drop gradients; the first layers' buffer is overwritten by the next backward pass."""
        for tensor in self.rest:
            tensor.grad = None

    def _take(self, gradient: Tensor, states: Tensor) -> None:
        torch.bmm(gradient, states, out=self.first.grad)


@dataclass
class AudioGenX(PromptExplainer):
    """A small network for every frame, trained on one prompt, gives each token its weight in the frame."""

    procedure: str = "causal"
    """causal: one teacher-forced pass with row-wise masks; released: as the authors' code does, for comparison."""
    special: bool = True
    """Whether special tokens (`</s>`) take part in both masks and in the penalties, as they do in the authors' code;
    otherwise they are out. Their weights are not in the map. Released: they always do."""
    average: Average = "asked"
    """Frames that rows of P are averaged over, for a map [N]: `asked` (the paper's interval-focused importance, or its
    holistic one where an item asks for the whole sound), `all`, or `none` for a map with all rows."""
    epochs: Annotated[int, Field(ge=1)] = 50
    lr: float = 1e-3
    """Adam's step."""
    weight_decay: float = 1e-3
    temperature: float = 1.0
    """Of the binary concrete relaxation."""
    width: int = 512
    """Hidden units of each network."""
    size: float = 1e-3
    """Coefficient of sum |P|."""
    norm: float = 0.1
    """Coefficient of ||P||_2."""
    removal: str = "scale"
    """How tokens are removed: a value of `Removal`."""
    batch: int = 8
    """Prompts a pass."""

    def __post_init__(self) -> None:
        if self.procedure not in {"causal", "released"}:
            raise ValueError(f"procedure must be causal or released; found {self.procedure!r}")

    @property
    def training(self) -> MaskTraining:
        """How the networks are trained."""
        return MaskTraining(self.epochs, self.lr, self.weight_decay, self.temperature, self.width, self.size, self.norm)

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items, in their order."""
        if self.procedure == "released":
            return [self._released(model, item) for item in items]
        maps: list[TokenMap] = []
        for start in range(0, len(items), self.batch):
            maps += self._causal(model, items[start : start + self.batch])
        return maps

    def objectives(self, model: PromptModel, items: Sequence[PromptItem], masks: Sequence[np.ndarray]) -> np.ndarray:
        """The published objective [B] (lower is better) of any masks [F, N] in [0, 1], causal and without noise.

        Special tokens are out: maps give them no weight.
        """
        batch = prepare(model, items, special=False)
        padded = np.zeros((len(items), batch.codes.shape[-1], batch.explained.shape[-1]), dtype=np.float32)
        for row, mask in zip(padded, masks, strict=True):
            row[:, : mask.shape[-1]] = mask
        with torch.no_grad():
            given = torch.as_tensor(padded, device=model.device)
            return self._losses(model, batch, given, given).double().cpu().numpy()

    def _causal(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        batch = prepare(model, items, self.special)
        networks, noise = self._draw(batch, items)
        optimiser = torch.optim.Adam(networks.parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True)
        for epoch in range(self.epochs):
            logits = networks.logits(batch.text.states)
            mask = ((logits + noise[:, epoch]) / self.temperature).sigmoid()
            torch.autograd.backward(self._losses(model, batch, mask, logits.sigmoid()).sum())
            optimiser.step()
            networks.forget()
        with torch.no_grad():
            found = networks.logits(batch.text.states)
        rows = [logits[:, : len(item.tokens)] for logits, item in zip(found, items, strict=True)]
        return [self._to_map(row.sigmoid(), row, item) for row, item in zip(rows, items, strict=True)]

    def _losses(self, model: PromptModel, batch: PromptBatch, mask: Tensor, weights: Tensor) -> Tensor:
        """Objective [B] of masks M [B, F, N] with penalties on weights P [B, F, N], as the submission's page has it."""
        both = torch.cat([mask * batch.explained, (1 - mask) * batch.explained])
        text = Encoded(torch.cat([batch.text.states] * 2), torch.cat([batch.text.mask] * 2))
        hidden = model.hidden(torch.cat([batch.codes] * 2), text, both, Removal(self.removal))
        factual, counterfactual = hidden.chunk(2)
        kept = cosine_similarity(batch.original, factual, dim=-1).sum(1)
        lost = cosine_similarity(batch.original, counterfactual, dim=-1).sum(1)
        explained = (weights * batch.explained).flatten(1)
        penalty: Tensor = self.size * explained.abs().sum(1) + self.norm * torch.linalg.vector_norm(explained, dim=1)
        return lost - kept + penalty

    def _draw(self, batch: PromptBatch, items: Sequence[PromptItem]) -> tuple[FrameNetworks, Tensor]:
        """Networks as `nn.Linear` and `nn.PReLU` draw them, and logistic noise [B, E, F, N].

        Each item draws from its own seed, and never for padding: what stands beside it in the batch does not matter.
        """
        frames, states = batch.codes.shape[-1], batch.text.states
        inner, outer = states.shape[-1] ** -0.5, self.width**-0.5
        sizes = [((frames * self.width, states.shape[-1]), inner), ((frames, self.width, 1), inner)]
        sizes += [((frames, 1, self.width), outer), ((frames, 1), outer)]
        drawn: list[list[Tensor]] = [[] for _ in sizes]
        noise = torch.zeros(len(items), self.epochs, frames, states.shape[1])
        for row, item in zip(noise, items, strict=True):
            generator = torch.Generator().manual_seed(item.explainer_seed)
            for parameters, (shape, bound) in zip(drawn, sizes, strict=True):
                parameters.append(torch.empty(shape).uniform_(-bound, bound, generator=generator))
            row[..., : len(item.tokens)] = torch.rand(*row.shape[:2], len(item.tokens), generator=generator).logit(1e-7)
        first = torch.stack(drawn[0]).to(states.device)
        rest = [torch.cat(parameters).to(states.device) for parameters in drawn[1:]]
        return FrameNetworks(first, rest), noise.to(states.device)

    def _released(self, model: PromptModel, item: PromptItem) -> TokenMap:
        mask = released_mask(model, item, self.training)[: item.codes.shape[1]]
        return self._to_map(mask, mask, item)

    def _to_map(self, weights: Tensor, order: Tensor, item: PromptItem) -> TokenMap:
        """Weights [F, N] of the text's tokens, 0 on special ones; `order` breaks ties where weights saturate."""
        special = torch.as_tensor(item.special, device=weights.device)
        ranks = order.masked_fill(special, float(order.min()) - 1)
        maps = [found.double().cpu().numpy() for found in (weights.masked_fill(special, 0), ranks)]
        return TokenMap(*(averaged(found, item, self.average) for found in maps))


@torch.no_grad()
def prepare(model: PromptModel, items: Sequence[PromptItem], special: bool) -> PromptBatch:
    """Encode items and run the unmasked pass once; `special` says whether special tokens take part in the masks."""
    text = model.encode([item.prompt for item in items])
    codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
    explained = torch.zeros(len(items), 1, text.states.shape[1], device=model.device)
    for row, item in zip(explained, items, strict=True):
        row[0, : len(item.tokens)] = torch.as_tensor(special | ~item.special, device=model.device)
    return PromptBatch(text, codes, model.hidden(codes, text), explained)
