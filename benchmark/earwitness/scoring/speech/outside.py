"""What of the speech track goes through files: a weight for each cell of the spectrogram and each token before.

An explainer sees the spectrogram and no sound, so that none is handed out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.scoring.outside import ExpectedArray, TrackOutside

if TYPE_CHECKING:
    from earwitness.tracks.speech import SpeechItem


class SpeechOutside(TrackOutside):
    """Maps over the spectrogram and the tokens before."""

    def expected(self, item: SpeechItem) -> tuple[ExpectedArray, ...]:
        """The spectrogram's weights [O, T, M], and those of the tokens before [O, O]."""
        tokens = len(item.tokens)
        frames, bins = item.features.shape
        return (
            ExpectedArray("spectrogram", ((tokens, frames, bins),), "[O, T, M] in [0, 1]: how much each cell mattered"),
            ExpectedArray(
                "prefix",
                ((tokens, tokens),),
                "[O, O] in [0, 1], row k over the tokens before: 0 from the diagonal on",
            ),
        )


OUTSIDE = SpeechOutside()
