"""What ships with the band track's micro task: a model that plays what prompts name, certified truth, ends in order."""

import pytest

from earwitness import registry
from earwitness.authoring.training.band_floors import Band, shares
from earwitness.scoring.certificates import read_certificate
from earwitness.worlds.stems import clip
from shipped import ends, told_apart

TASK = registry.task("micro_band")
MODEL_MEGABYTES = 25
ALL_NAMED, NOT_NAMED = 0.80, 0.10
HEARD = 12


def test_the_model_is_within_its_size() -> None:
    assert sum(path.stat().st_size for path in (TASK.folder / "model").rglob("*")) <= MODEL_MEGABYTES * 2**20


@pytest.mark.parametrize("clips", [HEARD, pytest.param(40, marks=pytest.mark.slow)])
def test_the_judge_hears_every_instrument_that_a_held_out_prompt_names_and_few_others(clips: int) -> None:
    band, made = Band.from_folder(TASK.folder), [clip("test", index) for index in range(clips)]
    audio, _ = band.play([item.prompt for item in made])
    found = shares(band, audio, made)
    assert found["all_named"] >= ALL_NAMED
    assert found["not_named"] < NOT_NAMED


@pytest.mark.parametrize("role", ["instrument", "others", "place"])
def test_what_the_stems_are_read_for_is_certified(role: str) -> None:
    assert read_certificate(TASK)["roles"][role]["certified"]


def test_ceiling_and_anti_oracle_are_told_apart_on_every_headline_metric() -> None:
    headline = [metric for metric in TASK.card.metrics if metric.headline]
    assert headline
    for metric in headline:
        assert len(ends(TASK, metric.id, "ceiling")) == TASK.card.dataset.items
        assert told_apart(TASK, metric)
