"""The submission card: authors, paper, licence, and the explainer of each track with its parameters."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from earwitness import tracks
from earwitness.errors import is_blank, shortened
from earwitness.task import Card, Id, Name, Parameters, Text

ANONYMOUS = "anonymous"
"""Who stands for authors that are not named yet."""
MOST_AHEAD = 366
"""Days ahead that authors may ask not to be named."""
EARLIEST = date(2026, 1, 1)
"""No day on a card lies before: a slip of the pen would name authors at once."""

ENTRANT = "entrant"
"""Kind of those whose tries are counted: baselines and controls are the project's own, or the owner's."""


def today() -> date:
    """The day it is, in UTC."""
    return datetime.now(UTC).date()


def _day(text: str) -> str:
    """The text; raises ValueError where it is no day."""
    try:
        found = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"{shortened(text)!r} is no day; write it as YYYY-MM-DD")
    if found < EARLIEST:
        raise ValueError(f"{text} lies before {EARLIEST}; write the day that is meant")
    return text


Day = Annotated[str, AfterValidator(_day)]
"""A day as YYYY-MM-DD."""


class Paper(Card):
    """Where the method is published."""

    title: Text
    url: Annotated[Name, Field(pattern=r"^(https?://\S+)?$")] = ""
    reported: dict[Text, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    """Figures the paper reports, shown as reported, not reproduced."""


class BudgetCurve(Card):
    """Budgets that an explainer is run at, to see what each is worth."""

    parameter: str = Field(pattern=r"^[A-Za-z_]\w*$", max_length=80)
    """The parameter that is its budget (masks, epochs, steps); a greater value costs more."""
    values: tuple[Annotated[int, Field(ge=1, le=10**9)], ...] = Field(min_length=4, max_length=20)
    """Ascending, the card's own among them."""
    along: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Parameters that grow with it, as shares of it: whole numbers, and never less than 1."""

    @field_validator("values")
    @classmethod
    def _ascending(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if list(values) != sorted(set(values)):
            raise ValueError(f"must ascend; found {list(values)}")
        return values

    def at(self, value: int) -> dict[str, int]:
        """The parameters that make a budget."""
        return {self.parameter: value, **{name: max(1, round(share * value)) for name, share in self.along.items()}}


class ExplainerCard(Card):
    """The explainer of one track."""

    explainer: str = Field(pattern=r"^([A-Za-z_]\w*(\.\w+)*:)?[A-Za-z_]\w*$", max_length=200)
    """Class in the file, or `package.module:Class` of an installed package."""
    file: str = Field(pattern=r"^[a-z_]\w*\.py$", max_length=200, default="explainer.py")
    parameters: Parameters = Field(default_factory=dict)
    curve: BudgetCurve | None = None
    """Text for people, as far as identity goes."""

    @model_validator(mode="after")
    def _on_its_curve(self) -> Self:
        if self.curve is None:
            return self
        own = self.parameters.get(self.curve.parameter)
        if own not in self.curve.values:
            raise ValueError(
                f"curve: the card's own {self.curve.parameter}, {shortened(str(own))}, is none of its values "
                f"{list(self.curve.values)}"
            )
        for name, value in self.curve.at(int(str(own))).items():
            if self.parameters.get(name) != value:
                found = shortened(str(self.parameters.get(name)))
                raise ValueError(
                    f"curve: along with {own} {self.curve.parameter} go {value} {name}; the card has {found}"
                )
        return self

    @property
    def budget(self) -> int | None:
        """Its own place on its curve; None where it has none."""
        return None if self.curve is None else int(str(self.parameters[self.curve.parameter]))

    def at(self, value: int) -> ExplainerCard:
        """The explainer at another budget; raises ValueError where it has no curve."""
        if self.curve is None:
            raise ValueError("the card has no curve")
        return self.model_copy(update={"parameters": {**self.parameters, **self.curve.at(value)}, "curve": None})


class SubmissionCard(Card):
    """An explainer with its authors, paper, licence and parameters.

    A method of one track gives `track`, `explainer` and `parameters`, and its code stands in `explainer.py`; a method
    of several tracks has a table `[explainers.<track>]` for each instead. Explanations that were made elsewhere come
    without an explainer: `explanations` names their tracks.
    """

    id: Id
    version: int = Field(ge=1, le=10**6, default=1)
    title: Text
    authors: tuple[Text, ...]
    licence: Name
    kind: str = Field(default=ENTRANT, pattern=f"^(baseline|control|{ENTRANT})$")
    """A control ignores the model; an entrant that does not beat it has shown nothing."""
    access: str = Field(default="", pattern="^(black box|white box)?$")
    """What it needs of the model: outputs for inputs of its choice (a black box), or gradients, attention and
    activations too (a white box). Empty: not said, as of controls that ask nothing. Text for people, as far as
    identity goes."""
    stochastic: bool | None = None
    """Whether explanations hang on the explainer seed; where they do not, one seed stands for all. None: not said."""
    explainers: dict[str, ExplainerCard] = Field(default_factory=dict)
    """By track; none where explanations are handed in."""
    explanations: tuple[str, ...] = ()
    """Tracks whose explanations were made elsewhere and lie in the folder `explanations`: no code is run."""
    method: str = Field(pattern=r"^([0-9a-f]{64})?$", default="")
    """SHA-256 of an archive of what made them: published before fresh items are drawn, it binds its authors to it."""
    paper: Paper | None = None
    anonymous_until: str = ""
    """The day from which boards name authors and paper; text for people, as far as identity goes."""

    @field_validator("anonymous_until")
    @classmethod
    def _until_a_day(cls, until: str) -> str:
        return until and _day(until)

    @field_validator("explainers", "explanations")
    @classmethod
    def _known_tracks(cls, named: Any) -> Any:
        for name in named:
            if name not in tracks.names():
                raise ValueError(f"no track is called {shortened(name)!r}; tracks: {', '.join(tracks.names())}")
        if len(set(named)) < len(named):
            raise ValueError("a track is named twice")
        return named

    @model_validator(mode="after")
    def _explained_one_way(self) -> Self:
        if bool(self.explainers) == bool(self.explanations):
            raise ValueError("a submission names explainers, or tracks of explanations that it hands in: one of both")
        if self.explanations and is_blank(self.licence):
            raise ValueError("licence is empty; say under which one the explanations may be shown, CC-BY-4.0, say")
        if self.method and not self.explanations:
            raise ValueError("method is for explanations that are handed in: the code of an explainer tells its own")
        return self

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks that it explains."""
        return self.explanations or tuple(self.explainers)

    def is_anonymous(self, on: date) -> bool:
        """Whether authors and paper are not to be named on a day."""
        return bool(self.anonymous_until) and on < date.fromisoformat(self.anonymous_until)

    def as_shown(self, on: date) -> SubmissionCard:
        """The card as others may see it on a day: without authors and paper while it is anonymous."""
        if not self.is_anonymous(on):
            return self
        return self.model_copy(update={"authors": (ANONYMOUS,), "paper": None})


