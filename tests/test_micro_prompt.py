"""What ships with micro_prompt: weights within their size, certified truth, and a ceiling above the anti-oracle."""

import pytest
from transformers import AutoTokenizer

from earwitness import registry
from earwitness.scoring.prompt.truth import read_truth
from earwitness.task import MetricCard
from earwitness.worlds.scene_captions import PUBLIC
from shipped import captions, ends, told_apart

TASK = registry.task("micro_prompt")
HEADLINE = [metric for metric in TASK.card.metrics if metric.headline]
MEGABYTES = 25
ACTING = {"class", "loudness", "pitch", "time", "negator"}
"""Roles whose words act on the sound."""


def test_what_ships_is_within_its_size() -> None:
    assert sum(path.stat().st_size for path in TASK.data_files()) < MEGABYTES * 2**20


def test_200_captions_of_8_to_12_words_ask_for_the_whole_sound() -> None:
    records = captions(TASK)
    assert len({record.cluster for record in records}) == TASK.card.dataset.items == 200
    assert {len(record.prompt.split()) for record in records} == {8, 9, 10, 11, 12}
    assert {record.asked for record in records} == {None}


def test_no_mask_keeps_more_words_than_can_be_searched() -> None:
    masks = {metric.parameters["mask"] for metric in TASK.card.metrics if "mask" in metric.parameters}
    assert masks == {"top10", "top20", "top30", "soft"}


@pytest.mark.parametrize("metric", HEADLINE, ids=lambda metric: metric.id)
def test_the_ceiling_is_told_apart_from_the_anti_oracle_on_every_headline_metric(metric: MetricCard) -> None:
    for kind in ("anti", "ceiling"):
        assert len(ends(TASK, metric.id, kind)) == TASK.card.dataset.items
    assert told_apart(TASK, metric)


def test_truth_that_metrics_read_is_certified_on_this_very_world() -> None:
    stored = read_truth(TASK)
    assert stored.certificate["task"] == TASK.seed_key == "micro_prompt@4"
    assert stored.causal_roles() == ACTING
    assert stored.knows_when()


def test_every_caption_has_exact_shapley_values_of_all_its_words() -> None:
    words = read_truth(TASK).words
    assert {item: len(truth.shapley) for item, truth in words.items()} == {
        record.id: len(record.prompt.split()) for record in captions(TASK)
    }


def test_the_model_knows_every_word_of_the_world() -> None:
    known = AutoTokenizer.from_pretrained(TASK.folder / "model").get_vocab()
    assert set(PUBLIC.vocabulary()) <= set(known)
