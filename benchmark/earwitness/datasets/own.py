"""One input of the user's own, without truth: a prompt that is typed, or a recording in a file.

`earwitness explain` puts it in the place of a card's dataset; a card may name it as any other.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.datasets import PromptRecord, SpeechRecord
from earwitness.datasets.audio_files import read_audio
from earwitness.datasets.text_files import in_place_of
from earwitness.errors import EarwitnessError, InvalidItemError, is_blank, steers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

ID = "own"
"""Of the record, and of its cluster."""
TAKES = {"prompt": "prompt", "speech": "audio"}
"""What of an `OwnInput` each track explains; a track that is not listed takes neither."""
DIGITS = 16
LONGEST_SLUG = 40
"""Letters of the text in a folder's name."""


@dataclass(frozen=True)
class OwnInput:
    """What a user wants explained: one of `prompt` and `audio`."""

    prompt: str = ""
    audio: str = ""
    """Path of a recording."""
    reference: str = ""
    """What is said in the recording; empty where the model's own transcript stands for it."""
    digest: str = ""
    """Of the recording's bytes, so that another sound under the same name is another input."""

    @property
    def kind(self) -> str:
        """Which of the two it is."""
        return "audio" if self.audio else "prompt"

    @property
    def text(self) -> str:
        """The prompt, or the name of the recording's file, for people."""
        return Path(self.audio).name if self.audio else self.prompt

    @property
    def identity(self) -> str:
        """What seeds derive from: the words or the sound, wherever the file lies."""
        return f"{ID}-{self.digest or _digest(self.prompt.encode())}"

    @property
    def slug(self) -> str:
        """A folder's name for it: letters of its text that any file system takes, and the beginning of its digest."""
        words = re.sub(r"[^a-z0-9]+", "-", self.text.lower()).strip("-")[:LONGEST_SLUG].strip("-")
        return "-".join(filter(None, (words, self.identity.removeprefix(f"{ID}-")[:8])))

    @property
    def parameters(self) -> dict[str, str]:
        """What `load` makes its record of, as a card has it."""
        return {name: value for name, value in asdict(self).items() if value}

    def transcribed(self, fields: Mapping[str, Any]) -> OwnInput:
        """The input with the model's transcript, among an item's fields, as the reference of a sound that has none."""
        return replace(self, reference=str(fields["text"])) if self.audio and not self.reference else self


@dataclass(frozen=True)
class OwnRecording:
    """A recording that is read when it is called with a sample rate, and refused where it is another one by now."""

    path: Path
    digest: str

    def __call__(self, sample_rate: int) -> NDArray[np.float32]:
        """Samples [S] in [-1, 1]; raises InvalidItemError as `audio_files.read_audio`."""
        if self.digest and digest_of(self.path) != self.digest:
            raise InvalidItemError(f"{self.path}: changed while it was explained; run the same command again")
        return read_audio(self.path, sample_rate)


def own_prompt(text: str) -> OwnInput:
    """A prompt that was typed; raises EarwitnessError where it has no words or holds what is no letter."""
    if is_blank(text):
        raise EarwitnessError("--prompt has no words; write what the sound should be")
    wrong = next((letter for letter in text if steers(letter)), None)
    if wrong is not None:
        raise EarwitnessError(f"--prompt holds the control character U+{ord(wrong):04X}; take it out")
    return OwnInput(prompt=text)


def own_audio(path: Path, reference: str | None = None) -> OwnInput:
    """A recording in a file, with what is said in it if that is known; raises EarwitnessError where it is no file."""
    if reference is not None and is_blank(reference):
        raise EarwitnessError("--reference has no words; leave it out to compare with the model's own transcript")
    try:
        return OwnInput(audio=str(path.resolve()), reference=reference or "", digest=digest_of(path))
    except InvalidItemError as error:
        raise EarwitnessError(f"--audio {error}") from error


def digest_of(path: Path) -> str:
    """Digest of a file's bytes, 16 hex digits; raises InvalidItemError where it is no file that can be read."""
    try:
        if not path.is_file():
            raise InvalidItemError(f"{path}: {in_place_of(path)}")
        return _digest(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidItemError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def load(
    source: str,
    *,
    split: str,
    items: int,
    seed: int,
    prompt: str = "",
    audio: str = "",
    reference: str = "",
    digest: str = "",
) -> list[PromptRecord] | list[SpeechRecord]:
    """The one record of a prompt, or of a recording with its reference.

    Raises EarwitnessError where neither or both are given.
    """
    if bool(prompt) == bool(audio):
        raise EarwitnessError("an input of one's own is a prompt or a recording, one of them")
    if prompt:
        return [PromptRecord(ID, prompt, ID)]
    return [SpeechRecord(ID, reference, ID, OwnRecording(Path(audio), digest))]
