"""Tables: whatever a row holds is read as it was written, or the line is named."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from earwitness.datasets.captions import Columns, read_csv, records
from earwitness.datasets.tables import TableRow, read_table
from earwitness.errors import EarwitnessError

COLUMNS = Columns(key="id", caption="caption", cluster="id")
CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any text that UTF-8 can hold: separators, quotes, line ends of every script, NUL."""


def table(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path) -> str:
    with pytest.raises(EarwitnessError) as caught:
        read_table(path, "fetch it")
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(str(path))
    assert ";" in said, "the message does not say what to do"
    return said.removeprefix(str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


def test_a_row_has_the_line_in_which_it_starts(path: Path) -> None:
    found = read_table(table(path, 'a, b \n1,"x\r\ny"\n\n  \n2,z\r3,\n'), "")
    assert found.columns == ("a", "b")
    assert found.rows == (TableRow(2, ("1", "x\r\ny")), TableRow(6, ("2", "z")), TableRow(7, ("3", "")))
    assert found.where(found.rows[1]) == f"{path}, line 6"


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_no_separator_of_running_text_ends_a_row(path: Path, separator: str, quote: str) -> None:
    found = read_table(table(path, f"a,b\n1,{quote}loud{separator}drums{quote}\n2,x\n"), "")
    assert [row.cells for row in found.rows] == [("1", f"loud{separator}drums"), ("2", "x")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,x\n2\n", ", line 3: 1 cells under a header of 2; put quotes around a cell with commas or line ends"),
        ("a,b\n1,x,y\n2,z\n", ", line 2: 3 cells under a header of 2; put quotes"),
        ("a,b\n1,two\nlines\n2,z\n3\n", ", line 3: 1 cells under a header of 2, and 1 more such; put quotes"),
        ('a,b\n1,x\n2,"open\n3,z\n', ", line 3: not CSV: a quote opens a cell here and none closes it; close it"),
        ('a,b\n1,"a \\"wah\\" guitar"\n', ", line 2: not CSV: text follows the quote that closes a cell; double the"),
        (f"a,b\n1,x\n2,{'x' * 200_000}\n", ", line 3: not CSV: a cell of more than 131072 characters; close its quote"),
        ("a\0,\0b\0\n\0", ": UTF-16 or UTF-32, not UTF-8; save it as UTF-8"),
        ("a;b\n1;x\n", ": one column, its cells separated by semicolons; write it with commas"),
        ("a\tb\n1\tx, y\n", ": one column, its cells separated by tabs; write it with commas"),
        ("a,b, a \n1,x,2\n", ": two columns 'a'; take one out"),
        ("", ": empty; write a header"),
        ("\n \r\n", ": empty; write a header"),
        ("a,b\n".encode("utf-16"), ": UTF-16 or UTF-32, not UTF-8; save it as UTF-8"),
        ("a,b\n".encode("utf-16-le"), ": UTF-16 or UTF-32, not UTF-8; save it as UTF-8"),
        ("a,b\n".encode("utf-32"), ": UTF-16 or UTF-32, not UTF-8; save it as UTF-8"),
        (b"a,b\n1,x\n2,caf\xe9\n", ", line 3: not UTF-8 (byte 0xe9); save it as UTF-8"),
    ],
)
def test_what_is_no_table_is_one_line_that_names_the_place(path: Path, content: str | bytes, said: str) -> None:
    assert refused(table(path, content)).startswith(said)


def test_a_missing_file_and_column_are_named(path: Path) -> None:
    assert refused(path) == ": no such file; fetch it"
    with pytest.raises(EarwitnessError, match=r"a\.csv: no column c, d; found a, one without a name$"):
        read_table(table(path, "a,\n"), "").require(["a", "c", "d", "c"])


@pytest.mark.parametrize(
    "before",
    ["sep=,\n", "SEP=,\r\n", '"sep=,"\n', "\ufeffsep=,\n", "# made by hand\n", "# made by hand,,\n\n#\tin 2019\n"],
)
def test_lines_before_the_header_that_are_no_header_are_skipped(path: Path, before: str) -> None:
    found = read_table(table(path, before + "a,b\n1,x\n"), "")
    assert (found.columns, [row.cells for row in found.rows]) == (("a", "b"), [("1", "x")])
    assert found.rows[0].line == before.count("\n") + 2


