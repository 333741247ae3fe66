"""The static page says and draws what the board holds."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from earwitness import board, registry
from earwitness.board.export import _bar, _rank, _span, _value
from earwitness.board.gallery import gallery
from earwitness.board.pair_sentences import pair_sentence
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import Plan, write_originals, write_run, write_task


def entrant(score: float, low: float, high: float) -> dict:
    return {"score": score, "score_low": low, "score_high": high}


def middle(drawn: str) -> float:
    return float(re.findall(r'cx="([\d.]+)"', drawn)[0])


def test_a_score_below_random_is_drawn_left_of_random_and_none_is_cut():
    entrants = [entrant(-0.4, -0.6, -0.2), entrant(0.0, 0.0, 0.0), entrant(1.2, 1.1, 1.3)]
    span = _span(entrants)
    assert span == (-0.6, 1.3)
    below, random, above = (_bar(each, span) for each in entrants)
    assert middle(below) < middle(random) - 15
    assert middle(above) > 90
    starts = [float(x) for x in re.findall(r'x[12]="([\d.-]+)"', below + above)]
    assert min(starts) >= 4
    assert max(starts) <= 104
    # 1.9 wide in scores are 100 pixels.
    assert middle(random) - middle(below) == pytest.approx(0.4 / 1.9 * 100, abs=0.1)


def test_a_scale_holds_0_and_1_where_nobody_leaves_them():
    assert _span([entrant(0.2, 0.1, 0.3), {"score": None, "score_low": None, "score_high": None}]) == (0.0, 1.0)


def test_a_rank_that_is_certain_is_one_number():
    assert _rank({"rank": 1, "rank_low": 1, "rank_high": 1}) == "1"
    assert _rank({"rank": 1, "rank_low": 1, "rank_high": 3}) == "1 <small>1–3</small>"


def test_nothing_is_minus_zero():
    assert _value({"mean": -0.001, "low": -0.004, "high": 0.004}, "mean", "") == "0.00 <small>[0.00, 0.00]</small>"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = registry.home
    monkeypatch.setattr(registry, "home", lambda kind: tmp_path / "registry" if kind == "tasks" else home(kind))
    plan = Plan(items=12)
    plan = replace(plan, task_hash=read_task(write_task(tmp_path / "registry", plan)).hash)
    for submission in plan.skill:
        write_run(tmp_path / "runs", plan, submission)
    write_originals(tmp_path / "runs", plan)
    return board.build(tmp_path / "runs", tmp_path / "board", Resampling(draws=50))


def test_the_exported_page_says_what_the_board_holds(built: Path, tmp_path: Path):
    page = board.export(built, tmp_path / "export").read_text(encoding="utf-8")
    (said,) = {record["sentence"] for record in board.ranking_records(built)}
    assert said.startswith("gradient_input leads")
    assert page.count(said) == 2
    assert 'href="#planted"' in page
    assert "id='planted'" in page
    assert "-0.00" not in page
    connection = board.connect(built)
    pairs = board.records(connection, "SELECT * FROM pairs WHERE metric = 'score'")
    submissions = board.records(connection, "SELECT * FROM submissions")
    groups = board.records(connection, "SELECT entrant, rank_group FROM ranks ORDER BY entrant")
    connection.close()
    assert len(pairs) == 20
    for pair in pairs:
        assert f'<td title="{html.escape(pair_sentence(pair))}">' in page
    signs = re.findall(r'<td title="By the score[^>]*>(.)</td>', page)
    assert signs.count("▲") == signs.count("▼") == sum(pair["verdict"] == "better" for pair in pairs) > 0
    for row in groups:
        start = rf'<tr class="\w+"><td>{row["rank_group"]}</td><td>.{{1,40}}?</td>'
        assert re.search(f"{start}<td>{row['entrant']}</td>", page)
    for record in submissions:
        assert f"<h3>{record['entrant']}: {html.escape(record['title'])}</h3>" in page
        assert f"<td>{record['submission_hash']}</td>" in page
        assert f"earwitness run --task planted --submission {record['entrant']}" in page


@pytest.mark.parametrize(
    ("licence", "why"),
    [
        ("Apache-2.0", ""),
        ("weights CC-BY-NC-4.0; captions CC-BY-SA-4.0", ""),
        ("weights MIT; MuST-C CC-BY-NC-ND-4.0", "MuST-C CC-BY-NC-ND-4.0 lets no adaptation"),
        ("weights MIT; the audio is yours", "the sounds are those of whoever ran the task"),
    ],
)
def test_sounds_stand_under_their_licence_or_are_left_out(tmp_path: Path, licence: str, why: str):
    sound = tmp_path / "board" / "kept.ogg"
    sound.parent.mkdir()
    sound.write_bytes(b"sound")
    exhibit = {"kind": "sound", "label": "kept", "part": "", "path": "kept.ogg"}
    connection = duckdb.connect()
    tables = {"exhibits": {"entrant": "", "position": 0, **exhibit}, "inputs": {"fields": "{}"}}
    for name, row in tables.items():
        connection.register("given", pa.Table.from_pylist([{"task_key": "t", "item": "a", **row}]))
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    task = {"task_key": "t", "card": json.dumps({"licence": licence})}
    shown = gallery(connection, task, "best", tmp_path / "board", tmp_path / "page")
    copied = list((tmp_path / "page").rglob("*.ogg"))
    connection.close()
    assert bool(why) is not bool(copied)
    assert ("<audio" in shown) is not bool(why)
    assert (f"Sounds are left out: {why}" if why else f"Sounds: {licence}.") in shown
