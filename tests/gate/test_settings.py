from pathlib import Path

import pytest

from earwitness.errors import EarwitnessError
from earwitness.gate import Mode, Settings, parse, read_settings

RULE = "fid_f worse by >2% at p<0.05"


def write(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_rules_baseline_and_mode_are_read_from_the_pyproject(tmp_path: Path) -> None:
    table = ("[tool.earwitness.check]", f'fail_if = ["{RULE}"]', 'against = "b/rows.parquet"', 'mode = "non-inferior"')
    found = read_settings(write(tmp_path, *table))
    assert found == Settings((parse(RULE),), tmp_path / "b" / "rows.parquet", Mode.NON_INFERIOR)


def test_one_rule_needs_no_list(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "[tool.earwitness.check]", f'fail_if = "{RULE}"')).fail_if == (parse(RULE),)


def test_a_folder_below_the_pyproject_has_its_settings(tmp_path: Path) -> None:
    write(tmp_path, "[tool.earwitness.check]", f'fail_if = "{RULE}"')
    (tmp_path / "a" / "b").mkdir(parents=True)
    found = read_settings(tmp_path / "a" / "b")
    assert found.fail_if == (parse(RULE),)
    assert found.against == tmp_path / "baseline.parquet"


def test_a_pyproject_without_the_table_has_no_rules(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path, "[tool.other]", "a = 1")) == Settings((), tmp_path / "baseline.parquet")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (('fail_of = "x"',), "unknown key 'fail_of'; keys: against, fail_if, items, mode, submission, task"),
        (("fail_if = 3",), "fail_if is no text"),
        (('fail_if = ["a", 3]',), "fail_if is no text"),
        (('fail_if = "fid_f worse"',), "expected 'by'"),
        (("against = 3",), "against is no path"),
        (('mode = "strict"',), "mode 'strict' is none of proven-worse, non-inferior"),
        (("mode =",), "cannot be read"),
    ],
)
def test_what_is_wrong_in_the_table_is_said_in_one_line(tmp_path: Path, lines: tuple[str, ...], complaint: str) -> None:
    write(tmp_path, "[tool.earwitness.check]", *lines)
    with pytest.raises(EarwitnessError, match=r"pyproject\.toml|expected") as caught:
        read_settings(tmp_path)
    assert complaint in str(caught.value)


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match=r"check of \[tool\.earwitness\.check\] is no table"):
        read_settings(write(tmp_path, "[tool.earwitness]", "check = 3"))
