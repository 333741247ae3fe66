"""The suite of a dataset: its entry, and its first records with their sounds."""

from __future__ import annotations

import inspect
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from earwitness import registry, tracks
from earwitness.errors import EarwitnessError, InvalidItemError, one_line
from earwitness.harness.validation import contracts
from earwitness.harness.validation.alike import plain
from earwitness.harness.validation.pace import for_items, in_words, paced
from earwitness.harness.validation.signatures import untaken
from earwitness.harness.validation.steps import Options, Report, ReportNote, Say, Step, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from earwitness.harness.validation.contracts import Contract
    from earwitness.plugins import Adapter

ITEMS = 4
NEEDED = ("split", "items", "seed")
GIVEN = ("revision",)
NO_SPLIT = "no such split"


def validate(adapter: Adapter, options: Options, say: Say) -> Report:
    """Check a dataset on its first records."""
    found = SimpleNamespace(records=[])
    source, parameters = _source(options.source, adapter)

    def load(items: int = ITEMS, seed: int = 0, **given: Any) -> list[Any]:
        return list(adapter.entry(source, items=items, seed=seed, **{**parameters, **given}))

    def loads() -> Iterator[str]:
        found.records = load()
        if not found.records:
            yield "it has no records"
        if len(found.records) > ITEMS:
            yield f"asked for {ITEMS} items it gives {len(found.records)}; give the first of them alone"

    def are_records() -> Iterator[str]:
        track = options.track or _track(found.records)
        yield from wrong_records(found.records, contracts.of(track).RECORD)

    def honours() -> Iterator[str]:
        contract = contracts.of(options.track or _track(found.records))
        yield from _unlike(found.records, load(), contract, say, "the same call gives other records the second time")
        yield from _unlike(found.records[:1], load(items=1), contract, say, "of fewer items not the first are given")
        if adapter.says("MADE") and _ids(found.records) == _ids(load(seed=1)):
            yield "another seed gives the same ids: a world that is made (MADE) draws other items from another seed"
        try:
            load(split=NO_SPLIT)
        except EarwitnessError:
            return
        yield f"the split {NO_SPLIT!r} is read as if there were one; raise EarwitnessError that names the splits"

    def sound() -> Iterator[str]:
        contract, begun = contracts.of(options.track or _track(found.records)), monotonic()
        for record in paced(found.records, len(found.records), "records looked at", say):
            try:
                yield from contract.check_record(record, contract.SAMPLE_RATE)
            except InvalidItemError as error:
                yield f"item {record.id}: {error}"
        seconds, what = (monotonic() - begun) / len(found.records), "looking at a record, sounds included,"
        items = registry.task(options.source).card.dataset.items if options.source in registry.task_ids() else 0
        yield ReportNote(
            for_items(what, seconds, items, options.source) if items else f"{what} took {in_words(seconds)}"
        )

    steps = [
        Step("its entry and its parameters", lambda: untaken(adapter.entry, NEEDED, GIVEN)),
        Step(f"its first {ITEMS} records", loads),
        Step("whether they are records of its track, with ids and clusters", are_records),
        Step("whether split, items and seed are honoured, and records and sounds are the same twice", honours),
        Step("what is in them, sounds included", sound),
    ]
    return report("dataset", adapter.name, steps, say)


def wrong_records(records: Sequence[Any], kind: type[Any]) -> Iterator[str]:
    """A line for each record that is not of the track's type, or that repeats an id."""
    seen: set[str] = set()
    for number, record in enumerate(records):
        if not isinstance(record, kind):
            yield f"record {number} is {type(record).__name__} and must be {kind.__module__}.{kind.__name__}"
        elif record.id in seen:
            yield f"the id {record.id!r} stands twice; ids are unique in a dataset"
        else:
            seen.add(record.id)


def _track(records: Sequence[Any]) -> str:
    """The track whose records these are, of those that say what their records are."""
    known = {name: contracts.of(name).RECORD for name in tracks.names() if contracts.there(name)}
    found = [name for name, kind in known.items() if isinstance(records[0], kind)]
    if not found:
        kinds = ", ".join(f"{kind.__name__} ({name})" for name, kind in known.items())
        raise EarwitnessError(f"its records are {type(records[0]).__name__}; a track has one of {kinds}")
    return found[0]


def _source(source: str, adapter: Adapter) -> tuple[str, dict[str, Any]]:
    """Where to read, and the split and parameters of a task whose data is named instead."""
    if source not in registry.task_ids():
        return source, {}
    task = registry.task(source)
    card, taken = task.card.dataset, inspect.signature(adapter.entry).parameters
    given = {"split": card.split, **card.parameters}
    return task.source(card.source) if card.source else "", {k: v for k, v in given.items() if k in taken}


def _ids(records: Sequence[Any]) -> list[str]:
    return [str(record.id) for record in records]


def _unlike(first: Sequence[Any], second: Sequence[Any], contract: Contract, say: Say, fault: str) -> Iterator[str]:
    """Whether records differ from others in anything, to the last bit."""
    advice = "draw from the seed alone, and sort what is read from a folder"
    if len(first) != len(second):
        yield f"{fault}: {len(second)} of {len(first)}; {advice}"
        return
    both = list(zip(first, second, strict=True))
    for before, after in paced(both, len(both), "records compared with another load's", say):
        one, other = _contents(before, contract), _contents(after, contract)
        parts = [name for name in one if one[name] != other.get(name)]
        if parts:
            yield f"{fault}: {', '.join(parts)} of {before.id}; {advice}"
            return


def _contents(record: Any, contract: Contract) -> dict[str, Any]:
    """All that a record says and sounds like, by field, as can be compared; of a sound that is no use, why."""
    try:
        sounds = contract.sounds(record, contract.SAMPLE_RATE)
    except InvalidItemError as error:
        sounds = {"sounds": one_line(error)}
    return {**plain(record), **{name: plain(sound) for name, sound in sounds.items()}}
