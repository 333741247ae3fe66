import pytest

from earwitness.datasets import soundscape
from earwitness.errors import EarwitnessError


def test_every_word_of_a_caption_has_a_role_and_class_words_an_interval() -> None:
    for record in soundscape.load(items=40):
        assert record.truth is not None
        assert len(record.truth.roles) == len(record.prompt.split()) == len(record.truth.intervals)
        spoken = [
            span for role, span in zip(record.truth.roles, record.truth.intervals, strict=True) if role == "class"
        ]
        assert len(spoken) == len(record.truth.labels)
        assert all(span is not None and 0 <= span[0] < span[1] <= 2 for span in spoken)
        assert "order" not in record.truth.roles


def test_another_seed_draws_other_items() -> None:
    first, second = (soundscape.load(items=30, seed=seed) for seed in (0, 1))
    assert not {record.id for record in first} & {record.id for record in second}
    assert {record.prompt for record in first} != {record.prompt for record in second}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(EarwitnessError, match="no split 'dev'; splits: train, validation, test"):
        soundscape.load(split="dev", items=1)
