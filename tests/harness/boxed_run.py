"""A run of a light model in a real box through the real local engine, in a process of its own that a test may kill.

Usage: boxed_run.py RUNS TASK SUBMISSION LEVEL
"""

import signal
import sys
from pathlib import Path

from earwitness.harness import score

if __name__ in ("__main__", "__mp_main__"):
    # Spawned workers import this file again as __mp_main__, so that they get the fakes, too.
    here = Path(__file__).parent
    sys.path[:0] = [str(here), str(here.parent / "box")]
    from fakes import NamedScoring

    score.load = lambda setting: NamedScoring(setting, 0.05)

EXPLAINER = """
import hashlib
import time

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, TokenMap


class Mine(PromptExplainer):
    def explain(self, model, item):
        time.sleep(0.02)
        drawn = np.frombuffer(hashlib.sha256(item.prompt.encode()).digest(), np.uint8)
        return TokenMap(drawn[: len(item.tokens)] / 255)
"""

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from earwitness import registry
    from earwitness.harness.engines.local import LocalEngine
    from earwitness.harness.recipe import Arguments, Run
    from earwitness.harness.run import execute

    run = Run(
        registry.task(sys.argv[2]),
        registry.submission(sys.argv[3]),
        Arguments(items=96, device="cpu", isolation=sys.argv[4]),
        Path(sys.argv[1]),
    )
    (outcome,) = execute([run], LocalEngine())
    sys.exit(0 if outcome.done else 4)
