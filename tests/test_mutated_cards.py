"""Cards with something wrong in them: read as a card, or refused in one line, and soon."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earwitness import registry
from earwitness.errors import InvalidCardError
from earwitness.scoring import loading
from earwitness.scoring.columns import read_columns
from earwitness.submission import read_submission
from earwitness.task import read_task

TASKS = {name: (registry.task(name).folder / "task.toml").read_text("utf-8") for name in registry.task_ids()}
SUBMISSIONS = {
    name: (registry.submission(name).folder / "submission.toml").read_text("utf-8")
    for name in registry.submission_ids()
}
SOON = 2.0
"""Seconds of work: those of a busy machine would be no fault of a card."""


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


JUNK: list[str] = [
    *(
        '""',
        '" "',
        '"5"',
        '"no"',
        '"\\u0000"',
        '"a\\nb"',
        '"\\u202e"',
        '"é"',
        '"../.."',
        '"/"',
        '"."',
        '"a/b"',
        '"x:y"',
    ),
    *("0", "-1", "1", "true", "false", "10000000", "99999999999999999999", "1" * 5000, "-0.0", "1e308", "1e400"),
    *("inf", "-inf", "nan", "2020-01-01", "12:00:00", "[]", "[[]]", "[0, 0]", '["a", 1]', "{}", "{ a = 1 }"),
    *(
        '{ a = { a = [{ a = "b" }] } }',
        f'"{"x" * 5000}"',
        f'"{"é" * 90}"',
        deep(80),
        deep(3000),
        "[1, 2",
        '"',
        "'",
        "=",
        "",
    ),
]

KEYS = ["a", "x.y", "title", "track", "source", '""', '"\\u0000"', '"é"', "é", "x" * 5000]


def lines_of(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines()) if "=" in line]


@st.composite
def mutated(draw: st.DrawFn, texts: dict[str, str]) -> str:
    """A shipped card with one to three of its lines changed, doubled, lost, or cut somewhere."""
    text = texts[draw(st.sampled_from(sorted(texts)))]
    for _ in range(draw(st.integers(1, 3))):
        lines = text.splitlines()
        number = draw(st.sampled_from(lines_of(text) or [0]))
        key, _, value = lines[number].partition("=")
        kind = draw(st.sampled_from(["value", "value", "value", "key", "gone", "twice", "inside", "cut", "text"]))
        if kind == "value":
            lines[number] = f"{key}= {draw(st.sampled_from(JUNK))}"
        elif kind == "key":
            lines[number] = f"{draw(st.sampled_from(KEYS))} ={value}"
        elif kind == "gone":
            del lines[number]
        elif kind == "twice":
            lines.insert(number, lines[number])
        elif kind == "inside" and "}" in value:
            junk = draw(st.sampled_from(JUNK))
            lines[number] = f"{key}={value.replace('}', f', steps = {junk} }}', 1)}"
        elif kind == "cut":
            lines[number] = lines[number][: draw(st.integers(0, len(lines[number])))]
        else:
            at = draw(st.integers(0, len(lines[number])))
            lines[number] = lines[number][:at] + draw(st.text(max_size=3)) + lines[number][at:]
        text = "\n".join(lines)
    return text


def use_task(folder: Path) -> None:
    """All that is done with a task's card before anything is read that it names."""
    task = read_task(folder)
    _ = task.data_hash, task.seed_key, [metric.id for metric in task.card.metrics]
    loading.check_parameters(task)
    read_columns(task)


def use_submission(folder: Path) -> None:
    _ = read_submission(folder).hashes


