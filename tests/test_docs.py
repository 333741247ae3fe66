"""What README and docs show is run: Python as it stands, commands as far as their verbs and options."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

import earwitness
from earwitness import metrics, registry

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOK = ROOT / "docs" / "notebook.md"
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


@pytest.fixture
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page declares is gone after its test."""
    monkeypatch.setattr(metrics, "_REGISTRY", dict(metrics.all_metrics()))


@pytest.mark.usefixtures("_own_registry")
@pytest.mark.parametrize(
    ("name", "code"), [block for block in blocks("python") if not block[0].startswith(NOTEBOOK.name)]
)
def test_a_python_block_runs(name: str, code: str) -> None:
    exec(compile(code, name, "exec"), {"__name__": name})


def notebook() -> str:
    """The cells of the notebook, one after the other."""
    return "\n".join(code for name, code in blocks("python") if name.startswith(NOTEBOOK.name))


@pytest.mark.skipif(not hasattr(earwitness, "evaluate"), reason="earwitness has no evaluate yet")
def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(notebook(), NOTEBOOK.name, "exec"), {"__name__": "__main__"})


def test_the_notebook_has_at_most_40_lines_of_code() -> None:
    compile(notebook(), NOTEBOOK.name, "exec")
    assert 10 < sum(bool(line.strip()) for line in notebook().splitlines()) <= 40


def parse(words: list[str]) -> None:
    """Parse a command as the command line does, without running it; raises where verb or option is unknown."""
    from earwitness.cli import app

    group: Any = typer.main.get_command(app)
    verb, command, rest = group.resolve_command(
        group.make_context("earwitness", [words[1]], resilient_parsing=True), words[1:]
    )
    if command is None:
        raise ValueError(f"no verb {words[1]}")
    command.make_context(verb, list(rest))


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_exists_with_its_options(words: list[str]) -> None:
    parse(words)


def test_planted_unknown_options_and_verbs_are_seen() -> None:
    with pytest.raises(Exception, match="no-such-option"):
        parse(["earwitness", "run", "--no-such-option"])
    with pytest.raises(Exception, match="no-such-verb"):
        parse(["earwitness", "no-such-verb"])


def test_the_table_of_entry_points_lists_every_kind() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `earwitness\.(\w+)` \|", page, re.MULTILINE)) == sorted(registry.KINDS)


def test_the_pages_name_no_file_that_is_missing() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_a_link_into_a_page_leads_to_one_of_its_headings() -> None:
    """As GitHub names headings."""
    found = 0
    for page in PAGES:
        for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            text = (page.parent / target if target else page).read_text(encoding="utf-8")
            names = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            known = {re.sub(r"[^\w -]", "", name).strip().lower().replace(" ", "-") for name in names}
            assert heading in known, f"{page.name} links to #{heading} of {target or page.name}"
            found += 1
    assert found


def test_directions_of_metrics_are_told_by_their_declarations_alone() -> None:
    """A table of metrics that is written by hand goes stale: docs/metrics.md is made of the declarations."""
    names = set(metrics.all_metrics())
    for page in PAGES:
        if page.name != "metrics.md":
            tables = re.findall(r"(?:^\|.*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE)
            heads = [(table.partition("\n")[0], table) for table in tables]
            bad = [head for head, table in heads if "faithful" in head and names & set(re.findall(r"`(\w+)`", table))]
            assert not bad, f"{page.name} tells by hand which values of metrics are faithful: {bad}"
