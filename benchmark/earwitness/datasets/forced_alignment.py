"""When the words of recorded speech are said, by an aligner: its words matched with those of the transcript.

This is data truth: an aligner's word, or a synthesiser's, on what was said when, and nothing of what a model goes by.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.datasets import SpeechTruth, Stretch, aligner_files, alignment
from earwitness.datasets.audio_files import AudioFile, Unusable, lying, opened
from earwitness.errors import EarwitnessError, InvalidItemError, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from earwitness.datasets import SpeechRecord
    from earwitness.datasets.aligner_files import AlignedSpeech, AlignerFiles

SILENCES = frozenset({"", "sil", "sp", "spn", "<eps>", "<sil>"})
"""Labels, in small letters, of what is no word: silence, pauses and noise."""
UNKNOWN = "<unk>"
"""The Montreal Forced Aligner's label of a word that its dictionary lacks."""
FRAME = 0.01
"""Seconds by which a word may reach into the next, or the last beyond the sound, and is cut there: a frame of most
aligners, and the last digit of the times in most CTM files."""
OTHER_UNIT = 20
"""How many times as long as its sound, or as a second, an alignment is whose times are in another unit than seconds."""


def aligned(records: Sequence[SpeechRecord], root: Path) -> list[SpeechRecord]:
    """Records with the truth that a file, or the files below a folder, tell of them (see `aligner_files`).

    The sound of a record whose alignment is missing, is not of its transcript's words, in their order, or cannot be one
    of its sound (`alignment`) raises InvalidItemError, in one line that names the file. Raises EarwitnessError where
    nothing is there, a file of many utterances cannot be read, or no record is told of.
    """
    if not root.exists():
        raise EarwitnessError(
            f"{root}: no such file or folder of alignments; lay TextGrid, CTM or JSON files there, or name another "
            "place as the dataset's alignments"
        )
    ids = {record.id for record in records}
    files = aligner_files.find(root, ids)
    if not any(each in files for each in ids):
        some = next(iter(sorted(ids)))
        raise EarwitnessError(
            f"{root}: no alignment of any of {len(ids)} utterances; {shortened(some)}.TextGrid, .json, or a CTM or "
            "JSON file that names it was expected; align them, or name another place as the dataset's alignments"
        )
    return [_aligned(record, files) for record in records]


def _aligned(record: SpeechRecord, files: AlignerFiles) -> SpeechRecord:
    if not isinstance(record.audio, AudioFile):
        return record
    try:
        told = files.read(record.id)
        with opened(lying(record.audio.path)) as file:
            seconds = file.frames / file.samplerate
        return replace(record, truth=truth_of(told, record.reference, seconds)) if seconds else record
    except InvalidItemError:
        # The sound's own fault, which it says when it is read.
        return record
    except EarwitnessError as error:
        return replace(record, audio=Unusable(str(error)))


def truth_of(told: AlignedSpeech, transcript: str, seconds: float) -> SpeechTruth:
    """When the words of a transcript are said in a sound of so many seconds, with their phones where they are told.

    A word of the transcript is one word of the alignment, an unknown one, or several whose letters make it (a clitic
    apart: captain 's); case and punctuation say nothing. Silences are left out, and phones go to the word around them.
    Raises EarwitnessError, in one line, where that cannot be.
    """
    words = [word for word in told.words if not is_silence(word.text) and letters(word.text)]
    if not words:
        raise EarwitnessError(f"{told.where}: no words, and the transcript has some; align it again")
    last = max(word.stop for word in words)
    if last > OTHER_UNIT * max(seconds, 1.0):
        raise EarwitnessError(
            f"{told.where}: its words end at {last:g}, and the sound lasts {seconds:.3f} s; times in seconds were "
            "expected, not in samples, frames or milliseconds"
        )
    spoken, source_of = _matched(told.where, _settled(words, seconds), transcript.split())
    phones = _settled([phone for phone in told.phones if not is_silence(phone.text)], seconds)
    truth = SpeechTruth(tuple(spoken), _of_words(told.where, phones, spoken), tuple(source_of))
    wrong = alignment.check(truth, seconds)
    if wrong:
        raise EarwitnessError(f"{told.where}: {wrong}")
    return truth


def is_silence(label: str) -> bool:
    """Whether a label is that of no word.

    >>> [is_silence(label) for label in ("", " SIL", "<eps>", "<unk>", "s'il")]
    [True, True, True, False, False]
    """
    return label.strip().casefold() in SILENCES


def letters(word: str) -> str:
    """Letters, marks and digits of a word, without case: what is alike in two spellings of it.

    >>> letters("Don\\u2019t,"), letters("--")
    ('dont', '')
    """
    folded = unicodedata.normalize("NFKC", word).casefold()
    return "".join(each for each in folded if unicodedata.category(each)[0] in "LMN")


def _matched(where: str, words: list[Stretch], transcript: list[str]) -> tuple[list[Stretch], list[int]]:
    """The transcript's words with their times, and for each of its words the place of its own among them.

    What stands in the transcript and has no letters (a dash) is given the word before it.
    """
    spoken: list[Stretch] = []
    source_of = []
    left = list(reversed(words))
    for number, word in enumerate(transcript, start=1):
        if letters(word):
            spoken.append(_one(where, left, word, number))
        source_of.append(max(len(spoken) - 1, 0))
    if left:
        raise EarwitnessError(
            f"{where}: {shortened(left[-1].text)!r} at {left[-1].start:.3f} s comes after the transcript's "
            f"{len(transcript)} words; align its own words again"
        )
    return spoken, source_of


def _one(where: str, left: list[Stretch], word: str, number: int) -> Stretch:
    """A word of the transcript with its times; takes its words of the alignment off the end of what is left."""
    taken: list[Stretch] = []
    made, wanted = "", letters(word)
    while made != wanted:
        if not left:
            raise EarwitnessError(
                f"{where}: ends before the transcript's word {number}, {shortened(word)!r}; align its own words again"
            )
        taken.append(left.pop())
        made = wanted if taken[-1].text.strip().casefold() == UNKNOWN else made + letters(taken[-1].text)
        if not wanted.startswith(made):
            raise EarwitnessError(
                f"{where}: {shortened(taken[-1].text)!r} at {taken[-1].start:.3f} s, where the transcript's word "
                f"{number} is {shortened(word)!r}; align its own words again"
            )
    return Stretch(word, taken[0].start, taken[-1].stop)


def _settled(stretches: list[Stretch], seconds: float) -> list[Stretch]:
    """Stretches of which none reaches into the next, or beyond the sound, by so little that rounding explains it."""
    ends = [*(each.start for each in stretches), seconds][1:]
    return [
        replace(each, stop=end) if each.start < end < each.stop <= end + FRAME + 1e-9 else each
        for each, end in zip(stretches, ends, strict=False)
    ]


def _of_words(where: str, phones: Iterable[Stretch], words: Sequence[Stretch]) -> tuple[tuple[Stretch, ...], ...]:
    """Phones of each word, those whose middle lies in it; empty where there are none at all."""
    found: list[list[Stretch]] = [[] for _ in words]
    for phone in phones:
        middle = (phone.start + phone.stop) / 2
        own = next((own for own, word in zip(found, words, strict=True) if word.start <= middle <= word.stop), None)
        if own is None:
            raise EarwitnessError(
                f"{where}: the phone {shortened(phone.text)!r} ({phone.start:.3f}-{phone.stop:.3f} s) lies in no word; "
                "align it again"
            )
        own.append(phone)
    return tuple(tuple(own) for own in found) if any(found) else ()
