import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from earwitness.harness.passes import PassTimer


class Slow(torch.nn.Module):
    def forward(self, seconds: float) -> float:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return seconds


def model() -> Any:
    return SimpleNamespace(metered=Slow(), sequences=lambda args, kwargs: 2.0)


def test_seconds_leave_room_for_as_many_passes_as_the_fastest_call_would_make() -> None:
    asked = model()
    with PassTimer(asked) as timer:
        asked.metered(0.2)
        asked.metered(0.05)
    # Two sequences in .05 s.
    assert timer.plausible(1.0) == pytest.approx(40, rel=0.2)
    assert timer.plausible(0.0) == 0.0
    asked.metered(0.001)
    assert timer.plausible(1.0) == pytest.approx(40, rel=0.2), "what is done outside is not timed"


def test_where_no_pass_was_timed_nothing_is_known() -> None:
    for asked in (None, model()):
        with PassTimer(asked) as timer:
            pass
        assert timer.plausible(1.0) is None
