"""What a card says for people: until when its authors are not named, and how it is cited."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from earwitness import submission
from earwitness.citing import UNNAMED, citation
from earwitness.cli import main
from earwitness.errors import InvalidCardError
from earwitness.submission import Submission, read_submission
from earwitness.submission_card import ANONYMOUS, Paper, SubmissionCard, anonymous_in

CARD = """
id = "mine"
track = "prompt"
title = "Mine & yours"
authors = ["Ann Able", "Bands and Filters Ltd"]
licence = "Apache-2.0"
explainer = "Mine"
"""
TODAY = date(2026, 11, 30)


@pytest.fixture(autouse=True)
def _on_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "today", lambda: TODAY)


def read(folder: Path, more: str = "") -> Submission:
    (folder / "submission.toml").write_text(CARD + more)
    (folder / "explainer.py").write_text("class Mine: ...\n")
    return read_submission(folder)


def card(**keys: Any) -> SubmissionCard:
    explainers = {"prompt": {"explainer": "Mine"}}
    told = {"id": "mine", "title": "Mine", "authors": ("Ann",), "licence": "MIT", "explainers": explainers}
    return SubmissionCard.model_validate({**told, **keys})


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("soon", "anonymous_until: 'soon' is no day; write it as YYYY-MM-DD"),
        ("20270301", "anonymous_until: '20270301' is no day; write it as YYYY-MM-DD"),
        ("2027-02-29", "anonymous_until: '2027-02-29' is no day; write it as YYYY-MM-DD"),
        ("1027-03-01", "anonymous_until: 1027-03-01 lies before 2026-01-01; write the day that is meant"),
        (
            "2027-12-02",
            "anonymous_until: 2027-12-02 lies more than 366 days ahead; name a day until 2027-12-01",
        ),
    ],
)
def test_a_day_that_is_none_or_implausible_is_one_line(tmp_path: Path, until: str, says: str) -> None:
    with pytest.raises(InvalidCardError) as caught:
        read(tmp_path, f'anonymous_until = "{until}"\n')
    assert str(caught.value) == f"{tmp_path / 'submission.toml'}: {says}"
    assert caught.value.exit_code == 2


def test_a_day_without_quotes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidCardError, match="holds a date or a time; write it as text"):
        read(tmp_path, "anonymous_until = 2027-03-01\n")


def test_authors_and_paper_are_named_from_that_day_on() -> None:
    paper = Paper(title="How", url="https://example.org/how")
    hidden = card(anonymous_until="2027-03-01", paper=paper)
    before, after = hidden.as_shown(date(2027, 2, 28)), hidden.as_shown(date(2027, 3, 1))
    assert (before.authors, before.paper) == ((ANONYMOUS,), None)
    assert after == hidden
    assert card(paper=paper).as_shown(TODAY).paper == paper


def test_identity_does_not_hang_on_the_day(tmp_path: Path) -> None:
    before = read(tmp_path).hash_for("prompt")
    assert read(tmp_path, 'anonymous_until = "2027-12-01"\n').hash_for("prompt") == before


def test_access_is_said_in_two_words_and_is_no_part_of_an_identity(tmp_path: Path) -> None:
    before = read(tmp_path).hash_for("prompt")
    said = read(tmp_path, 'access = "white box"\n')
    assert (said.card.access, said.hash_for("prompt")) == ("white box", before)
    with pytest.raises(InvalidCardError, match="access: "):
        read(tmp_path, 'access = "grey box"\n')


@pytest.mark.parametrize(
    ("until", "hidden"),
    [("", False), ("2026-11-30", False), ("2026-12-01", True), ("soon", True), (None, False)],
)
def test_a_recipe_tells_whether_it_names_who_is_anonymous(until: str | None, hidden: bool) -> None:
    assert anonymous_in({"submission": {"card": {"anonymous_until": until}}}, TODAY) == hidden
    assert not anonymous_in({}, TODAY)
    assert not anonymous_in({"submission": {"card": None}}, TODAY)


def test_a_citation_names_authors_version_hash_licence_and_paper() -> None:
    paper = Paper(title="How to {hear} 50 %", url="https://example.org/a{b}")
    named = card(title="Mine & yours", authors=("Ann Able", "Bands and Filters Ltd"), paper=paper)
    assert citation(named, "0123456789abcdef", TODAY, "2026") == "\n".join(
        [
            "@misc{earwitness:mine:01234567,",
            "  author = {{Ann Able} and {Bands and Filters Ltd}},",
            r"  title = {{Mine \& yours}},",
            "  year = {2026},",
            "  howpublished = {Earwitness submission mine, version 1, hash 0123456789abcdef},",
            "  url = {https://example.org/a%7Bb%7D},",
            r"  note = {Licence: MIT; method: How to \{hear\} 50 \%},",
            "}",
        ]
    )


def test_a_citation_names_nobody_before_the_day_and_says_from_when() -> None:
    hidden = card(authors=("Ann Able",), anonymous_until="2027-03-01", paper=Paper(title="How", url="https://a.org"))
    text = citation(hidden, "0123456789abcdef", TODAY)
    assert f"author = {{{{{ANONYMOUS}}}}}" in text
    assert "authors are named from 2027-03-01" in text
    assert not [word for word in ("Ann", "How", "a.org", "year") if word in text]


def test_a_card_without_licence_says_so_in_its_citation() -> None:
    assert f"Licence: {UNNAMED}" in citation(card(licence=""), "0123456789abcdef", TODAY)


def test_the_command_line_shows_the_citation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(tmp_path)
    for words in (["--json"], []):
        monkeypatch.setattr("sys.argv", ["earwitness", "submissions", str(tmp_path), *words])
        with pytest.raises(SystemExit) as caught:
            main()
        assert not caught.value.code
        out = capsys.readouterr().out
        shown = json.loads(out)["citation"] if words else out
        assert "{Bands and Filters Ltd}}," in shown
        assert "Licence: Apache-2.0" in shown
