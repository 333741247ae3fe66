"""Who is let into the ranks of a board with an owner, and how often somebody may try."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from earwitness import board
from earwitness.board.tries import EntrantVersion, began, merged, tried, version_records
from lives import QUICK, TODAY, asked, built, entrant_run, entrants, everything, notices_file, write_runs

ANN, BEN = ("Ann",), ("Ben",)
FIRST = EntrantVersion("t", "a", "1" * 16, "2026-11-01T00:00:00+00:00", "entrant", ANN)


def left_out(folder: Path, notices: Path | None, on: date = TODAY) -> tuple[str, Path]:
    """The one line that a build ends with, and the board of the others."""
    with pytest.raises(board.UnreadRunsError) as caught:
        built(folder, notices, on)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    return str(caught.value), caught.value.path


def test_a_card_without_licence_is_left_out_where_the_board_has_an_owner(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "occlusion", "random")
    run = entrant_run(tmp_path / "runs", "attention", licence=" ")
    line, path = left_out(tmp_path, notices_file(tmp_path))
    assert f"{run}: its card names no licence; say by which one others may use it" in line
    assert entrants(path) == {"occlusion", "random"}


def test_without_an_owners_file_it_is_ranked_and_its_licence_is_said_to_be_none(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "random")
    entrant_run(tmp_path / "runs", "attention", licence="")
    records = {record["entrant"]: record["licence"] for record in board.ranking_records(built(tmp_path))}
    assert records == {"attention": "none named", "random": "Apache-2.0"}


def test_two_submissions_of_one_id_are_not_mixed_and_the_first_stays(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "random")
    entrant_run(tmp_path / "runs", "attention", started="2026-11-05", authors=["Ann"])
    other = entrant_run(tmp_path / "runs", "attention", hash="b" * 16, started="2026-11-06", authors=["Ben"])
    line, path = left_out(tmp_path, notices_file(tmp_path))
    assert f"{other}: another submission, by other authors, was called attention before" in line
    assert entrants(path) == {"attention", "random"}
    # Whoever was first on this board stays so, though its run is gone.
    for run in (tmp_path / "runs").glob("*__attention__????????"):
        run.rename(tmp_path / "elsewhere")
    assert "was called attention before" in left_out(tmp_path, notices_file(tmp_path))[0]


def test_versions_that_share_an_author_are_one_submissions(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "random")
    entrant_run(tmp_path / "runs", "attention", authors=["Ann"])
    entrant_run(tmp_path / "runs", "attention", hash="b" * 16, authors=["Ben", "Ann"])
    assert len(entrants(built(tmp_path, notices_file(tmp_path)))) == 3


def test_a_withdrawn_entrant_that_is_submitted_again_is_left_out_and_named(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "random", "occlusion")
    entrant_run(tmp_path / "runs", "attention", started="2026-11-09")
    notice = {"kind": "withdrawn", "entrant": "attention", "date": "2026-11-10"}
    assert entrants(built(tmp_path, notices_file(tmp_path, notice))) == {"random", "occlusion"}
    again = entrant_run(tmp_path / "runs", "attention", hash="c" * 16, started="2026-11-11")
    line, path = left_out(tmp_path, notices_file(tmp_path, notice))
    assert f"{again}: attention was withdrawn on 2026-11-10 and is submitted again; take the notice back" in line
    assert line.count("submitted again") == 1
    assert entrants(path) == {"random", "occlusion"}
    # One version that was withdrawn keeps no other one away.
    version = {**notice, "submission_hash": "c" * 16, "date": "2026-11-11"}
    assert len(entrants(built(tmp_path, notices_file(tmp_path, version)))) == 3


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("2027-12-02", "anonymous_until: 2027-12-02 lies more than 366 days ahead; name a day until 2027-12-01"),
        ("next spring", "anonymous_until: no day; mend the card and run it again"),
    ],
)
def test_a_run_whose_day_of_being_named_cannot_be_is_left_out(tmp_path: Path, until: str, says: str) -> None:
    write_runs(tmp_path / "runs", "random")
    run = entrant_run(tmp_path / "runs", "attention", anonymous_until=until)
    line, path = left_out(tmp_path, None)
    assert f"{run}: {says}" in line
    assert entrants(path) == {"random"}


def test_a_try_over_the_limit_is_not_ranked_and_said(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "random")
    for day, hash in enumerate(("", "b" * 16, "c" * 16), start=1):
        entrant_run(tmp_path / "runs", "attention", hash=hash, started=f"2026-11-0{day}", kind="entrant")
    path = built(tmp_path, notices_file(tmp_path, tries_a_month=2))
    assert entrants(path) == {"random", "attention~bbbbbb", "attention~000000"}
    (over,) = asked(path, "SELECT * FROM notices")
    assert (over["kind"], over["entrant"], over["submission_hash"]) == ("over the limit", "attention", "c" * 16)
    assert over["reason"] == "of its authors' tries in 2026-11, the first 2 are ranked"
    tries = {r["submission_hash"]: r for r in asked(path, "SELECT * FROM versions WHERE kind = 'entrant'")}
    assert [(tries[h]["tries_in_month"], tries[h]["tries"]) for h in ("b" * 16, "c" * 16)] == [(2, 3), (3, 3)]
    assert {record["limit"] for record in tries.values()} == {2}
    # Who had been ranked counts on, though its run is gone.
    for run in (tmp_path / "runs").glob("*_bbbb"):
        run.rename(tmp_path / "elsewhere")
    path = built(tmp_path, notices_file(tmp_path, tries_a_month=2))
    assert [notice["submission_hash"] for notice in asked(path, "SELECT * FROM notices")] == ["c" * 16]


def test_tries_are_of_a_month_a_task_and_those_who_share_an_author() -> None:
    second = replace(FIRST, submission_hash="2" * 16, first="2026-11-02T00:00:00+00:00")
    others = [
        replace(second, task="other"),
        replace(second, first="2026-12-01T00:00:00+00:00", submission_hash="3" * 16),
        replace(second, submission="b", authors=BEN),
        replace(second, submission="c", kind="baseline"),
    ]
    assert tried(FIRST, [FIRST, second, *others]) == [FIRST]
    assert tried(second, [FIRST, second, *others]) == [FIRST, second]
    shared = replace(second, submission="d", authors=(*BEN, *ANN), first="2026-11-03T00:00:00+00:00")
    assert len(tried(shared, [FIRST, second, shared, *others])) == 4


def test_an_anonymous_entrant_is_counted_for_itself_alone_in_what_is_shown() -> None:
    hidden = replace(FIRST, submission="b", first="2026-11-02T00:00:00+00:00", anonymous=True)
    assert len(tried(hidden, [FIRST, hidden])) == 2
    shown = {record["submission"]: record for record in version_records([FIRST, hidden])}
    assert shown["b"]["authors"] == []
    assert (shown["a"]["tries_in_month"], shown["b"]["tries_in_month"]) == (1, 1)


def test_a_version_keeps_the_earlier_time_and_what_is_known_of_it_now() -> None:
    late = replace(FIRST, first="2026-11-20T00:00:00+00:00", authors=BEN)
    assert merged([FIRST], [late]) == [replace(late, first=FIRST.first)]
    assert merged([], [late]) == [late]


def test_a_run_began_when_its_recipe_says_in_utc() -> None:
    assert began({"started": "2026-12-01T01:00:00+02:00"}, TODAY) == "2026-11-30T23:00:00+00:00"
    for recipe in ({}, {"started": None}, {"started": "yesterday"}):
        assert began(recipe, TODAY) == "2026-11-30"


def test_one_card_that_asks_for_it_hides_the_authors_of_all_runs_of_a_version(tmp_path: Path) -> None:
    entrant_run(tmp_path / "runs", "random")
    entrant_run(tmp_path / "runs", "attention", authors=["Zenobia Quux"])
    entrant_run(tmp_path / "more", "attention", authors=["Zenobia Quux"], anonymous_until="2027-03-01")
    places = [tmp_path / "runs", tmp_path / "more"]
    for order in (places, places[::-1]):
        path = board.build(order, tmp_path / "board", QUICK, on=TODAY)
        assert "A. Author" in everything(path)
        assert "Quux" not in everything(path)
        assert asked(path, "SELECT authors FROM versions WHERE submission = 'attention'") == [{"authors": []}]


def test_authors_and_source_are_in_no_file_of_the_board_before_the_day(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "random", "occlusion")
    paper = {"title": "Very Telling", "url": "https://example.org/telling"}
    entrant_run(
        tmp_path / "runs",
        "attention",
        anonymous_until="2027-03-01",
        authors=["Zenobia Quux"],
        paper=paper,
        kind="entrant",
    )
    path = built(tmp_path, notices_file(tmp_path), on=date(2027, 2, 28))
    page = board.export(tmp_path / "board", tmp_path / "page")
    content = everything(path)
    secrets = ("Zenobia", "Very Telling", "example.org/telling", "secretive")
    # Of those who are named, the source is there: what is looked for would be seen.
    assert "secretive" in content
    mine = json.dumps(asked(path, "SELECT * FROM runs WHERE entrant = 'attention'"))
    assert not [secret for secret in secrets if secret in mine]
    assert not [secret for secret in secrets[:3] if secret in content + page.read_text(encoding="utf-8")]
    assert not [secret for secret in secrets[:3] if secret.encode() in path.read_bytes()]
    (shown,) = asked(path, "SELECT card, citation FROM submissions WHERE entrant = 'attention'")
    assert json.loads(shown["card"])["authors"] == ["anonymous"]
    assert "authors are named from 2027-03-01" in shown["citation"]
    assert "authors are named from 2027-03-01" in page.read_text(encoding="utf-8")
    # From the day on they are named.
    after = built(tmp_path, notices_file(tmp_path), on=date(2027, 3, 1))
    (shown,) = asked(after, "SELECT card, citation FROM submissions WHERE entrant = 'attention'")
    assert json.loads(shown["card"])["authors"] == ["Zenobia Quux"]
    assert "Zenobia Quux" in shown["citation"]
    assert asked(after, "SELECT authors FROM versions WHERE submission = 'attention'") == [
        {"authors": ["Zenobia Quux"]}
    ]
