"""What `earwitness run --dry-run` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.cli.output import notice, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.harness.dry_run import Forecast

UNKNOWN = "?"
MIB = 1 << 20
COLUMNS = ("task", "submission", "items", "forwards", "backwards", "explain", "score", "memory", "disk", "download")


def print_forecasts(found: Sequence[Forecast], workers: int, json: bool) -> None:
    """Print what runs will cost, and in all; `workers` share the work."""
    from earwitness.harness.validation.pace import in_words

    if json:
        print_json([each.record() for each in found])
        return
    print_table("", COLUMNS, [_record(each) for each in found])
    for each in found:
        for note in each.notes:
            notice(f"{each.submission} on {each.task}: {note}")
    known = [each.seconds for each in found if each.seconds is not None]
    if known:
        unmetered = f", without {len(found) - len(known)} that could not be metered" if len(known) < len(found) else ""
        print(
            f"about {in_words(sum(known) / workers)} with {workers} workers{unmetered}; time that models take to load "
            "comes on top. Taken from one item of each: others may cost more or less."
        )


def _record(each: Forecast) -> list[str]:
    from earwitness.harness.validation.pace import in_words

    count = each.items
    times = [None if value is None else count * value for value in (each.explain_seconds, each.score_seconds)]
    passes = [UNKNOWN if value is None else f"{count * value:,.0f}" for value in (each.forwards, each.backwards)]
    disk = None if each.disk_bytes is None else count * each.disk_bytes
    sizes = [UNKNOWN if size is None else f"{size / MIB:,.1f} MiB" for size in (each.peak_bytes, disk)]
    fetched = f"{each.download_bytes / MIB:,.0f} MiB" if each.download_bytes or each.download_known else ""
    fetched = fetched if each.download_known else f"{fetched} and more" if fetched else UNKNOWN
    words = [UNKNOWN if value is None else in_words(value) for value in times]
    return [each.task, each.submission, str(count), *passes, *words, *sizes, fetched]
