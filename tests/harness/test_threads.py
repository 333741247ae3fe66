"""What computes rows has one thread, also where numpy was loaded when the environment said otherwise."""

from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from earwitness.harness import orders
from earwitness.harness.threads import one_thread

assert np.ones(1) @ np.ones(1)  # BLAS is loaded


def threads() -> set[int]:
    return {torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())}


def test_torch_and_blas_have_one_thread_meanwhile_and_theirs_after() -> None:
    with threadpool_limits(2):
        before = threads()
        assert 2 in before
        with one_thread():
            assert threads() == {1}
        assert threads() == before


def test_a_worker_does_what_it_is_asked_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(orders, "_fulfilled", lambda asked: seen.append(threads()) or asked)
    with threadpool_limits(2):
        assert orders.fulfil('{"a": 1}') == '{"a": 1}'
    assert seen == [{1}]
