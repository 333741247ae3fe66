"""What the verdict on two entrants by the score comes to, in a sentence."""

from __future__ import annotations

from typing import Any

from earwitness.board.cells import about, decimal
from earwitness.board.matrix import SCORE
from earwitness.stats.verdicts import Verdict

Record = dict[str, Any]


def pair_sentence(pair: Record, score: str = "the score") -> str:
    """A sentence on a record of the table `pairs`; `score` is what entrants are ranked by, in words.

    >>> pair_sentence({"entrant": "a", "against": "b", "metric": "score", "verdict": "better", "gain": 0.2, "low": 0.1,
    ...     "high": 0.3, "items": 40, "needed": 12.0})
    'By the score a is better than b, by 0.20 [0.10, 0.30] on 40 items.'
    >>> pair_sentence({"entrant": "a", "against": "b", "metric": "fid", "verdict": "not told apart", "gain": 0.02,
    ...     "low": -0.1, "high": 0.1, "items": 40, "needed": 4321.0})
    'By fid a and b are not told apart on 40 items; about 4,300 would tell a gap as large as the one seen.'
    """
    one, other, items = pair["entrant"], pair["against"], pair["items"]
    by = f"By {score if pair['metric'] == SCORE else pair['metric']}"
    verdict, gain = pair["verdict"], pair["gain"]
    if gain is None:
        return f"{by} nothing is said of {one} and {other}: no item has a value of both that counts."
    if verdict in (Verdict.BETTER, Verdict.WORSE):
        best, rest = (one, other) if verdict == Verdict.BETTER else (other, one)
        ends = sorted(abs(end) for end in (pair["low"], pair["high"]) if end is not None)
        interval = f" [{', '.join(map(decimal, ends))}]" if len(ends) == 2 else ""
        return f"{by} {best} is better than {rest}, by {decimal(abs(gain))}{interval} on {items} items."
    if verdict == Verdict.EQUIVALENT:
        return f"{by} {one} and {other} are equivalent on {items} items."
    if verdict == Verdict.TOO_FEW:
        return f"{by} {items} items are too few to say anything of {one} and {other}."
    needed = (
        "" if pair["needed"] is None else f"; about {about(pair['needed'])} would tell a gap as large as the one seen"
    )
    return f"{by} {one} and {other} are not told apart on {items} items{needed}."
