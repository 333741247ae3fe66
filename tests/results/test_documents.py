"""JSON that somebody else wrote is read, or named in one line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.errors import USAGE, EarwitnessError
from earwitness.harness import recipe
from earwitness.results.rows import RECIPE, read_recipe

WHOLE = {
    "run": "r",
    "state": "done",
    "task": {"id": "t", "hash": "h", "folder": "f"},
    "submission": {"id": "s", "hash": "h", "folder": "f"},
    "arguments": {"typed": {}, "defaulted": {"items": None, "seed": 0}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WHOLE, "id", "rows"]), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[]", "it is no JSON object"),
        (b"null", "it is no JSON object"),
        (b"1", "it is no JSON object"),
        (b'"run"', "it is no JSON object"),
        (b"", "no JSON at line 1, column 1"),
        (b'{"run": "r",\n x}', "no JSON at line 2, column 2"),
        (b"\xff{}", "it is not UTF-8"),
        (b"[" * 100_000, "its JSON is nested too deep"),
        (b'{"a":' * 100_000, "its JSON is nested too deep"),
        (b"1" * 5000, "it holds a number that is too long"),
        (b'{"task": 2}', "task: Input should be"),
        (b'{"state": ["done"]}', "state: Input should be a valid string"),
        (b'{"task": {"id": 7}}', "task.id: Input should be a valid string"),
        (b'{"rows": 7}', "rows: Input should be"),
    ],
)
def test_a_recipe_that_is_none_is_named_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / RECIPE).write_bytes(content)
    for read in (read_recipe, recipe.read):
        with pytest.raises(EarwitnessError) as caught:
            read(tmp_path)
        assert str(caught.value).startswith(f"{tmp_path / RECIPE} is no recipe of a run: ")
        assert caught.value.exit_code == USAGE
        assert "\n" not in str(caught.value)
        assert says in str(caught.value) or read is recipe.read


def test_a_recipe_keeps_keys_that_nobody_asks_for(tmp_path: Path) -> None:
    document = {**WHOLE, "of_a_later_version": [1, {"a": None}]}
    (tmp_path / RECIPE).write_text(json.dumps(document))
    assert read_recipe(tmp_path) == document
    assert recipe.read(tmp_path) == document


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_a_run_is_gone_on_with_only_where_its_recipe_is_whole(tmp_path: Path, key: str) -> None:
    (tmp_path / RECIPE).write_text(json.dumps({name: value for name, value in WHOLE.items() if name != key}))
    with pytest.raises(EarwitnessError, match=f"{key}: Field required; delete the folder and run again"):
        recipe.read(tmp_path)


def test_arguments_that_no_run_has_are_named(tmp_path: Path) -> None:
    (tmp_path / RECIPE).write_text(json.dumps({**WHOLE, "arguments": {"typed": {"colour": 1}, "defaulted": {}}}))
    with pytest.raises(EarwitnessError, match=r"arguments\.typed\.colour"):
        recipe.read(tmp_path)


@given(JSON)
def test_any_json_is_a_recipe_or_one_line(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / RECIPE).write_text(json.dumps(value))
    for read in (read_recipe, recipe.read):
        try:
            found = read(folder)
        except EarwitnessError:
            continue
        assert json.dumps(found) == json.dumps(value)
