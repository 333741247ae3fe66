"""What recording attention costs beside generation without it, in time and memory: `pytest tests/speed -m slow -s`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from earwitness.authoring.training.autoencoder import compose_autoencoder
from earwitness.authoring.training.diffusion import compose
from earwitness.models import audioldm2
from earwitness.models.audioldm2 import AudioLDM2Model
from earwitness.tracks.band import AttentionSums

pytestmark = pytest.mark.slow

PROMPTS = ["a recording of bass with some drum", "here is one organ plus the bell and a trumpet at night"]
PAIRS = 15
CHILD = """
import resource, sys
from test_band_speed import PROMPTS, micro
from earwitness.tracks.band import AttentionSums
model = micro(int(sys.argv[1]))
text = model.encode(PROMPTS)
model.generate(text, [1, 2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.generate(text, [1, 2], record=AttentionSums())
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def micro(steps: int) -> AudioLDM2Model:
    """A pipeline of the micro-model's shape: how fast it is does not depend on its weights."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return AudioLDM2Model(compose(compose_autoencoder()), steps=steps, guidance=3.0, strength=1.0)


def test_recording_costs_at_most_15_percent_of_the_generation() -> None:
    model = micro(16)
    text = model.encode(PROMPTS)
    ratios = []
    for number in range(PAIRS + 1):
        times = {}
        for recorded in (False, True) if number % 2 else (True, False):
            record = AttentionSums() if recorded else None
            start = time.process_time()
            made = model.generate(text, [1, 2], record=record)
            times[recorded] = time.process_time() - start
        assert made.audio.isfinite().all()
        ratios.append(times[True] / times[False])
    ratios = sorted(ratios[1:])  # the first pair warms up
    median = statistics.median(ratios)
    print(f"recorded / plain, {PAIRS} pairs in turns: median {median:.3f}, {ratios[1]:.3f} to {ratios[-2]:.3f}")
    assert median < 1.15


def test_recording_takes_no_more_memory_with_more_steps() -> None:
    grown = {}
    for steps in (8, 64):
        run = subprocess.run(
            [sys.executable, "-c", CHILD, str(steps)],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        before, after = map(int, run.stdout.split()[-2:])
        grown[steps] = after - before
        print(f"{steps} steps: peak resident memory {before / 1024:.0f} MiB, with recording {after / 1024:.0f} MiB")
    # Attention of one step of all layers is a fifth of a MiB here: 56 more steps that were kept would be 11.
    assert grown[64] - grown[8] < 4096


def test_a_tiny_pipeline_of_the_published_parts_records_as_cheaply(tmp_path: Path) -> None:
    """Overhead would show most where a pass takes milliseconds."""
    from tiny_band import tiny_audioldm2

    model = audioldm2.from_pretrained(str(tiny_audioldm2(tmp_path)), steps=20, guidance=3.0)
    text = model.encode(["a bass and a drum"])
    ratios = []
    for _ in range(PAIRS):
        times = []
        for record in (None, AttentionSums()):
            start = time.process_time()
            model.generate(text, 1, record=record)
            times.append(time.process_time() - start)
        ratios.append(times[1] / times[0])
    print(f"tiny pipeline, recorded / plain: median {statistics.median(ratios):.3f}")
    assert statistics.median(ratios) < 1.15