def test_another_mark_than_a_comma_is_named_and_a_comment_with_commas_too(path: Path) -> None:
    assert refused(table(path, "sep=;\na;b\n1;x\n")) == ", line 1: cells separated by ';'; write it with commas"
    with pytest.raises(
        EarwitnessError, match="no column a; found # by me, in 2019; if its first line is a comment, take"
    ):
        read_table(table(path, "# by me, in 2019\na,b\n"), "").require(["a"])


def test_a_number_sign_may_be_the_name_of_a_column(path: Path) -> None:
    assert read_table(table(path, "#,a\n1,x\n"), "").columns == ("#", "a")
    assert read_table(table(path, "#id,a\n1,x\n"), "").columns == ("#id", "a")


def test_rows_of_commas_alone_are_blank(path: Path) -> None:
    found = read_table(table(path, ",\na,b\n,\n1,x\n , \n,,,\n2,y\n,\n"), "")
    assert found.rows == (TableRow(4, ("1", "x")), TableRow(7, ("2", "y")))


def test_capitals_of_a_caption_tables_header_mean_nothing(path: Path) -> None:
    ((_, row),) = read_csv(table(path, "ID,Caption\n1,x\n"), COLUMNS)
    assert row == {"id": "1", "caption": "x"}
    ((_, row),) = read_csv(table(path, "id,Caption,caption\n1,x,y\n"), COLUMNS)
    assert row == {"id": "1", "Caption": "x", "caption": "y"}, "the name as it is written goes first"
    with pytest.raises(EarwitnessError, match=r"two columns 'caption'; take one out"):
        read_csv(table(path, "id,Caption,CAPTION\n1,x,y\n"), COLUMNS)


def test_what_is_there_in_place_of_a_table_is_said(path: Path) -> None:
    path.mkdir()
    assert refused(path) == ": a folder, not a file; fetch it"
    path.rmdir()
    os.mkfifo(path)
    assert refused(path) == ": a pipe, a socket or a device, not a file; fetch it"
    path.unlink()
    path.symlink_to(path.parent / "gone")
    assert refused(path) == ": a link to a file that is not there; fetch it"


def test_empty_cells_beyond_the_header_are_left_out(path: Path) -> None:
    found = read_table(table(path, "\ufeff\ufeffa,b\n1,x,,\n2,, \n"), "")
    assert (found.columns, [row.cells for row in found.rows]) == (("a", "b"), [("1", "x"), ("2", "")])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    captions=st.lists(st.tuples(CELLS, CELLS), max_size=6),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_records_are_the_rows_that_were_written_or_a_line_is_named(
    tmp_path: Path, captions: list[tuple[str, str]], ending: str, quoting: int
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=ending, quoting=quoting)
    writer.writerows([("id", "caption", "other"), *((f"r{n}", *cells) for n, cells in enumerate(captions))])
    # Of a file with more of them UTF-16 is said.
    assume(8 * stream.getvalue().count("\0") < len(stream.getvalue()))
    path = table(tmp_path / "any.csv", stream.getvalue())
    try:
        found = list(records(str(path), read_csv(path, COLUMNS), COLUMNS))
    except EarwitnessError as error:
        said = str(error)
    else:
        said = ""
    if said:
        # A writer that is told to quote what it must leaves the line ends of other systems bare.
        bare = quoting == csv.QUOTE_MINIMAL and any(mark in cell for row in captions for cell in row for mark in "\r\n")
        assert bare
        assert re.search(r"any\.csv, line \d+: ", said)
    else:
        assert [(record.id, record.prompt) for record in found] == [
            (f"r{n}", " ".join(caption.split())) for n, (caption, _) in enumerate(captions)
        ]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines=st.lists(st.text('ab,;"\\ \t\r\n\u2028\x85\x0b', max_size=10), min_size=1, max_size=5))
def test_any_text_is_a_table_of_full_rows_or_one_line(tmp_path: Path, lines: list[str]) -> None:
    path, text = tmp_path / "any.csv", "\n".join(["a,b", *lines])
    table(path, text)
    try:
        found = read_table(path, "")
    except EarwitnessError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert re.match(r"[^\n]*any\.csv, line \d+: [^\n]+$", said)
        return
    assume('"' not in text)
    # Without quotes a table is its lines, split at their commas; commas at their ends are no cells.
    slow = [line.split(",") for line in re.split(r"\r\n|\r|\n", text)[1:]]
    slow = [cells for cells in slow if "".join(cells).strip()]
    assert [list(row.cells) for row in found.rows] == [cells[:2] for cells in slow]
    assert not "".join("".join(cells[2:]) for cells in slow).strip()
