"""What micro_prompt_timed ships beside the models of micro_prompt: items that ask for a half, and certified truth."""

from pathlib import Path

import pytest

from earwitness import registry
from earwitness.scoring.prompt.truth import read_truth
from earwitness.task import MetricCard
from shipped import captions, ends, told_apart

TASK, WHOLE = registry.task("micro_prompt_timed"), registry.task("micro_prompt")
HEADLINE = [metric for metric in TASK.card.metrics if metric.headline]
MEGABYTES = 25


def test_what_ships_is_within_its_size_and_holds_no_model() -> None:
    files = TASK.data_files()
    assert sum(path.stat().st_size for path in files) < MEGABYTES * 2**20
    assert not [path for path in files if path.suffix == ".safetensors"]


def test_model_and_judges_are_those_of_micro_prompt() -> None:
    assert Path(TASK.source(TASK.card.model.source)).resolve() == WHOLE.folder / "model"
    for own, other in zip(TASK.card.judges, WHOLE.card.judges, strict=True):
        assert (own.name, own.adapter) == (other.name, other.adapter)
        assert Path(TASK.source(own.source)).resolve() == WHOLE.folder / other.source


def test_100_captions_of_8_to_12_words_ask_for_a_half() -> None:
    records = captions(TASK)
    assert len({record.cluster for record in records}) == TASK.card.dataset.items == 100
    assert {len(record.prompt.split()) for record in records} == {8, 9, 10, 11, 12}
    halves = [record.asked for record in records]
    assert set(halves) == {(0.0, 1.0), (1.0, 2.0)}
    assert 40 < halves.count((0.0, 1.0)) < 60


def test_its_noise_is_not_that_of_micro_prompt() -> None:
    assert TASK.seed_key == "micro_prompt_timed@1" != WHOLE.seed_key


@pytest.mark.parametrize("metric", HEADLINE, ids=lambda metric: metric.id)
def test_the_ceiling_is_told_apart_from_the_anti_oracle_on_every_headline_metric(metric: MetricCard) -> None:
    for kind in ("anti", "ceiling"):
        assert len(ends(TASK, metric.id, kind)) == TASK.card.dataset.items
    assert told_apart(TASK, metric)


def test_that_events_sound_when_their_words_say_is_certified() -> None:
    stored = read_truth(TASK)
    assert stored.certificate["task"] == TASK.seed_key
    assert stored.certified("interval")
    assert stored.causal_roles() == {"class", "loudness", "pitch", "time", "negator"}


def test_every_caption_has_exact_shapley_values_of_all_its_words() -> None:
    words = read_truth(TASK).words
    assert {item: len(truth.shapley) for item, truth in words.items()} == {
        record.id: len(record.prompt.split()) for record in captions(TASK)
    }
