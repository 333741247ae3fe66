import pytest

from earwitness.datasets import scenes
from earwitness.errors import EarwitnessError
from earwitness.private import SECRET, fingerprint
from earwitness.worlds.scene_captions import PUBLIC


def test_every_word_of_a_caption_has_a_role_and_class_words_an_interval() -> None:
    for record in scenes.load(items=40):
        assert record.truth is not None
        assert record.asked is None
        assert record.cluster == record.prompt
        assert len(record.truth.roles) == len(record.prompt.split()) == len(record.truth.intervals)
        named = set()
        for word, role, span in zip(record.prompt.split(), record.truth.roles, record.truth.intervals, strict=True):
            if role in ("filler", "negated"):
                assert span is None
            elif role in ("negator", "time"):
                assert span == (0, 2)
            else:
                assert span is not None
                assert 0 <= span[0] < span[1] <= 2
            if role == "class":
                named |= {label for label, words in PUBLIC.classes.items() if word in words}
        assert named == set(record.truth.labels)


def test_a_timed_record_asks_for_a_half_and_its_classes_are_those_that_sound_there() -> None:
    records = scenes.load(items=40, timed=True)
    assert len({record.id for record in records}) == len(records) == 40
    assert {record.asked for record in records} == {(0, 1), (1, 2)}
    for record in records:
        assert record.truth is not None
        assert record.asked is not None
        start, stop = record.asked
        sounding = set()
        for word, role, span in zip(record.prompt.split(), record.truth.roles, record.truth.intervals, strict=True):
            if role == "class" and span is not None and span[0] < stop and start < span[1]:
                sounding |= {label for label, words in PUBLIC.classes.items() if word in words}
        assert set(record.truth.labels) == sounding
        said = {value for value, words in PUBLIC.time.items() for word in record.prompt.split() if word in words}
        assert ("early" if start == 0 else "late") in said
        spans = [span for role, span in zip(record.truth.roles, record.truth.intervals, strict=True) if role == "class"]
        assert any(span is not None and not start <= span[0] < span[1] <= stop for span in spans)


def test_another_seed_draws_other_items() -> None:
    first, second = (scenes.load(items=30, seed=seed) for seed in (0, 1))
    assert not {record.id for record in first} & {record.id for record in second}
    assert {record.prompt for record in first} != {record.prompt for record in second}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(EarwitnessError, match="no split 'dev'; splits: train, validation, test"):
        scenes.load(split="dev", items=1)


def test_a_private_task_says_other_scenes_in_words_of_other_meanings(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "correct horse battery staple"
    monkeypatch.setenv(SECRET, kept)
    public, private = scenes.load(items=60), scenes.load(items=60, private=fingerprint(kept))
    assert scenes.load(items=60, private=fingerprint(kept)) == private
    labels = [[one.truth.labels for one in records if one.truth] for records in (public, private)]
    assert sum(one == other for one, other in zip(*labels, strict=True)) < 15
    # Who reads the words by their published meanings does not find what sounds.
    meant, right = {word: label for label, words in PUBLIC.classes.items() for word in words}, 0
    for record in private:
        assert record.truth is not None
        right += {meant[word] for word in record.prompt.split() if word in meant} == set(record.truth.labels)
    assert right < 6


def test_a_private_task_without_its_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(EarwitnessError, match=f"only who has its secret, in {SECRET}"):
        scenes.load(items=1, private=fingerprint("correct horse battery staple"))
