from __future__ import annotations

import pytest
import torch

from earwitness.models.masked_attention import Masking, padding_bias, reference_state, remove
from earwitness.tracks.prompt import Removal

ATTENTION = torch.tensor([[[[0.5, 0.3, 0.2]]]])
VALUES = torch.tensor([[[[10.0], [20.0], [30.0]]]])
REFERENCE = torch.tensor([[[[4.0]]]])


def removed(removal: Removal, mask: list[float]) -> float:
    weights = torch.tensor(mask).reshape(1, 1, 1, 3)
    reference = REFERENCE if removal in (Removal.NULL, Removal.MEAN) else None
    return float(remove(ATTENTION, VALUES, Masking(removal, weights), reference))


@pytest.mark.parametrize("removal", list(Removal))
def test_a_mask_of_ones_is_plain_attention(removal):
    assert removed(removal, [1, 1, 1]) == pytest.approx(5 + 6 + 6)


def test_each_operator_removes_a_token_by_its_formula():
    assert removed(Removal.SCALE, [1, 0, 0.5]) == pytest.approx(5 + 0 + 3)
    assert removed(Removal.RENORMALISE, [1, 0, 0.5]) == pytest.approx((5 + 3) / (0.5 + 0.1))
    assert removed(Removal.NULL, [1, 0, 0.5]) == pytest.approx(5 + 3 + (0.3 + 0.1) * 4)
    assert removed(Removal.MEAN, [1, 0, 0.5]) == pytest.approx(5 + 3 + (0.3 + 0.1) * 4)


def test_removing_everything_leaves_nothing_or_the_reference():
    assert removed(Removal.SCALE, [0, 0, 0]) == 0
    assert removed(Removal.RENORMALISE, [0, 0, 0]) == 0
    assert removed(Removal.MEAN, [0, 0, 0]) == pytest.approx(4)


def test_gradients_to_an_empty_mask_are_finite():
    for removal in Removal:
        weights = torch.zeros(1, 1, 1, 3, requires_grad=True)
        remove(ATTENTION, VALUES, Masking(removal, weights), REFERENCE).sum().backward()
        assert weights.grad is not None
        assert torch.isfinite(weights.grad).all()
        assert weights.grad.abs().sum() > 0


def test_the_reference_is_the_mean_of_the_prompts_own_states_or_zero():
    states = torch.tensor([[[1.0], [3.0], [100.0]]])
    mask = torch.tensor([[True, True, False]])
    assert reference_state(states, mask, Removal.MEAN).tolist() == [[[2.0]]]
    assert reference_state(states, mask, Removal.NULL).tolist() == [[[0.0]]]


def test_padding_gets_no_attention_and_a_row_of_padding_no_nan():
    attention = (
        torch.zeros(2, 1, 1, 2) + padding_bias(torch.tensor([[True, False], [False, False]]), torch.float32)
    ).softmax(-1)
    assert attention[:, 0, 0].tolist() == [[1.0, 0.0], [0.5, 0.5]]
