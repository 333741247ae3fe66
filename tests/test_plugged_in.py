"""Packages that Earwitness knows nothing of: run, ranked and checked by the command line; and broken ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from earwitness import registry
from earwitness.results.rows import read_run
from plugged import ELSEWHERE, earwitness, install, install_elsewhere, python

TASK, OWN = "elsewhere_captions", "elsewhere_loo"
SUMS = "elsewhere_sums"
"""A task, and the track that it is of."""


def test_a_package_of_somebody_elses_is_run_and_ranked(tmp_path: Path) -> None:
    path = install_elsewhere(tmp_path / "site")
    words = ["--task", TASK, "--submission", f"{OWN},random", "--items", "2", "--device", "cpu", "--out", "runs"]
    ran = earwitness(path, tmp_path, "run", *words)
    assert ran.returncode == 0, ran.stderr
    board = earwitness(path, tmp_path, "board", "--runs", "runs", "--out", "board")
    assert board.returncode == 0, board.stderr
    assert OWN in board.stdout
    assert "random (floor)" in board.stdout
    assert "elsewhere_shift@top30" in board.stdout
    assert "plug-in" not in ran.stderr + board.stderr


def test_it_is_ranked_from_python_too(tmp_path: Path) -> None:
    code = (
        "import earwitness\n"
        f"mine = earwitness.evaluate({OWN!r}, {TASK!r}, items=2)\n"
        f"floor = earwitness.evaluate('random', {TASK!r}, items=2)\n"
        "found = (mine + floor).ranking()\n"
        "print(sorted(found['submission']), 'elsewhere_shift@top30' in found.columns)\n"
    )
    ran = python(install_elsewhere(tmp_path / "site"), tmp_path, "-c", code)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == f"{sorted([OWN, 'random'])} True"


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The path, and a folder with runs and a board of a task of a track that the package brings."""
    folder = tmp_path_factory.mktemp("sums")
    path = install_elsewhere(folder / "site")
    submissions = f"elsewhere_ablation,{ELSEWHERE / 'src' / 'elsewhere' / 'floors' / 'random'}"
    words = ["--task", SUMS, "--submission", submissions, "--items", "2", "--device", "cpu", "--out", "runs"]
    ran = earwitness(path, folder, "run", *words)
    assert ran.returncode == 0, ran.stderr
    return path, folder


def test_a_track_of_somebody_elses_is_run_scored_and_verified(sums: tuple[str, Path]) -> None:
    path, folder = sums
    (run,) = (folder / "runs").glob(f"{SUMS}__elsewhere_ablation__*")
    values = earwitness(path, folder, "verify", str(run))
    assert values.returncode == 0, values.stderr
    assert "the same 2 rows" in values.stdout
    # The two largest of 1 to 6, times the model's gain of 2.
    rows = read_run(run).to_pylist()
    assert [(row["metric"], row["value"]) for row in rows] == [("elsewhere_lost@2", 22.0)] * 2
    assert [row["forwards"] for row in rows] == [7, 7]


