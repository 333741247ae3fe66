"""A run of fakes through the real local engine, in a process of its own that a test may kill.

Usage: killed_run.py RUNS TASK SUBMISSION PAUSE
"""

import signal
import sys
from pathlib import Path

import earwitness.box
from earwitness.harness import score

if __name__ in ("__main__", "__mp_main__"):
    # Spawned workers import this file again as __mp_main__, so that they get the fakes, too.
    sys.path.insert(0, str(Path(__file__).parent))
    from fakes import FakeBox, FakeScoring

    pause = float(sys.argv[4])
    earwitness.box.create = lambda *_: FakeBox(pause=pause)
    score.load = lambda setting: FakeScoring(setting, pause)

if __name__ == "__main__":
    # A process that was started in the background ignores interrupts, and its children do.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from earwitness import registry
    from earwitness.harness.engines.local import LocalEngine
    from earwitness.harness.recipe import Arguments, Run
    from earwitness.harness.run import execute

    run = Run(
        registry.task(sys.argv[2]),
        registry.submission(sys.argv[3]),
        Arguments(items=128, device="cpu"),
        Path(sys.argv[1]),
    )
    (outcome,) = execute([run], LocalEngine())
    sys.exit(0 if outcome.done else 4)