def too_far(until: str, on: date) -> str:
    """What is wrong with a day until which authors ask not to be named, seen from another day; empty where nothing is.

    >>> too_far("2028-01-01", date(2026, 11, 30))
    'anonymous_until: 2028-01-01 lies more than 366 days ahead; name a day until 2027-12-01'
    >>> too_far("2027-12-01", date(2026, 11, 30))
    ''
    """
    last = on + timedelta(days=MOST_AHEAD)
    if date.fromisoformat(until) <= last:
        return ""
    return f"anonymous_until: {until} lies more than {MOST_AHEAD} days ahead; name a day until {last}"


def until_in(recipe: dict[str, Any]) -> str:
    """What the card of a run's submission, as its recipe has it, says of the day until which it is anonymous; empty
    where nothing is said."""
    submission = recipe.get("submission")
    card = submission.get("card") if isinstance(submission, dict) else None
    return str(card.get("anonymous_until") or "") if isinstance(card, dict) else ""


def readable_until(until: str) -> bool:
    """Whether a text is a day that a card may name."""
    try:
        return bool(_day(until))
    except ValueError:
        return False


def anonymous_in(recipe: dict[str, Any], on: date) -> bool:
    """Whether a run's recipe has authors who are not to be named on a day; what is no day hides them, too."""
    until = until_in(recipe)
    return bool(until) and (not readable_until(until) or on < date.fromisoformat(until))
