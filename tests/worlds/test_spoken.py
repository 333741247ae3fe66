"""The spoken world: what tells words apart, what splits share, and that a rendering is what it says."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest

from earwitness.worlds.commands import (
    AGREES_WITH,
    DISTINCT,
    KINDS,
    PAIRS,
    TRANSLATIONS,
    WORDS,
    Command,
    Slot,
    draw_command,
    vocabulary,
)
from earwitness.worlds.espeak import SAMPLE_RATE, Voice, speak
from earwitness.worlds.spoken import (
    ACCENTS,
    BOTH_SHARE,
    CLEAR_SHARE,
    PEAK,
    SPEAKERS,
    SPLITS,
    owner,
    render,
    truth,
    utterance,
)


def _phonemes(word: str, accent: str) -> list[str]:
    return [phoneme.text for phoneme in speak(word, Voice(accent)).phonemes[0]]


@pytest.mark.parametrize("accent", ACCENTS)
def test_words_of_a_pair_differ_in_one_phoneme_in_every_accent(accent: str) -> None:
    for one, other, place in PAIRS:
        first, second = _phonemes(one, accent), _phonemes(other, accent)
        assert len(first) == len(second), (one, other)
        assert [i for i in range(len(first)) if first[i] != second[i]] == [place], (one, other)


def test_words_of_a_pair_stand_in_one_slot_and_in_no_other_pair() -> None:
    slot_of = {word: slot for slot, words in WORDS.items() for word in words}
    assert len(vocabulary()) == len(slot_of) == 60
    assert len(DISTINCT) == 2 * len(PAIRS)
    assert all(slot_of[one] is slot_of[other] for one, other, _ in PAIRS)


def test_a_translation_puts_time_first_noun_before_adjective_and_verb_last() -> None:
    slots = (Slot.VERB, Slot.DETERMINER, Slot.NOUN, Slot.PREPOSITION, Slot.DETERMINER, Slot.PLACE, Slot.TIME)
    command = Command(("hide", "my", "lamp", "near", "thy", "wall", "now"), slots)
    assert command.source_of == (6, 2, 1, 5, 4, 3, 0)
    assert command.translation.split()[0] == TRANSLATIONS["now"]
    assert command.translation.split()[-1] == TRANSLATIONS["hide"]
    adjective = Command(("take", "my", "cold", "cup"), (*slots[:2], Slot.ADJECTIVE, Slot.NOUN))
    assert adjective.translation == " ".join(TRANSLATIONS[word] for word in ("cup", "cold", "my", "take"))


def test_every_word_has_a_translation_of_its_own() -> None:
    assert len(set(TRANSLATIONS.values())) == len(vocabulary())
    assert not set(TRANSLATIONS.values()) & set(vocabulary())


def test_commands_have_three_to_seven_words_and_every_word_renders_one() -> None:
    rng = np.random.default_rng(0)
    commands = [draw_command(rng) for _ in range(500)]
    assert {len(command.words) for command in commands} == {3, 4, 5, 6, 7}
    assert {word for command in commands for word in command.words} == set(vocabulary())
    assert all(sorted(command.source_of) == list(range(len(command.words))) for command in commands)


def test_words_agree_with_the_word_that_governs_them_and_words_of_a_pair_are_of_different_kinds() -> None:
    assert all(KINDS[one] != KINDS[other] for one, other, _ in PAIRS)
    rng, agreeing = np.random.default_rng(1), set()
    for command in (draw_command(rng) for _ in range(500)):
        for word, partner in enumerate(command.agreeing):
            governed = AGREES_WITH.get(command.slots[word])
            assert (partner is None) == (governed is None)
            if partner is not None:
                assert command.slots[partner] is governed
                assert partner < word
                assert KINDS[command.words[partner]] == KINDS[command.words[word]]
                agreeing.add(command.words[word])
    assert agreeing == {word for slot in AGREES_WITH for word in WORDS[slot]}


def test_noise_covers_one_word_of_some_agreements_and_both_of_one_at_most() -> None:
    said = [utterance("train", index) for index in range(600)]
    assert np.mean([not one.drowned for one in said]) == pytest.approx(CLEAR_SHARE, abs=0.05)
    slots = {one.command.slots[i] for one in said for i in one.drowned}
    assert slots == {Slot.VERB, Slot.DETERMINER, Slot.ADJECTIVE, Slot.NOUN, Slot.PLACE}
    both = []
    for one in said:
        agreements = [{i, j} for i, j in enumerate(one.command.agreeing) if j is not None]
        assert set(one.drowned) <= set().union(*agreements)
        both.append(sum(agreement <= set(one.drowned) for agreement in agreements))
    assert set(both) == {0, 1}
    assert np.mean(both) == pytest.approx((1 - CLEAR_SHARE) * BOTH_SHARE, abs=0.06)


def test_noise_stands_for_the_telling_phoneme_and_for_nothing_else() -> None:
    said = next(one for i in itertools.count() if len((one := utterance("train", i)).drowned) == 2)
    heard, clear = render(said), render(dataclasses.replace(said, drowned=()))
    changed = np.abs(heard.audio - clear.audio * _scale(heard.audio, clear.audio)) > 1e-3
    covered = np.zeros(len(changed), dtype=bool)
    for word in said.drowned:
        (told,) = truth(said, heard).distinct[word]
        phoneme = heard.phonemes[word][told]
        start, stop = int(phoneme.start * SAMPLE_RATE), int(phoneme.stop * SAMPLE_RATE)
        assert changed[start:stop].mean() > 0.9
        covered[max(0, start - 900) : stop + 900] = True
    assert not changed[~covered].any()


def _scale(one: np.ndarray, other: np.ndarray) -> float:
    """What the peak limit made of a recording, told by its first samples."""
    return float(np.abs(one[:500]).sum() / np.abs(other[:500]).sum())


def test_what_tells_a_drowned_word_comes_before_it_in_the_language_that_is_written() -> None:
    slots = (Slot.VERB, Slot.DETERMINER, Slot.ADJECTIVE, Slot.NOUN, Slot.PREPOSITION, Slot.DETERMINER, Slot.PLACE)
    command = Command(("hide", "my", "cold", "lamp", "near", "four", "hall"), slots)
    said = dataclasses.replace(utterance("train", 0), command=command, drowned=(1, 3, 6))
    recording = render(said)
    assert truth(said, recording).follows == (None, None, None, 0, None, None, 5)
    # The translation is lamp cold my hall four near hide: of these, "my" alone comes after the word that tells it.
    assert truth(said, recording, "translation").follows == (None, None, 1, None, None, None, None)
    both = dataclasses.replace(said, drowned=(0, 3))
    assert truth(both, render(both)).follows == (None, None, None, 0, None, None, None)
    assert truth(both, render(both), "translation").follows == (*(None,) * 6, 0)


def test_splits_share_no_sentence_no_speaker_and_no_utterance() -> None:
    drawn = {split: [utterance(split, index, seed) for index in range(100) for seed in (0, 1)] for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not {item.text for item in drawn[one]} & {item.text for item in drawn[other]}
        assert not set(SPEAKERS[one]) & set(SPEAKERS[other])
        assert not {item.level_db for item in drawn[one]} & {item.level_db for item in drawn[other]}
    for split, items in drawn.items():
        assert all(owner(item.text) == split for item in items)
        assert {item.voice.name.split("+")[1] for item in items} <= set(SPEAKERS[split])


def test_every_voice_that_is_held_out_exists() -> None:
    digests = set()
    for speaker in itertools.chain(*SPEAKERS.values()):
        digests.add(hashlib.sha256(speak("cup", Voice(f"{ACCENTS[0]}+{speaker}")).audio.tobytes()).digest())
    assert len(digests) == sum(map(len, SPEAKERS.values()))


def test_another_seed_draws_another_utterance_of_another_name() -> None:
    first, second = utterance("test", 3), utterance("test", 3, seed=1)
    assert (first.id, second.id) == ("test-00003", "test-00003-1")
    assert first.voice != second.voice
    assert utterance("test", 3) == first


def test_a_rendering_is_the_same_again_and_in_a_fresh_process() -> None:
    code = (
        "import hashlib; from earwitness.worlds.spoken import render, utterance;"
        "print(*(hashlib.sha256(render(utterance('test', i)).audio.tobytes()).hexdigest() for i in range(4)))"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    backwards = [hashlib.sha256(render(utterance("test", i)).audio.tobytes()).hexdigest() for i in reversed(range(4))]
    assert fresh == backwards[::-1]


def test_a_rendering_has_its_pauses_its_level_and_sixteen_bits() -> None:
    for index in range(12):
        said = dataclasses.replace(utterance("validation", index), drowned=())
        recording = render(said)
        first, last = recording.words[0].start, recording.words[-1].stop
        assert first == pytest.approx(said.before, abs=2e-4)
        assert len(recording.audio) / SAMPLE_RATE - last == pytest.approx(said.after, abs=5e-4)
        assert recording.audio.dtype == np.float32
        assert np.array_equal(recording.audio * 2**15, np.round(recording.audio * 2**15))
        assert np.abs(recording.audio).max() <= PEAK + 2**-15
        if np.abs(recording.audio).max() < PEAK - 0.01:
            assert _decibel(recording.audio, first, last) == pytest.approx(said.level_db, abs=0.1)
            quiet = _decibel(recording.audio, 0.0, first - 0.01)
            assert quiet == pytest.approx(said.level_db + said.noise_db, abs=2.5)


def _decibel(audio: np.ndarray, start: float, stop: float) -> float:
    part = audio[int(start * SAMPLE_RATE) : int(stop * SAMPLE_RATE)].astype(np.float64)
    return float(10 * np.log10(np.square(part).mean()))


def test_the_truth_names_each_words_phonemes_and_those_that_tell_it_from_its_partner() -> None:
    said = next(item for i in itertools.count() if "watch" in (item := utterance("train", i)).text)
    recording = render(said)
    known = truth(said, recording)
    assert [word.text for word in known.words] == said.text.split()
    assert known.source_of == tuple(range(len(known.words)))
    assert truth(said, recording, "translation").source_of == said.command.source_of
    assert known.distinct[0] == (2,)
    assert known.phonemes[0][2].text == "tʃ"
    for word, own, told in zip(known.words, known.phonemes, known.distinct, strict=True):
        assert len(told) == (word.text in DISTINCT)
        assert all(i < len(own) for i in told)


def test_the_end_of_a_word_that_sounds_as_one_is_told_from_its_partner_there() -> None:
    for index in itertools.count():
        said = utterance("train", index)
        if "lane" not in said.command.words:
            continue
        known = truth(said, render(said))
        place = said.command.words.index("lane")
        (told,) = known.distinct[place]
        assert known.phonemes[place][told].text.endswith("n")
        if len(known.phonemes[place]) == 2:
            return
