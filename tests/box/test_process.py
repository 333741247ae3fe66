"""The parent's side of a plain process, against children that behave in every way but well."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earwitness import box as boxes
from earwitness.box import Answer, BoxError, Brief, Guard
from earwitness.box.process import ProcessBox, session_seconds
from earwitness.errors import EarwitnessError
from earwitness.private import SECRET
from earwitness.results.rows import Status
from earwitness.tracks.prompt import PromptItem

BRIEF = Brief("prompt", "musicgen", "model", "main", {}, "submission", "cpu")
GUARD = Guard(seconds=10.0, forwards=100, grace=60.0, stall=60.0)


def item(name: str) -> PromptItem:
    special = np.array([False, False, False, True])
    return PromptItem(name, "a dog barks", 1, 2, np.zeros((2, 3), np.int64), ("a", "dog", "barks", "</s>"), special)


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ProcessBox]]:
    # Which the child asserts not to see.
    monkeypatch.setenv(SECRET, "correct horse battery staple")
    opened = []

    def start(behaviour: str, guard: Guard = GUARD, stopped: Callable[[], bool] = lambda: False) -> ProcessBox:
        box = ProcessBox(BRIEF, guard, tmp_path / "log", stopped)
        box.child = (str(Path(__file__).with_name("fake_child.py")), behaviour)
        opened.append(box)
        return box

    yield start
    for box in opened:
        box.close()


def answer(box: ProcessBox) -> Answer:
    box.open()
    (found,) = box.explain([item("item-0")])
    return found


def test_a_good_answer_comes_with_arrays_and_cost(child: Callable[..., ProcessBox]) -> None:
    box = child("good")
    box.open()
    first, second = box.explain([item("item-0"), item("item-1")])
    assert box.device == "cpu"
    assert (first.item, first.status, second.item) == ("item-0", Status.OK, "item-1")
    np.testing.assert_array_equal(first.arrays["weights"], np.full(4, 0.5, np.float32))
    assert (first.cost.seconds, first.cost.forwards, first.cost.equivalents) == (0.5, 3, 7)


@pytest.mark.parametrize(
    ("behaviour", "status", "reason"),
    [
        ("nan", Status.INVALID, "TokenMap.weights must be finite; found 4 of 4 NaN or infinite"),
        ("large", Status.INVALID, "TokenMap.weights must lie in [0, 1]; found 2 to 2"),
        ("wrong_shape", Status.INVALID, "TokenMap.weights must be [F, N] = [3, 4] or [N] = [4]; found [9]"),
        ("extra_array", Status.INVALID, "a TokenMap has the arrays weights and order; found ['extra', 'weights']"),
        ("nothing", Status.INVALID, "a TokenMap has the arrays weights and order; found []"),
        ("raised", Status.FAILED, "ValueError: no way"),
        ("steers", Status.FAILED, r"\x1b[2Jno \x202eway"),
        ("slow", Status.TIMED_OUT, "over the budget of 10 CPU seconds an item"),
        ("greedy", Status.TIMED_OUT, "101 forward equivalents, over the budget of 100 an item"),
    ],
)
def test_the_parent_checks_what_the_child_claims(
    child: Callable[..., ProcessBox], behaviour: str, status: Status, reason: str
) -> None:
    found = answer(child(behaviour))
    assert (found.status, found.reason, found.arrays) == (status, reason, {})


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("exits", "ended with exit code 3"),
        ("is_killed", r"process was killed \(out of memory\?\)"),
        ("crashes", r"process crashed \(segmentation fault\)"),
        ("aborts", r"process crashed \(aborted\)"),
        ("terminates", "process was ended by SIGTERM"),
        ("floods", "gave no answer: a frame of 4611686018427387904 bytes"),
        ("pickles", "gave no answer: not a frame"),
        ("lies", "frame of the wrong form"),
        ("huge", "frame of the wrong form"),
        ("large_count", "frame of the wrong form"),
        ("odd_status", "frame of the wrong form"),
        ("other_item", "frame of the wrong form"),
        ("no_answers", "frame of the wrong form"),
    ],
)
def test_a_child_that_is_lost_is_lost_with_a_reason(
    child: Callable[..., ProcessBox], behaviour: str, reason: str
) -> None:
    with pytest.raises(BoxError, match=reason) as caught:
        answer(child(behaviour))
    assert caught.value.status == Status.FAILED


@pytest.mark.parametrize(
    ("behaviour", "guard", "reason"),
    [
        ("sleeps", Guard(100.0, 1, grace=50.0, stall=1.0), "no work for 1 seconds"),
        ("sleeps", Guard(0.1, 1, grace=0.5, stall=50.0), "within the time"),
        ("burns", Guard(0.5, 1, grace=0.5, stall=1.0, patience=1000.0), "within the CPU seconds"),
        ("forks_and_sleeps", Guard(0.5, 1, grace=0.5, stall=1.0, patience=1000.0), "within the CPU seconds"),
    ],
)
def test_a_child_that_hangs_is_stopped(
    child: Callable[..., ProcessBox], behaviour: str, guard: Guard, reason: str
) -> None:
    box = child(behaviour, guard)
    box.open()
    assert box._process is not None
    leader = box._process.pid
    with pytest.raises(BoxError, match=reason) as caught:
        box.explain([item("item-0")])
    assert caught.value.status == Status.TIMED_OUT
    end = time.monotonic() + 5
    while session_seconds(leader) is not None and time.monotonic() < end:
        time.sleep(0.05)
    assert session_seconds(leader) is None


def test_a_lost_box_opens_again_by_itself(child: Callable[..., ProcessBox]) -> None:
    box = child("exits")
    with pytest.raises(BoxError):
        answer(box)
    box.child = (box.child[0], "good")
    assert box.explain([item("item-0")])[0].status == Status.OK


def test_what_a_submission_keeps_outlives_its_run_and_not_its_own_death(tmp_path: Path) -> None:
    def box() -> ProcessBox:
        made = ProcessBox(replace(BRIEF, scratch=str(tmp_path)), GUARD, tmp_path.with_suffix(".log"), lambda: False)
        made.child = (str(Path(__file__).with_name("fake_child.py")), "keeps")
        return made

    lost = box()
    for _ in range(2):
        with pytest.raises(BoxError, match="exit code 3"):
            lost.explain([item("item-0")])
    resumed = box()
    assert answer(resumed).status == Status.OK
    resumed.close()


def test_a_box_that_cannot_start_says_why_in_one_line(child: Callable[..., ProcessBox]) -> None:
    with pytest.raises(BoxError, match=r"^cannot start: SyntaxError: invalid syntax$"):
        child("refuses").open()


def test_a_box_that_never_starts_is_given_up(child: Callable[..., ProcessBox]) -> None:
    with pytest.raises(BoxError, match="no answer and no work for 1 seconds") as caught:
        child("never_starts", Guard(100.0, 1, stall=1.0)).open()
    assert caught.value.status == Status.TIMED_OUT


def test_a_reason_of_any_depth_is_a_reason(child: Callable[..., ProcessBox]) -> None:
    assert answer(child("deep")).status == Status.OK


def test_the_user_can_end_the_wait(child: Callable[..., ProcessBox]) -> None:
    box = child("sleeps", stopped=lambda: True)
    with pytest.raises(KeyboardInterrupt):
        answer(box)
    assert box._process is None


def test_no_descriptor_is_left_open(child: Callable[..., ProcessBox]) -> None:
    box = child("good")
    answer(box)
    box.close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        answer(box)
        box.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_unknown_isolation_level_is_an_error_that_names_the_levels(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match="levels: bwrap, landlock, process"):
        boxes.create("cage", BRIEF, GUARD, tmp_path / "log")
