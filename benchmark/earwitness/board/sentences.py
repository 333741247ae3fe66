"""What a task's ranking comes to, in one plain sentence: who leads, who is not told apart from it, the cheapest of
them, how many items would settle it, and the largest caveat. Every word on who is better is the verdict engine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earwitness.board.cells import about, decimal, listed
from earwitness.board.matrix import SCORE, ranked_order
from earwitness.results.cube import FLOOR
from earwitness.stats.composite import MOST
from earwitness.stats.verdicts import LEVEL, Verdict, fewest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from earwitness.board.summary import Summary

Record = dict[str, Any]
NAMED = 7
"""Rivals that a sentence names; of more it gives the first ones and a number."""
CONTROL = "control"


@dataclass(frozen=True)
class Lead:
    """Who is ranked on a task, and who leads, by the verdicts on all pairs."""

    ranked: Sequence[str] = ()
    """The highest score first: that is who leads."""
    rivals: Sequence[str] = ()
    """Those of the others that the leader is not better than."""
    decidable: bool = True
    """Whether these items could tell any two apart."""


def lead(summary: Summary, labels: Sequence[str]) -> Lead:
    """The lead of a variant whose entrants go by some labels."""
    found = summary.placings
    if found is None:
        return Lead()
    if found.ranks is None:
        return Lead(decidable=False)
    order = ranked_order(found)
    first = found.entrants.index(order[0])
    rivals = [entrant for entrant in order[1:] if not found.better[first, found.entrants.index(entrant)]]
    return Lead([labels[entrant] for entrant in order], [labels[entrant] for entrant in rivals])


def sentence_record(tables: Mapping[str, Sequence[Record]], found: Lead, held_out: Sequence[Record] = ()) -> Record:
    """A task's sentence, and what it is made of, from the records of the board's other tables.

    Read are `tasks` (one record), `metrics`, `ranks`, `submissions`, `pairs`, `changes`, `exclusions` and `sanity`;
    held_out are the task's records of public against held-out items.
    """
    known = _Evidence(tables, found, held_out)
    nothing: Record = {
        "leader": None,
        "rivals": [],
        "cheapest": None,
        "needed_low": None,
        "needed_high": None,
        "caveat": "",
    }
    if not found.ranked:
        return {**nothing, "sentence": _unranked(known)}
    leader, (low, high) = found.ranked[0], known.needed()
    caveat = next(known.caveats(), "")
    parts = [_opening(known), *_equivalent(known), *_cost(known), *_needed(low, high), *([caveat] if caveat else [])]
    return {
        "leader": leader,
        "rivals": list(found.rivals),
        "cheapest": known.cheapest(),
        "needed_low": low,
        "needed_high": high,
        "caveat": caveat,
        "sentence": f"{'; '.join(parts)}.",
    }


class _Evidence:
    """The tables of a task, read for its sentence."""

    def __init__(self, tables: Mapping[str, Sequence[Record]], found: Lead, held_out: Sequence[Record]) -> None:
        self.task = tables["tasks"][0]
        self.metrics = tables.get("metrics", ())
        self.ranks = {record["entrant"]: record for record in tables.get("ranks", ())}
        self.controls = {r["entrant"] for r in tables.get("submissions", ()) if r["kind"] == CONTROL}
        self.changes, self.exclusions = tables.get("changes", ()), tables.get("exclusions", ())
        self.sanity = tables.get("sanity", ())
        self.held_out = held_out
        self.found = found
        self.leader = found.ranked[0] if found.ranked else ""
        against = [r for r in tables.get("pairs", ()) if (r["entrant"], r["metric"]) == (self.leader, SCORE)]
        self.pairs = {record["against"]: record for record in against}

    @property
    def unparted(self) -> list[str]:
        """The leader and its rivals, controls left out."""
        return [name for name in (self.leader, *self.found.rivals) if name not in self.controls]

    @property
    def equivalent(self) -> list[str]:
        """Rivals that are equivalent to the leader."""
        return [name for name in self.found.rivals if self._verdict(name) == Verdict.EQUIVALENT]

    @property
    def too_few(self) -> bool:
        """Whether of every rival the verdict is that items are too few, whatever they showed."""
        return bool(self.found.rivals) and all(self._verdict(name) == Verdict.TOO_FEW for name in self.found.rivals)

    def _verdict(self, name: str) -> str:
        return str(self.pairs.get(name, {}).get("verdict", ""))

    def cheapest(self) -> str | None:
        """Of the leader and its rivals, who takes the least CPU time; None where nobody saw any."""
        seen = [name for name in self.unparted if self.ranks[name]["seconds"] is not None]
        costs = {name: (self.ranks[name]["seconds"], self.ranks[name]["forwards"] or 0) for name in seen}
        return min(seen, key=costs.__getitem__) if seen else None

    def needed(self) -> tuple[float | None, float | None]:
        """The fewest and the most items that would tell the leader from a rival, at gaps as they are seen."""
        open_ones = [self.pairs.get(name, {}) for name in self.found.rivals if name not in self.equivalent]
        counts = [record["needed"] for record in open_ones if record.get("needed") is not None]
        return (min(counts), max(counts)) if counts else (None, None)

    def caveats(self) -> Iterator[str]:
        """What speaks against the leader or the ranking, the gravest first."""
        among = [name for name in self.found.rivals if name in self.controls]
        if among and self.leader not in self.controls:
            which = "a control, is" if len(among) == 1 else "controls, are"
            yield f"caveat: {listed(among)}, {which} among them"
        if any(record["entrant"] == self.leader and record["flagged"] for record in self.held_out):
            yield f"caveat: {self.leader} is not the same on held-out items, beyond chance"
        for name in dict.fromkeys(filter(None, (self.leader, self.cheapest()))):
            flag = next((r["flag"] for r in self.sanity if r["entrant"] == name and r["flag"]), "")
            if flag:
                yield f"caveat: explanations of {name} {flag.removeprefix('They ').partition(':')[0]}"
        yield from self._turns()
        if self.task["ranked_by"] == "raw":
            yield f"caveat: the rank is by {self.task['main_metric']} alone, uncalibrated"
        heavy = [m for m in self.metrics if m["share"] is not None and m["share"] > MOST]
        if heavy and len(self.task["headline"]) > 1:
            yield f"caveat: {heavy[0]['metric']} alone makes {100 * heavy[0]['share']:.0f} % of what parts the scores"
        dull = [metric["metric"] for metric in self.metrics if metric["headline"] and metric["informative"] is False]
        if dull:
            yield f"caveat: {listed(dull)} {'is' if len(dull) == 1 else 'are'} uninformative here and in no score"
        yield from self._order()
        if self.ranks[self.leader]["failed"]:
            yield f"caveat: {self.leader} failed on {self.ranks[self.leader]['failed']} items"

    def _turns(self) -> Iterator[str]:
        """Changes under which somebody is better than the leader, the one that most are first."""
        told = [(record, f"under {record['change']}") for record in self.changes]
        told += [(record, f"without {record['metric']}") for record in self.exclusions]
        turned = [
            (record["rank_low"], how)
            for record, how in told
            if record["entrant"] == self.leader and (record["rank_low"] or 1) > 1
        ]
        for low, how in sorted(turned, key=lambda turn: -turn[0]):
            many = "another submission is" if low == 2 else f"{low - 1} others are"
            yield f"caveat: {many} better than {self.leader} {how}"

    def _order(self) -> Iterator[str]:
        """Changes under which the order is less alike than that of ties is by chance."""
        told = {
            record["change"]: record["tau"]
            for record in self.changes
            if None not in (record["tau"], record["tau_low"]) and record["tau"] < record["tau_low"]
        }
        if told:
            change = min(told, key=told.__getitem__)
            yield f"caveat: under {change} the order is another (Kendall's tau {decimal(told[change])})"


def _unranked(known: _Evidence) -> str:
    """Why nobody leads."""
    task = known.task
    if not known.found.decidable:
        least = fewest(LEVEL)
        more = f"; it takes {least} clusters at least" if task["clusters"] < least else ""
        return (
            f"Nobody leads: {task['items']} items in {task['clusters']} clusters are too few items to tell any two "
            f"submissions apart{more}."
        )
    headline = [metric for metric in known.metrics if metric["headline"]]
    if task["floor"] is None:
        return f"Nobody is ranked: there are no rows of {FLOOR}, from which every scale begins."
    if headline and all(metric["informative"] is False for metric in headline):
        return "Nobody is ranked: by the task's audit none of its headline metrics is informative."
    if task["ranked_by"] != "raw" and not task["headline"]:
        return "Nobody is ranked: none of the headline metrics has both an audit and a ceiling."
    return "Nobody is ranked: no submission has values of every item and metric that the rank is made of."


def _opening(known: _Evidence) -> str:
    """Who leads, and who is not told apart from it."""
    leader, items = known.leader, known.task["items"]
    score = known.ranks[leader]["score"]
    at = "" if score is None else f" (score {decimal(score)})"
    others, rivals = len(known.found.ranked) - 1, list(known.found.rivals)
    if not others:
        return f"{leader}{at} is alone in the ranking: there is nobody to compare it with"
    name = f"The control {leader}" if leader in known.controls else leader
    if not rivals:
        whom = f"all {others} others" if others > 1 else known.found.ranked[1]
        return f"{name} leads alone{at}: on {items} items it is better than {whom}"
    if len(rivals) > NAMED:
        rivals = [*rivals[: NAMED - 1], f"{len(rivals) - NAMED + 1} more"]
    do_not = "are too few to" if known.too_few else "do not"
    return f"{name} leads{at}, but {items} items {do_not} tell it apart from {listed(rivals)}"


def _equivalent(known: _Evidence) -> Iterator[str]:
    """Who is equivalent to the leader."""
    alike = known.equivalent
    if alike:
        yield f"{listed(alike)} {'is' if len(alike) == 1 else 'are'} equivalent to {known.leader}"


def _cost(known: _Evidence) -> Iterator[str]:
    """The cheapest of those that are not told apart."""
    cheapest = known.cheapest()
    if cheapest is None:
        return
    cost = f"{known.ranks[cheapest]['seconds']:.2g} CPU s an item"
    if len(known.unparted) < 2:
        yield f"{'it' if cheapest == known.leader else cheapest} takes {cost}"
    else:
        yield f"the cheapest of these {len(known.unparted)} is {cheapest} ({cost})"


def _needed(low: float | None, high: float | None) -> Iterator[str]:
    """How many items would settle who leads."""
    if low is not None and high is not None:
        few, many = about(low), about(high)
        yield f"at gaps as seen, about {few if few == many else f'{few} to {many}'} items would settle it"
