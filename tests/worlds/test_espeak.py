"""espeak-ng: the same samples each time, and events that tell the truth about them."""

from __future__ import annotations

import builtins
import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from earwitness.datasets import Stretch
from earwitness.errors import EarwitnessError
from earwitness.worlds.espeak import SAMPLE_RATE, Spoken, Voice, speak

BREATHY = Voice("gmw/en-US+f3", rate=160)
"""A voice whose noise and flutter espeak-ng draws from its own state."""
TEXT = "push the small ship today"


def _digest(text: str, voice: Voice) -> str:
    return hashlib.sha256(speak(text, voice).audio.tobytes()).hexdigest()


def _level(audio: np.ndarray) -> float:
    return float(np.sqrt(np.square(audio, dtype=np.float64).mean()))


def _crossings(audio: np.ndarray) -> float:
    return float((np.diff(np.signbit(audio)) != 0).mean())


def test_an_utterance_is_the_same_whatever_was_spoken_before() -> None:
    first = _digest(TEXT, BREATHY)
    speak("watch my goat", Voice("gmw/en+m3", rate=210, pitch=70))
    assert _digest(TEXT, BREATHY) == first


def test_an_utterance_is_the_same_in_a_fresh_process() -> None:
    code = (
        "import hashlib; from earwitness.worlds.espeak import Voice, speak;"
        f"print(hashlib.sha256(speak({TEXT!r}, Voice({BREATHY.name!r}, {BREATHY.rate})).audio.tobytes()).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == _digest(TEXT, BREATHY)


def test_words_and_phonemes_follow_one_another_within_the_audio() -> None:
    spoken = speak(TEXT, BREATHY)
    assert [word.text for word in spoken.words] == TEXT.split()
    assert [phoneme.text for phoneme in spoken.phonemes[2]] == ["s", "m", "ɔːl"]
    edges = [edge for own in spoken.phonemes for phoneme in own for edge in (phoneme.start, phoneme.stop)]
    assert all(start < stop for start, stop in zip(edges[::2], edges[1::2], strict=True))
    assert edges == sorted(edges)
    assert 0 <= edges[0] < edges[-1] <= len(spoken.audio) / SAMPLE_RATE
    for word, own in zip(spoken.words, spoken.phonemes, strict=True):
        assert (word.start, word.stop) == (own[0].start, own[-1].stop)


def test_the_last_word_ends_before_the_silence_that_follows_it() -> None:
    spoken = speak("take the boat", Voice("gmw/en-US"))
    end = int(spoken.words[-1].stop * SAMPLE_RATE)
    assert 0 < len(spoken.audio) - end < SAMPLE_RATE / 2
    assert _level(spoken.audio[end:]) < 0.02 * _level(spoken.audio[:end])


@pytest.mark.parametrize("rate", [140, 220])
def test_a_hiss_is_heard_where_its_phoneme_is_marked(rate: int) -> None:
    spoken = speak("push the sheep soon", Voice("gmw/en", rate=rate))
    for word, phoneme in ((0, 2), (2, 0), (3, 0)):
        stretch = spoken.phonemes[word][phoneme]
        assert stretch.text in ("ʃ", "s")
        assert _crossings(_sound(spoken, stretch)) > 0.35 > 0.25 > _crossings(_middle(spoken, spoken.phonemes[word][1]))


def _sound(spoken: Spoken, stretch: Stretch) -> np.ndarray:
    return spoken.audio[int(stretch.start * SAMPLE_RATE) : int(stretch.stop * SAMPLE_RATE)]


def _middle(spoken: Spoken, stretch: Stretch) -> np.ndarray:
    sound = _sound(spoken, stretch)
    return sound[len(sound) // 4 : -len(sound) // 4]


def test_a_faster_rate_takes_less_time_and_a_higher_pitch_repeats_sooner() -> None:
    slow, fast = (speak(TEXT, Voice("gmw/en", rate=rate)) for rate in (140, 210))
    assert fast.words[-1].stop < 0.85 * slow.words[-1].stop
    assert _pitch(speak(TEXT, Voice("gmw/en", pitch=80))) > 1.15 * _pitch(speak(TEXT, Voice("gmw/en", pitch=20)))


def _pitch(spoken: Spoken) -> float:
    """Hz at the highest point of the autocorrelation of the first vowel, between 60 and 300."""
    vowel = _sound(spoken, spoken.phonemes[0][1])
    similar = np.correlate(vowel, vowel, "full")[len(vowel) - 1 :]
    shortest = SAMPLE_RATE // 300
    return float(SAMPLE_RATE / (shortest + similar[shortest : SAMPLE_RATE // 60].argmax()))


def test_an_unknown_voice_and_words_said_in_one_breath_are_refused() -> None:
    with pytest.raises(EarwitnessError, match="espeak-ng has no voice 'nobody'"):
        speak("take the boat", Voice("nobody"))
    with pytest.raises(EarwitnessError, match="does not speak each word of 'take it on the lake' on its own"):
        speak("take it on the lake", Voice("gmw/en"))


def test_a_missing_package_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "espeakng_loader":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(EarwitnessError, match=r"espeakng-loader is not installed: pip install 'earwitness\[worlds\]'"):
        speak("take the boat", Voice("gmw/en"))
