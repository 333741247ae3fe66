"""Anybody's text in Markdown: shown as it is, a call and a link to nobody; pages that are read once more."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from harm import refuse_harm
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.pull_requests.comment import MARK, MOST_BYTES, comment
from earwitness.pull_requests.text import APART, MARKS, MOST_LETTERS, MOST_LINES, cleaned, code, plain, table

LETTERS = st.text(alphabet=st.sampled_from(list(f"{MARKS}@#:/ w.G-H1a\n\r\t(){APART}\x1b\u202e\u2028é")), max_size=30)


def read(markdown: str) -> str:
    """What a reader of the Markdown sees of plain text."""
    return re.sub(rf"\\([{re.escape(MARKS)}])", r"\1", markdown).replace(APART, "")


@settings(max_examples=300, deadline=None)
@given(LETTERS)
def test_a_text_is_seen_as_it_is_and_does_nothing(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    seen = " ".join(text.replace(APART, "").split())
    assert read(shown) == "".join(letter if letter not in "\x1b\u202e" else "?" for letter in seen)
    refuse_harm(shown)
    assert cleaned(shown) == f"{shown}\n" or not shown


@settings(max_examples=300, deadline=None)
@given(LETTERS, LETTERS)
def test_a_page_of_ones_own_comes_out_as_it_went_in(first: str, second: str) -> None:
    lines = [f"### a: {code(first)} {plain(second)}", "", f"- x {plain(first)}".rstrip(), code(second)]
    lines += table(["a", plain(first)], [[code(second), f"x {plain(first)}".rstrip()], ["**regression**", "1"]])
    page = "\n".join(line.rstrip() for line in lines) + "\n"
    assert cleaned(page) == page


@settings(max_examples=300, deadline=None)
@given(LETTERS)
def test_any_page_is_made_harmless_at_once(page: str) -> None:
    once = cleaned(page)
    refuse_harm(once)
    assert all(cleaned(line) == f"{line}\n" for line in once.splitlines())


def test_what_is_known_to_do_something_does_nothing() -> None:
    page = (
        "# big\n<script>x</script>\n<!-- hidden\n@all GH-1 owner/name#2 https://a.example www.a.example a@b.example\n"
    )
    page += "![x](https://a.example/x.png) [x][y]\n[y]: https://a.example\n/retest\n::error::x\n"
    page += "$\\frac{}$ ~~x~~ &lt;\n| `a|b` | x |\n"
    found = cleaned(page)
    refuse_harm(found)
    assert found.splitlines()[:3] == ["#\u200b big", "\\<script\\>x\\</script\\>", "\\<\\!-- hidden"]
    assert "\\!\\[x\\](https:\u200b//a.example/x.png)" in found


def test_a_page_has_bounds() -> None:
    for page in ("x\n" * 10_000, "x" * 10**6, "@" * 10**6, "|" * 10**5):
        found = cleaned(page)
        assert len(found) < MOST_LETTERS + 200
        assert found.count("\n") < MOST_LINES + 5


def test_a_comment_says_what_the_event_told_and_why_there_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "report.zip"

    def archived(name: str, text: bytes) -> str:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, text)
        return comment(path, "c0ffee" * 7, "success")

    head = f"{MARK}\nOf commit `c0ffeec0ff`, the workflow ended with `success`. What follows was written where"
    assert archived("report.md", b"### x\xff\n").endswith("\n\n### x\ufffd\n")
    assert archived("report.md", b"fine").startswith(head)
    assert "There is no report to show: the archive has no report.md" in archived("other.md", b"x")
    # A bomb: a gigabyte would be some hundred kilobytes.
    assert f"report.md is longer than {MOST_BYTES:,} bytes" in archived("report.md", b"0" * (50 << 20))
    path.write_bytes(path.read_bytes()[:-30])
    assert "### " not in comment(path)
    path.write_bytes(b"")
    assert comment(path) == f"{MARK}\nThere is no report to show: the run left none; its log says why\n"
    path.unlink()
    assert "There is no report to show: report.zip cannot be read: FileNotFoundError" in comment(path)


@pytest.mark.parametrize("flag", [0x1, 0x20])
def test_an_archive_that_cannot_be_read_is_said_to_be_none(tmp_path: Path, flag: int) -> None:
    path = tmp_path / "report.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("report.md", "x")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= flag
    content[6] |= flag
    path.write_bytes(bytes(content))
    assert "There is no report to show: report.zip cannot be read: " in comment(path)
