"""The command line in this process: workers and boxes that are no processes of their own.

Every process that a command starts spends most of its time on imports. What depends on processes is tested in box/,
harness/ and cli/test_end_to_end.py; a test of cards, data and models runs the rest of the same code here.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import earwitness.box
from earwitness import cli
from earwitness.box import Brief, Guard, child, levels
from earwitness.box.process import ProcessBox
from earwitness.harness import engines, score


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class InlineEngine:
    """Runs every job where it is called."""

    name = "local"
    workers = lanes = 1
    apart = False

    def stopped(self) -> bool:
        return False

    def drive(self, function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for job in jobs:
            try:
                yield job, function(job)
            except Exception as error:
                yield job, error

    def compute(
        self, function: Callable[[Any], Any], jobs: Iterable[Any], log: Path, workers: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        yield from self.drive(function, jobs)

    def close(self) -> None:
        pass


class ThreadBox(ProcessBox):
    """A box whose child is a thread: the same frames go to and fro, and the same answers are checked."""

    _thread: threading.Thread | None = None

    def _start(self) -> None:
        child_read, self._write = os.pipe()
        self._read, child_write = os.pipe()
        os.set_blocking(self._write, False)

        def inside() -> None:
            try:
                child.main(child_read, child_write, os.getpid())
            finally:
                os.close(child_read)
                os.close(child_write)

        self._process = SimpleNamespace(pid=0)  # type: ignore[assignment]
        self._thread = threading.Thread(target=inside, daemon=True)
        self._thread.start()

    def _spent(self) -> None:
        """Nothing is seen of a thread from outside."""

    def close(self) -> None:
        self._process = None
        super().close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


@contextmanager
def in_this_process(monkeypatch: pytest.MonkeyPatch, boxes: Collection[str] = ()) -> Iterator[pytest.MonkeyPatch]:
    """Workers and boxes are no processes; submissions in `boxes` have one all the same."""

    def create(
        isolation: str, brief: Brief, guard: Guard, log: Path, stopped: Callable[[], bool] = lambda: False
    ) -> ProcessBox:
        kind = ProcessBox if Path(brief.submission).name in boxes else ThreadBox
        return kind(brief, guard, log, stopped)

    with monkeypatch.context() as patch:
        patch.setattr(earwitness.box, "create", create)
        # What is to be had here is none of these tests' business.
        patch.setattr(levels, "lacking", lambda _: "")
        patch.setattr(engines, "get", lambda *_: InlineEngine())
        patch.setattr(child, "end_with", lambda _: None)
        # A child's traceback goes to its log.
        patch.setattr(child, "traceback", SimpleNamespace(print_exc=lambda: None))
        patch.setattr(score, "_OPENED", {})
        yield patch


def earwitness_here(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], boxes: Collection[str] = ()
) -> Ended:
    """What becomes of the command; submissions in `boxes` have a process all the same."""
    capsys.readouterr()
    code = 0
    with in_this_process(monkeypatch, boxes) as patch:
        patch.setattr(sys, "argv", ["earwitness", *words])
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    return Ended(code, said.out, said.err)
