import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from earwitness.harness.passes import PassTimer


class Slow(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

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


class Tally(torch.nn.Module):
    def forward(self, worth: float) -> None:
        """Told of a run that is done."""


def test_of_a_model_that_tells_of_its_runs_the_time_between_them_counts() -> None:
    slow, asked = Slow(), SimpleNamespace(metered=Tally(), sequences=lambda args, kwargs: args[0])
    with PassTimer(asked) as timer:
        for seconds, worth in ((0.2, 1.0), (0.1, 4.0), (0.2, 2.0)):
            slow(seconds)
            asked.metered(worth)
    # Four sequences in .1 s.
    assert timer.plausible(1.0) == pytest.approx(40, rel=0.2)


def test_where_no_pass_was_timed_nothing_is_known() -> None:
    for asked in (None, model()):
        with PassTimer(asked) as timer:
            pass
        assert timer.plausible(1.0) is None
