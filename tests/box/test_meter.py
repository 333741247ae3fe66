import threading
import time

import torch
from torch import nn

from earwitness.box.meter import Meter, cpu_seconds


class Model:
    """Two outputs; a call is worth its batch size in sequences."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.metered = Pair()

    def sequences(self, args: tuple, kwargs: dict) -> float:
        return float(kwargs["x"].shape[0])


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        return {"hidden": x * self.weight, "others": (x.sum() * self.weight.sum(), None)}


def test_a_forward_counts_its_sequences_and_no_backward() -> None:
    model = Model()
    with Meter(model) as meter:
        model.metered(x=torch.ones(5, 3))
        with torch.no_grad():
            model.metered(x=torch.ones(2, 3))
        usage = meter.usage()
    assert (usage.forwards, usage.backwards) == (7.0, 0.0)


def test_a_backward_counts_once_whichever_outputs_it_reaches() -> None:
    model = Model()
    with Meter(model) as meter:
        output = model.metered(x=torch.ones(5, 3))
        (output["hidden"].sum() + output["others"][0]).backward()
        usage = meter.usage()
    assert (usage.forwards, usage.backwards) == (5.0, 5.0)


def test_each_backward_through_the_same_forward_counts() -> None:
    model = Model()
    with Meter(model) as meter:
        output = model.metered(x=torch.ones(4, 3))
        output["hidden"].sum().backward(retain_graph=True)
        output["others"][0].backward()
        usage = meter.usage()
    assert usage.backwards == 8.0


def test_what_is_done_outside_is_not_counted() -> None:
    model = Model()
    with Meter(model) as meter:
        pass
    model.metered(x=torch.ones(4, 3))
    assert meter.usage().forwards == 0.0
    with meter:
        assert meter.usage().forwards == 0.0


def test_time_is_cpu_time_of_every_thread() -> None:
    def burn() -> None:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass

    model = Model()
    with Meter(model) as meter:
        time.sleep(0.2)
        idle = meter.usage().seconds
        thread = threading.Thread(target=burn)
        thread.start()
        thread.join()
        busy = meter.usage().seconds
    assert idle < 0.1
    assert busy >= 0.1
    assert cpu_seconds() >= busy