@pytest.mark.slow
def test_its_submissions_are_checked_by_its_own_task(sums: tuple[str, Path]) -> None:
    path, folder = sums
    answer = earwitness(path, folder, "validate", "elsewhere_ablation", "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["valid"]


PAGE = """
import json, sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(sys.argv[1], default_timeout=60).run()
for url in ("item", "ranking", "task", "submission"):
    app.switch_page(f"screens/{url}.py").run()
    assert not app.exception, app.exception
    if url == "item":
        shown = {"markdown": [each.value for each in app.markdown], "items": app.selectbox(key="item").options}
print(json.dumps(shown))
"""


def test_a_track_of_somebody_elses_is_on_the_board_and_drawn_by_its_own_view(sums: tuple[str, Path]) -> None:
    path, folder = sums
    board = earwitness(path, folder, "board", "--runs", "runs", "--out", "board")
    assert board.returncode == 0, board.stderr
    for part in ("elsewhere_ablation", "random (floor)", "elsewhere_lost@2"):
        assert part in board.stdout
    drawn = python(path, folder, "-c", PAGE, str(registry.home("leaderboard") / "app.py"))
    assert drawn.returncode == 0, drawn.stderr
    shown = json.loads(drawn.stdout.splitlines()[-1])
    assert shown["items"] == ["draw-0: 6 numbers", "draw-1: 6 numbers"]
    assert any("6 has 12;" in each and "1 has 2;" in each for each in shown["markdown"])


def test_a_view_that_cannot_be_imported_is_said_on_the_page(sums: tuple[str, Path], tmp_path: Path) -> None:
    path, folder = sums
    leaderboard = registry.home("leaderboard")
    code = f"import sys; sys.path.insert(0, {str(leaderboard)!r}); import views\n"
    code += "print(views.find('nothing'), repr(views.fault('nothing')))\n"
    code += "print(views.find('broken'), views.fault('broken'))\n"
    code += f"print(views.find({SUMS!r}).__name__, views.find('prompt').__name__)"
    install(tmp_path, "broken", {"earwitness.views": {"broken": "broken_view"}})
    (tmp_path / "broken_view.py").write_text("raise RuntimeError('no\\ncanvas')")
    said = python(f"{tmp_path}{os.pathsep}{path}", folder, "-c", code)
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines() == [
        "None ''",
        "None plug-in 'broken' of earwitness.views (broken_view) cannot be imported: RuntimeError: no canvas",
        "elsewhere.sums.view views.prompt",
    ]


@pytest.mark.parametrize("name", ["elsewhere_shift", "elsewhere_captions --kind dataset", "elsewhere_judge"])
def test_its_parts_are_checked_by_name(tmp_path: Path, name: str) -> None:
    answer = earwitness(install_elsewhere(tmp_path / "site"), tmp_path, "validate", *name.split(), "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["valid"]


def test_a_name_of_two_kinds_is_refused(tmp_path: Path) -> None:
    answer = earwitness(install_elsewhere(tmp_path / "site"), tmp_path, "validate", TASK)
    assert answer.returncode == 2
    assert f"{TASK} is registered as a task and as a dataset; name one by --kind" in answer.stderr


def test_a_broken_plug_in_is_one_line_and_hides_nothing_else(tmp_path: Path) -> None:
    site = tmp_path / "site"
    path = install_elsewhere(site)
    install(site, "broken", {"earwitness.submissions": {"broken": "broken_package"}})
    (site / "broken_package.py").write_text("raise RuntimeError('no\\nfont')")
    answer = earwitness(path, tmp_path, "submissions")
    assert answer.returncode == 0, answer.stderr
    assert OWN in answer.stdout
    assert "occlusion" in answer.stdout
    assert answer.stderr.splitlines() == [
        "earwitness: plug-in 'broken' of earwitness.submissions (broken_package) cannot be imported: "
        "RuntimeError: no font"
    ]


def test_two_of_one_name_are_one_line_that_names_both(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name in ("one", "two"):
        install(site, name, {"earwitness.judges": {"heard": f"{name}:load"}})
        (site / f"{name}.py").write_text("def load(source, revision, device): ...\n")
    answer = earwitness(str(site), tmp_path, "validate", "heard", "--kind", "judge")
    assert answer.returncode == 2
    said = "plug-in 'heard' of earwitness.judges is plugged in by one:load and by two:load; uninstall all but one"
    assert answer.stderr.count(said) == 1, answer.stderr


def test_a_factory_that_returns_something_else_is_named_by_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("def load(source: str, revision: str = '', device: str = ''):\n    return 7\n")
    answer = earwitness(str(tmp_path), tmp_path, "validate", "odd:load", "--kind", "judge")
    assert answer.returncode == 1, answer.stderr
    assert "  wrong: int has no labels (`earwitness.judges.Judge`)" in answer.stdout.splitlines()
    assert "invalid: judge odd:load" in answer.stdout
