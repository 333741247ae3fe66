"""What README and docs show is run: Python as it stands, commands as far as their verbs and options."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer.main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.name}-{number}", text)
        for page in PAGES
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
        if kind == language
    ]


def commands() -> list[list[str]]:
    lines = [line[2:] for _, text in blocks("console") for line in text.splitlines() if line.startswith("$ ")]
    return [words for line in lines if "earwitness" in Path((words := shlex.split(line, comments=True))[0]).name]


@pytest.mark.parametrize(("name", "code"), blocks("python"))
def test_a_python_block_runs(name: str, code: str) -> None:
    exec(compile(code, name, "exec"), {"__name__": name})


def parse(words: list[str]) -> None:
    """Parse a command as the command line does, without running it; raises click.UsageError."""
    from earwitness.cli import app

    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)
    with click.Context(group) as context:
        verb, command, rest = group.resolve_command(context, words[1:])
        assert command is not None
        command.make_context(verb, list(rest))


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_exists_with_its_options(words: list[str]) -> None:
    parse(words)


def test_a_planted_unknown_option_is_seen() -> None:
    with pytest.raises(click.UsageError):
        parse(["earwitness", "run", "--no-such-option"])


def test_the_pages_name_no_file_that_is_missing() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