def check(use: Any, path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    begun, said = process_time(), str(path)
    try:
        use(path.parent)
    except InvalidCardError as error:
        said = str(error)
    assert process_time() - begun < SOON
    assert said.startswith(str(path)), said
    assert len(said.splitlines()) == 1, said
    assert len(said) < 1500, said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Importing torch and diffusers takes seconds, and no card's fault.
    for name in TASKS:
        use_task(registry.task(name).folder)
    return tmp_path_factory.mktemp("mutated")


def tried(folder: Path, examples: int) -> None:
    """Half of the mutations are of tasks, half of submissions."""

    @settings(max_examples=examples // 2, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutated(TASKS))
    def tasks(text: str) -> None:
        check(use_task, folder / "task.toml", text)

    @settings(max_examples=examples // 2, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutated(SUBMISSIONS))
    def submissions(text: str) -> None:
        check(use_submission, folder / "submission.toml", text)

    tasks()
    submissions()


def test_a_mutated_card_is_a_card_or_one_line(folder: Path) -> None:
    tried(folder, 800)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_thousand_mutated_cards_are_cards_or_one_line(folder: Path) -> None:
    tried(folder, 20_000)


def test_every_value_of_a_card_may_be_junk(folder: Path) -> None:
    text = TASKS["musicgen_musiccaps"]
    # Further metrics are read as the first one is.
    until = text.splitlines().index("[[metrics]]") + 4
    for number in (line for line in lines_of(text) if line < until):
        for junk in JUNK:
            lines = text.splitlines()
            lines[number] = f"{lines[number].partition('=')[0]}= {junk}"
            check(use_task, folder / "task.toml", "\n".join(lines))


def refused(folder: Path, task: str, old: str, new: str) -> str:
    assert TASKS[task].count(old) == 1, old
    (folder / "task.toml").write_text(TASKS[task].replace(old, new), encoding="utf-8")
    with pytest.raises(InvalidCardError) as error:
        use_task(folder)
    return str(error.value).removeprefix(f"{folder / 'task.toml'}: ")


@pytest.mark.parametrize(
    ("task", "old", "new", "says"),
    [
        ("musicgen_musiccaps", "version = 1", "version = true", "version: Input should be a valid integer"),
        ("musicgen_musiccaps", "items = 1000", 'items = "1000"', "dataset.items: Input should be a valid integer"),
        ("musicgen_musiccaps", "items = 1000", "items = 10000000", "dataset.items: Input should be less than"),
        ("musicgen_musiccaps", "items = 1000", "items = 1000\nseed = -1", "dataset.seed: Input should be greater than"),
        ("musicgen_musiccaps", "seconds = 600.0", "seconds = inf", "budget.seconds: "),
        ("musicgen_musiccaps", "forwards = 20000", "forwards = true", "budget.forwards: "),
        ("musicgen_musiccaps", "[0, 1, 2]", "[]", "generation_seeds: "),
        ("musicgen_musiccaps", "[0, 1, 2]", "[0, 0]", "generation_seeds listed twice: 0"),
        ("musicgen_musiccaps", "[0, 1, 2]", "[18446744073709551616]", "generation_seeds.0: "),
        ("musicgen_musiccaps", "seconds = 5.0", 'seconds = "5"', "model.parameters.seconds"),
        ("musicgen_musiccaps", "seconds = 5.0", "seconds = 1e9", "model.parameters.seconds"),
        ("musicgen_musiccaps", "guidance = 3.0", "guidance = nan", "model.parameters.guidance"),
        ("musicgen_musiccaps", "temperature = 1.0", "temperature = -1", "model.parameters.temperature"),
        ("musicgen_musiccaps", "top_k = 250", "top_k = -1", "model.parameters.top_k"),
        ("musicgen_musiccaps", "top_k = 250", "topk = 250", "model.parameters.topk is unknown; did you mean 'top_k'?"),
        ("musicgen_musiccaps", 'title = "', 'title = "\\u001b[31m', "title: holds the control character U+001B"),
        ("musicgen_musiccaps", 'title = "', 'title = "\\u202e', "title: holds the control character U+202E"),
        ("musicgen_musiccaps", 'track = "prompt"', "track = { a = 1 }", "track: Input should be a valid string"),
        ("musicgen_musiccaps", 'adapter = "musicgen"', 'adapter = "storage"', "'storage' is no adapter of earwitness"),
        ("musicgen_musiccaps", 'adapter = "musicgen"', 'adapter = "../x"', "model.adapter: "),
        ("musicgen_musiccaps", "version = 1", f"version = {'1' * 5000}", "not valid TOML: a number of too many digits"),
        ("musicgen_musiccaps", "version = 1", f"version = {deep(3000)}", "not valid TOML: nested too deep"),
        ("musicgen_musiccaps", "version = 1", "version = 2020-01-01", "holds a date or a time; write it as text"),
        ("musicgen_musiccaps", "[budget]", "[scoring]\na = 1\n[budget]", "scoring: the prompt track leaves no choice"),
        ("musicgen_musiccaps", 'split = "test"', 'split = "test"\nversion = "1"', "musiccaps is no made world"),
        ("micro_concept", 'split = "test"', 'split = "test"\nversion = "1"', "tones is of version 2, not '1'"),
        ("micro_concept", 'split = "test"', 'split = "test"\nrevision = "1"', "tones is not read from the hub"),
        ("micro_concept", "train = 400", "train = 10000000", "dataset.parameters.train"),
        ("micro_speech", 'normaliser = "unicode"', 'normaliser = "none"', "scoring.normaliser"),
    ],
)  # fmt: skip
def test_a_fault_of_a_card_is_named_by_its_key(tmp_path: Path, task: str, old: str, new: str, says: str) -> None:
    assert says in refused(tmp_path, task, old, new)


def test_two_judges_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "judges listed twice: ast" in refused(tmp_path, "micro_prompt", 'name = "cnn"', 'name = "ast"')


def test_a_model_is_no_folder_of_everything(tmp_path: Path) -> None:
    for number in range(10_001):
        (tmp_path / f"{number}").touch()
    task = TASKS["musicgen_musiccaps"].replace('source = "facebook/musicgen-small"', 'source = ".."')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "task.toml").write_text(task, encoding="utf-8")
    with pytest.raises(InvalidCardError, match="a folder of more than 10,000 files"):
        _ = read_task(tmp_path / "mine").data_hash


def test_a_card_that_is_no_text_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    for content, says in (
        (b"id = 'a'\nversion = \xff", "line 2 is not UTF-8"),
        (b"#" * 50_001, "larger than 50,000 bytes"),
        (b"\xef\xbb\xbfid = 5", "id: Input should be a valid string"),
        (b"", "id: Field required; version: Field required; track: Field required; and 8 more"),
    ):
        path.write_bytes(content)
        with pytest.raises(InvalidCardError, match=says):
            read_task(tmp_path)
