from __future__ import annotations

import pytest
import torch
from torch import nn

from earwitness.models.redrawing import layers, redraw


class Model(nn.Module):
    """Layers that are made in another order than they are called, and one that no pass calls."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 3)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.scale = nn.Parameter(torch.linspace(1, 3, 8))
        self.unused = nn.Linear(8, 8)
        self.embedding = nn.Embedding(5, 8)

    def pass_of(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(ids)
        hidden = self.attention(hidden, hidden, hidden)[0]
        answer: torch.Tensor = self.head(hidden)
        return answer


@pytest.fixture
def model() -> Model:
    torch.manual_seed(3)
    return Model()


def parameters(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_layers_stand_from_the_output_back_in_the_order_of_a_pass(model: Model) -> None:
    ids = torch.arange(5)[None]
    found = layers(model, lambda: model.pass_of(ids))
    # The attention's output layer is not called by itself: it stands where the attention does.
    assert found == ["head", "attention.out_proj", "attention", "embedding"]
    assert not any(each._forward_pre_hooks for each in model.modules())


def test_a_module_whose_own_forward_is_called_holds_what_it_calls_none_of(model: Model) -> None:
    model.forward = model.pass_of  # type: ignore[method-assign]
    assert layers(model, lambda: model(torch.arange(5)[None]))[-2:] == ["unused", ""]


def test_what_is_drawn_anew_is_fixed_by_seed_and_name_and_the_rest_stays(model: Model) -> None:
    before, state = parameters(model), torch.get_rng_state()
    redraw(model, ["head"], 1)
    first = parameters(model)
    assert {name for name in before if not torch.equal(before[name], first[name])} == {"head.weight", "head.bias"}
    assert torch.equal(torch.get_rng_state(), state)
    again = Model()
    redraw(again, ["embedding", "head"], 1)
    assert torch.equal(parameters(again)["head.weight"], first["head.weight"])
    redraw(model, ["head"], 2)
    assert not torch.equal(parameters(model)["head.weight"], first["head.weight"])


def test_layers_of_torch_are_drawn_as_they_are_made(model: Model) -> None:
    with torch.no_grad():
        model.head.weight.fill_(7.0)
    redraw(model, ["head"], 0)
    assert model.head.weight.abs().max() <= 8**-0.5
    assert model.head.weight.std() > 0.1


def test_other_parameters_keep_their_mean_and_deviation() -> None:
    model = nn.Module()
    model.weights = nn.Parameter(torch.randn(20_000) * 0.5 + 3)
    before = model.weights.detach().clone()
    redraw(model, [""], 0)
    assert not torch.equal(model.weights, before)
    assert model.weights.mean().item() == pytest.approx(3, abs=0.02)
    assert model.weights.std().item() == pytest.approx(0.5, abs=0.02)


def test_a_weight_that_another_is_made_of_is_drawn_anew() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
    before, names = layer.weight.detach().clone(), layers(layer, lambda: layer(torch.zeros(1, 6)))
    redraw(layer, names, 0)
    assert not torch.isclose(layer.weight, before).any()
