"""A submission that was fetched from the hub: a stranger's, whatever it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.hub.addresses import HubError, parse
from earwitness.hub.fetching import fetch
from earwitness.submission import CARD, Submission, read_submission

if TYPE_CHECKING:
    from earwitness.hub.fetching import Fetched
    from earwitness.submission import Budget
    from earwitness.submission_card import SubmissionCard


class HubSubmission(Submission):
    """A submission with the address that it was fetched from."""

    def __init__(self, card: SubmissionCard, fetched: Fetched, budget: Budget | None = None) -> None:
        super().__init__(card, fetched.folder, budget)
        self.fetched = fetched
        self.source = fetched.source

    def at(self, value: int) -> HubSubmission:
        """The submission at another budget, as `Submission.at`."""
        found = super().at(value)
        return HubSubmission(found.card, self.fetched, found.budget)


def from_hub(text: str) -> HubSubmission:
    """The submission at an address, fetched where it is not here.

    Raises HubError where it cannot be fetched, or runs code that is not in it; InvalidCardError on a broken card.
    """
    found = fetch(parse(text), CARD)
    submission = HubSubmission(read_submission(found.folder).card, found)
    for track, card in submission.card.explainers.items():
        if ":" in card.explainer:
            raise HubError(
                f"{found.source}: its explainer of the track {track} is an installed package's, {card.explainer}; what "
                "is run must be what was fetched: put the code into the repository"
            )
    return submission
