import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from scipy.stats import kendalltau

from earwitness import board, registry
from earwitness.board import store
from earwitness.errors import EarwitnessError
from earwitness.results.rows import Row, read_run, write_part
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import Plan, item_ids, write_originals, write_run, write_task

QUICK = Resampling(draws=300)


@dataclass(frozen=True)
class Built:
    """A plan with the runs and the board made of it."""

    plan: Plan
    runs: Path
    path: Path


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan whose task, with its ceilings, is registered."""
    return shelved(tmp_path, monkeypatch, Plan())


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """A board that tests only read."""
    folder = tmp_path_factory.mktemp("standard")
    with pytest.MonkeyPatch.context() as patch:
        plan = shelved(folder, patch, Plan(changes=True, sounds=True, dull=("kl_f@top30",)))
        yield Built(plan, folder / "runs", build(folder, plan))


def shelved(folder: Path, patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    task = write_task(folder / "registry", plan)
    home = registry.home
    patch.setattr(registry, "home", lambda kind: folder / "registry" if kind == "tasks" else home(kind))
    return replace(plan, task_hash=read_task(task).hash)


def build(folder: Path, *plans: Plan) -> Path:
    for plan in plans:
        for submission in plan.skill:
            write_run(folder / "runs", plan, submission)
        write_originals(folder / "runs", plan)
    return rebuild(folder)


def rebuild(folder: Path) -> Path:
    return board.build(folder / "runs", folder / "board", QUICK)


def only_items(folder: Path, plan: Plan, submission: str, chosen: slice) -> None:
    """Leave rows of some items alone in a run."""
    run = next((folder / "runs").glob(f"*__{submission}__*"))
    few = set(item_ids(plan)[chosen])
    write_part([Row(**row) for row in read_run(run).to_pylist() if row["item"] in few], run / "rows" / "0000.parquet")


def table(path: Path, query: str) -> list[dict]:
    connection = board.connect(path)
    try:
        return board.records(connection, query)
    finally:
        connection.close()


def ranking(path: Path, task: str = "planted") -> dict[str, dict]:
    return {r["entrant"]: r for r in board.ranking_records(path) if r["task_key"] == task}


def printed(path: Path) -> str:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    board.print_ranking(path, console)
    return console.export_text()


def test_planted_skill_is_ranked_and_scored_as_planted(standard):
    found = ranking(standard.path)
    assert list(found)[:3] == ["gradient_input", "occlusion", "attention"]
    assert found["attention"]["rank"] == found["attention"]["rank_low"] == found["attention"]["rank_high"] == 3
    for entrant, skill in standard.plan.skill.items():
        assert found[entrant]["score"] == pytest.approx(skill, abs=0.06)
    assert (found["random"]["score"], found["random"]["score_low"], found["random"]["score_high"]) == (0, 0, 0)


def test_controls_that_equal_random_share_its_rank_interval(standard):
    found = ranking(standard.path)
    for entrant in ("random", "uniform"):
        assert (found[entrant]["rank_low"], found[entrant]["rank_high"]) == (4, 5)


def test_raw_means_are_the_means_of_the_rows(standard):
    run = read_run(next(standard.runs.glob("*__occlusion__*"))).to_pylist()
    expected = np.mean([row["value"] for row in run if row["metric"] == "kl_cf@top30"])
    result = ranking(standard.path)["occlusion"]["results"]["kl_cf@top30"]
    assert result["mean"] == pytest.approx(expected)
    assert result["low"] < expected < result["high"]
    assert result["n"] == standard.plan.items


def test_failed_items_take_the_floors_value_and_are_counted(tmp_path, planted):
    plan = replace(planted, failing={"occlusion": (0, 1, 2)})
    path = build(tmp_path, plan)
    found = ranking(path)["occlusion"]
    values = {}
    for submission in ("occlusion", "random"):
        rows = read_run(next((tmp_path / "runs").glob(f"*__{submission}__*"))).to_pylist()
        values[submission] = {r["item"]: r["value"] for r in rows if r["metric"] == "fid_f@top30"}
    mixed = [values["random"][item] if value is None else value for item, value in values["occlusion"].items()]
    assert "count as the random" in printed(path)
    assert found["failed"] == 3
    assert found["results"]["fid_f@top30"]["failed"] == 3
    assert found["results"]["fid_f@top30"]["mean"] == pytest.approx(np.mean(mixed))


def test_an_entrant_that_was_not_run_on_every_item_has_a_note_and_no_rank(tmp_path, planted):
    build(tmp_path, planted)
    before = ranking(tmp_path / "board")
    only_items(tmp_path, planted, "occlusion", slice(10))
    path = rebuild(tmp_path)
    found = ranking(path)
    newcomer = found.pop("occlusion")
    assert (newcomer["items"], newcomer["failed"], newcomer["note"]) == (10, 0, "10 of 30 items run")
    assert (newcomer["rank"], newcomer["score"]) == (None, None)
    assert newcomer["results"]["fid_f@top30"]["n"] == 10
    for entrant, record in found.items():
        assert record["score"] == pytest.approx(before[entrant]["score"])
        assert (record["note"], record["rank"]) == ("", before[entrant]["rank"] - (entrant != "gradient_input"))
    gains = table(path, "SELECT * FROM contrasts WHERE control = 'random' AND metric = 'fid_f@top30'")
    assert {row["entrant"]: row["items"] for row in gains}["occlusion"] == 10
    assert "10 of 30" in printed(path)
    assert "10 of 30 items run" in board.export(path, tmp_path / "export").read_text(encoding="utf-8")


def test_entrants_on_disjoint_items_are_both_unranked(tmp_path, planted):
    plan = replace(planted, skill={"occlusion": 0.7, "attention": 0.3})
    build(tmp_path, plan)
    only_items(tmp_path, plan, "occlusion", slice(10))
    only_items(tmp_path, plan, "attention", slice(10, 30))
    found = ranking(rebuild(tmp_path))
    notes = {entrant: (record["rank"], record["note"]) for entrant, record in found.items()}
    assert notes == {"occlusion": (None, "10 of 30 items run"), "attention": (None, "20 of 30 items run")}


def test_an_entrant_without_a_headline_metric_is_unranked_and_says_so(tmp_path, planted):
    build(tmp_path, planted)
    folder = next((tmp_path / "runs").glob("*__occlusion__*"))
    rows = [row for row in read_run(folder).to_pylist() if row["metric"] != "kl_cf@top30"]
    write_part([Row(**row) for row in rows], folder / "rows" / "0000.parquet")
    found = ranking(rebuild(tmp_path))["occlusion"]
    assert (found["rank"], found["note"]) == (None, "kl_cf@top30 not measured on 30 of 30 items")


def test_rows_of_another_version_of_a_metric_are_left_out_with_a_note(tmp_path, planted):
    build(tmp_path, planted)
    folder = next((tmp_path / "runs").glob("*__occlusion__*"))
    rows = [Row(**row) for row in read_run(folder).to_pylist()]
    other = [replace(row, metric_hash="older") if row.metric == "kl_cf@top30" else row for row in rows]
    write_part(other, folder / "rows" / "0000.parquet")
    path = rebuild(tmp_path)
    assert ranking(path)["occlusion"]["note"] == "kl_cf@top30 not measured on 30 of 30 items"
    assert "kl_cf@top30: 30 rows measured by another version" in table(path, "SELECT note FROM tasks")[0]["note"]


@pytest.mark.parametrize(("entrant", "rank"), [("occlusion", None), ("random", 1)])
def test_one_entrant_alone_stands_on_the_board(tmp_path, planted, entrant, rank):
    found = ranking(build(tmp_path, replace(planted, skill={entrant: 0.0})))
    assert (list(found), found[entrant]["rank"]) == ([entrant], rank)


@pytest.mark.parametrize("recipe", [None, "[]", "{"])
def test_a_run_that_cannot_be_read_is_named_and_the_others_are_ranked(tmp_path, planted, recipe):
    build(tmp_path, planted)
    folder = next((tmp_path / "runs").glob("*__occlusion__*"))
    (folder / "run.json").unlink()
    if recipe is not None:
        (folder / "run.json").write_text(recipe)
    with pytest.raises(board.UnreadRunsError, match=folder.name) as caught:
        rebuild(tmp_path)
    assert caught.value.exit_code == 4
    assert set(ranking(caught.value.path)) == set(planted.skill) - {"occlusion"}


def test_rows_of_another_schema_are_named_and_the_others_are_ranked(tmp_path, planted):
    build(tmp_path, planted)
    folder = next((tmp_path / "runs").glob("*__occlusion__*"))
    part = folder / "rows" / "0000.parquet"
    pq.write_table(pq.read_table(part).drop_columns(["cluster"]), part)
    with pytest.raises(board.UnreadRunsError, match=r"another schema .lacks cluster.; score the run again"):
        rebuild(tmp_path)


def test_rows_that_pandas_saved_and_files_of_macos_change_nothing(tmp_path, planted):
    before = build(tmp_path, planted)
    part = next((tmp_path / "runs").glob("*__occlusion__*")) / "rows" / "0000.parquet"
    pq.read_table(part).to_pandas().convert_dtypes().to_parquet(part)
    part.with_name("._0000.parquet").write_bytes(b"Mac OS X")
    assert rebuild(tmp_path) == before


def test_runs_of_several_folders_meet_on_one_board(tmp_path, planted):
    for number, submission in enumerate(planted.skill):
        write_run(tmp_path / f"runs{number % 2}", planted, submission)
    path = board.build([tmp_path / "runs0", tmp_path / "runs1"], tmp_path / "board", QUICK)
    assert set(ranking(path)) == set(planted.skill)


def test_a_run_over_fewer_items_does_not_count_twice(tmp_path, planted):
    path = build(tmp_path, planted)
    before = ranking(path)["occlusion"]["results"]["fid_f@top30"]
    folder = next((tmp_path / "runs").glob("*__occlusion__*"))
    rows = read_run(folder).to_pylist()
    few = set(item_ids(planted)[:10])
    other = folder.with_name("planted__occlusion__few")
    write_part([Row(**{**r, "run": other.name}) for r in rows if r["item"] in few], other / "rows" / "0000.parquet")
    (other / "run.json").write_text(json.dumps({"arguments": {}}))
    after = ranking(rebuild(tmp_path))["occlusion"]["results"]["fid_f@top30"]
    assert after == before


def test_a_metric_that_the_audit_calls_uninformative_is_shown_and_not_ranked(standard):
    path = standard.path
    flags = {r["metric"]: r["informative"] for r in table(path, "SELECT metric, informative FROM metrics")}
    assert flags["kl_f@top30"] is False
    assert flags["fid_f@top30"] is True
    assert ranking(path)["occlusion"]["results"]["kl_f@top30"]["calibrated"] is None
    (task,) = table(path, "SELECT headline, ranked_by, note FROM tasks")
    assert (task["headline"], task["ranked_by"]) == (["fid_f@top30", "fid_cf@top30", "kl_cf@top30"], "calibrated")
    assert "Uninformative by the task's audit, and left out of the score: kl_f@top30." in task["note"]
    assert "Uninformative here" in printed(path)


def test_what_is_stored_with_a_task_lies_on_the_calibrated_scale_of_informative_metrics(standard):
    metrics = {metric["metric"]: metric for metric in table(standard.path, "SELECT * FROM metrics")}
    for metric in metrics.values():
        for kind in ("ceiling", "anti", "truth"):
            place = metric[f"{kind}_calibrated"]
            if metric["informative"] and metric[kind] is not None:
                span = metric["ceiling"] - metric["floor"]
                if kind == "anti":
                    span = np.sign(span) * max(abs(span), abs(metric["floor"] - metric["anti"]))
                assert place == pytest.approx((metric[kind] - metric["floor"]) / span)
            else:
                assert place is None
    assert metrics["fid_f@top30"]["ceiling_calibrated"] == 1.0
    assert metrics["fid_f@top30"]["anti_calibrated"] < 0
    assert metrics["kl_f@top30"]["ceiling_calibrated"] is None


def test_without_random_raw_values_are_shown_and_nothing_is_ranked(tmp_path, planted):
    plan = replace(planted, skill={"occlusion": 0.7, "attention": 0.3})
    path = build(tmp_path, plan)
    found = ranking(path)
    assert [r["rank"] for r in found.values()] == [None, None]
    assert list(found) == ["occlusion", "attention"]
    assert found["occlusion"]["results"]["fid_cf@top30"]["mean"] > 0.5
    assert found["occlusion"]["results"]["fid_cf@top30"]["calibrated"] is None
    assert "No rows of 'random'" in printed(path)


def raw_order(path: Path) -> None:
    found = ranking(path)
    assert list(found)[:3] == ["gradient_input", "occlusion", "attention"]
    assert [r["rank"] for r in found.values()] == [1, 1, 3, 4, 4]
    assert all(r["score"] is None for r in found.values())
    assert all(r["calibrated"] is None for e in found.values() for r in e["results"].values())
    assert table(path, "SELECT ranked_by, headline FROM tasks") == [{"ranked_by": "raw", "headline": []}]
    assert not table(path, "SELECT * FROM exclusions")
    assert not table(path, "SELECT * FROM changes")


def test_without_ceilings_entrants_are_ranked_raw_by_the_main_metric(tmp_path):
    path = build(tmp_path, Plan())
    raw_order(path)
    assert "No ceiling is stored with the task: ranked raw, by fid_cf@top30 alone" in printed(path).replace("\n", " ")
    assert table(path, "SELECT title FROM tasks")[0]["title"] == "Planted effects"


def test_without_an_audit_entrants_are_ranked_raw_and_it_is_said_how_to_make_one(tmp_path, monkeypatch):
    path = build(tmp_path, shelved(tmp_path, monkeypatch, Plan(audited=False)))
    raw_order(path)
    (task,) = table(path, "SELECT note FROM tasks")
    assert "No audit is stored with the task (`earwitness audit planted` makes one): ranked raw" in task["note"]


@pytest.mark.parametrize(("audit", "said"), [
    ('{"task": "planted", "data_hash": "0123", "items": 30, "metrics": {}}', "of other weights or items"),
    ('{"task": "planted"', "is no audit of a task"),
])  # fmt: skip
def test_an_audit_that_is_not_of_this_task_is_not_used_and_said_so(tmp_path, planted, audit, said):
    (tmp_path / "registry" / "planted" / "truth" / "audit.json").write_text(audit)
    path = build(tmp_path, planted)
    raw_order(path)
    (task,) = table(path, "SELECT note FROM tasks")
    assert said in task["note"]
    assert "make it again with `earwitness audit" in task["note"]
    assert "The task has no audit that counts: ranked raw" in task["note"]


def test_a_headline_metric_that_the_audit_does_not_know_is_left_out_and_said_so(tmp_path, monkeypatch):
    path = build(tmp_path, shelved(tmp_path, monkeypatch, Plan(unaudited=("kl_f@top30",))))
    (task,) = table(path, "SELECT * FROM tasks")
    assert task["headline"] == ["fid_f@top30", "fid_cf@top30", "kl_cf@top30"]
    assert "Not audited, and left out of the score until the task is audited again: kl_f@top30." in task["note"]
    (metric,) = table(path, "SELECT * FROM metrics WHERE metric = 'kl_f@top30'")
    assert (metric["informative"], metric["weight"], metric["share"]) == (None, None, None)


def test_a_score_without_any_informative_metric_ranks_nobody(tmp_path, monkeypatch):
    plan = Plan(dull=tuple(f"{name}@top30" for name in ("fid_f", "kl_f", "fid_cf", "kl_cf")))
    path = build(tmp_path, shelved(tmp_path, monkeypatch, plan))
    assert all(r["rank"] is None for r in ranking(path).values())
    assert "No headline metric is informative here" in printed(path)


def test_fresh_items_and_other_seeds_rank_apart_from_the_cards_items(tmp_path, planted):
    fresh = replace(planted, task_hash=f"{planted.task_hash}-fresh7", items=12)
    path = build(tmp_path, planted, fresh, replace(planted, seed=1))
    counted = {r["task_key"]: r["items"] for r in table(path, "SELECT task_key, items FROM tasks")}
    assert counted == {"planted": 30, "planted~fresh7": 12, "planted~seed1": 30}
    assert ranking(path, "planted~fresh7")["gradient_input"]["score"] == pytest.approx(0.8, abs=0.15)


def test_explainer_seeds_are_pooled_in_an_item(tmp_path, planted):
    several = replace(planted, explainer_seeds=(0, 1, 2))
    once, pooled = build(tmp_path / "one", planted), build(tmp_path / "three", several)
    assert table(pooled, "SELECT task_key, items, clusters FROM tasks") == table(
        once, "SELECT task_key, items, clusters FROM tasks"
    )
    mine = "entrant = 'attention' AND item = 'test-0007' AND metric = 'fid_cf@top30'"
    rows = [
        row["value"] for row in table(pooled, f"SELECT value FROM rows WHERE {mine.replace('entrant', 'submission')}")
    ]
    assert len(set(rows)) == 3
    assert table(pooled, f"SELECT value FROM item_values WHERE {mine}") == [{"value": pytest.approx(np.mean(rows))}]
    shares = "share_item, share_generation, share_explainer FROM results WHERE metric = 'fid_cf@top30'"
    (of_one,) = table(once, f"SELECT {shares} AND entrant = 'attention'")
    assert of_one == {"share_item": 1.0, "share_generation": None, "share_explainer": None}
    (of_three,) = table(pooled, f"SELECT {shares} AND entrant = 'attention'")
    assert of_three["share_generation"] is None
    assert of_three["share_item"] + of_three["share_explainer"] == pytest.approx(1)


def test_rows_of_another_version_of_the_task_never_meet_the_registered(tmp_path, planted):
    old = replace(planted, task_hash="0123456789abcdef", skill={"random": 0.0, "attention": 0.9})
    path = build(tmp_path, planted, old)
    assert set(ranking(path)) == set(planted.skill)
    assert set(ranking(path, "planted~012345")) == {"random", "attention"}


def test_ranks_under_another_judge_and_operator_come_with_kendalls_tau(standard):
    changes, scores = table(standard.path, "SELECT * FROM changes"), ranking(standard.path)
    assert {r["change"] for r in changes} == {"removal null", "removal scale, judge cnn"}
    for change in {r["change"] for r in changes}:
        mine = [r for r in changes if r["change"] == change]
        before = [scores[r["entrant"]]["score"] for r in mine]
        assert mine[0]["tau"] == pytest.approx(kendalltau(before, [r["score"] for r in mine]).statistic, abs=1e-9)
        assert {r["entrant"] for r in mine if r["rank"] == 1} <= {"gradient_input", "occlusion"}


def test_permuting_entrants_relabels_the_ranking(tmp_path, planted):
    first = ranking(build(tmp_path, planted))
    for path in sorted((tmp_path / "runs").glob("*__*__*")):
        path.rename(path.with_name("z" + path.name[::-1]))
    second = ranking(rebuild(tmp_path))
    for entrant, record in first.items():
        assert (second[entrant]["rank"], second[entrant]["score"]) == (record["rank"], record["score"])


def test_the_board_is_named_by_its_content_and_pointed_to(tmp_path, planted):
    path = build(tmp_path, planted)
    assert json.loads((tmp_path / "board" / "current.json").read_text()) == {"board": path.name}
    assert rebuild(tmp_path) == path
    write_run(tmp_path / "runs", planted, "occlusion")
    write_run(tmp_path / "runs", replace(planted, skill={"new": 0.5}), "new")
    other = rebuild(tmp_path)
    assert other != path
    assert board.current(tmp_path / "board") == other


def test_two_builds_at_once_leave_a_pointer_to_a_board(tmp_path, monkeypatch):
    point = store._point

    def late(folder, name):
        monkeypatch.setattr(store, "_point", point)
        store.write({"t": pa.table({"x": [2]})}, tmp_path)
        point(folder, name)

    store.write({"t": pa.table({"x": [0]})}, tmp_path)
    monkeypatch.setattr(store, "_point", late)
    path = store.write({"t": pa.table({"x": [1]})}, tmp_path)
    assert board.current(tmp_path) == path
    assert table(tmp_path, "SELECT x FROM t") == [{"x": 1}]


def test_boards_that_no_build_can_still_point_to_are_deleted(tmp_path):
    old, other = (store.write({"t": pa.table({"x": [number]})}, tmp_path) for number in range(2))
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    last = store.write({"t": pa.table({"x": [2]})}, tmp_path)
    # The one that was current may have a reader.
    assert sorted(tmp_path.glob("*.duckdb")) == sorted([other, last])


def test_a_page_that_reads_the_board_does_not_stop_the_next_build(tmp_path, planted):
    reader = board.connect(build(tmp_path, planted))
    write_run(tmp_path / "runs", replace(planted, skill={"new": 0.5}), "new")
    rebuild(tmp_path)
    assert board.records(reader, "SELECT count(*) AS n FROM ranks") == [{"n": 5}]
    reader.close()


def test_a_connection_reaches_no_other_file(tmp_path, standard):
    connection = board.connect(standard.path)
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(duckdb.Error):
        connection.execute(f"SELECT * FROM '{tmp_path / 'secret.csv'}'")
    with pytest.raises(duckdb.Error):
        connection.execute("SET enable_external_access = true")
    with pytest.raises(duckdb.Error):
        connection.execute("DELETE FROM ranks")
    connection.close()


def test_every_item_leads_to_its_run_explanation_and_sounds(standard):
    path = standard.path
    item = table(path, "SELECT * FROM items WHERE entrant = 'attention' AND item = 'test-0003'")[0]
    given = table(path, "SELECT * FROM inputs WHERE item = 'test-0003'")[0]
    for place in (item["explanation"], given["arrays"]):
        assert (path.parent / place).is_file()
    shown = table(path, "SELECT * FROM exhibits WHERE item = 'test-0003' AND entrant IN ('', 'attention')")
    assert sorted((each["entrant"], each["kind"], each["label"]) for each in shown) == [
        ("", "sound", "original"), ("attention", "sound", "kept"), ("attention", "sound", "removed")
    ]  # fmt: skip
    assert all((path.parent / each["path"]).is_file() for each in shown)
    assert given["seconds"] == pytest.approx(2.0, abs=0.01)
    assert json.loads(given["fields"])["prompt"].split()[2] == "bark"
    recorded = table(path, "SELECT * FROM runs WHERE entrant = 'attention'")[0]
    assert (path.parent / recorded["folder"]).name == item["run"]
    assert json.loads(recorded["recipe"])["arguments"] == {"seed": 0}


def test_the_printed_ranking_shows_ceiling_floor_and_cost_in_120_columns(standard):
    text = printed(standard.path)
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "…" not in text
    for word in (
        "CEILING",
        "random (floor)",
        "ANTI-ORACLE",
        "forwards",
        "Kendall's tau",
        "fid_f@top30: better than the control ",
    ):
        assert word in text


def test_no_runs_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(EarwitnessError, match="earwitness run"):
        board.build(tmp_path, tmp_path / "board")
    with pytest.raises(EarwitnessError, match="earwitness board"):
        board.connect(tmp_path)


def test_the_export_is_one_page_with_the_ranking_and_asks_no_other_host(tmp_path, standard):
    page = board.export(standard.path, tmp_path / "export").read_text(encoding="utf-8")
    for word in ("gradient_input", "Ceiling", "<audio", "Planted effects"):
        assert word in page
    assert "http" not in page
    link = re.search(r'<audio controls [^>]*src="([^"]+)"', page)[1]
    assert (tmp_path / "export" / link).is_file()


def changed_by(statement: str, folder: Path) -> bool:
    """Whether a database of a board's name that a statement was run on is written anew by the next build."""
    tables = {"t": pa.table({"x": [1.0, None, math.nan], "y": ["a", "b", None]}), "u": pa.table({"z": [1]})}
    path = store.write(tables, folder)
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(statement)
    before = path.stat().st_ino
    assert store.write(tables, folder) == path
    with closing(store.connect(path)) as connection:
        assert connection.execute("SELECT x, y FROM t").fetchall()[:2] == [(1.0, "a"), (None, "b")]
        assert connection.execute("SELECT z FROM u").fetchall() == [(1,)]
    return path.stat().st_ino != before


def test_the_same_board_is_not_written_twice(tmp_path: Path) -> None:
    assert not changed_by("SELECT 1", tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET x = 2 WHERE y = 'a'", "UPDATE t SET x = 0 WHERE x IS NULL", "DELETE FROM t WHERE y IS NULL",
        "INSERT INTO t VALUES (1, 'c')", "DROP TABLE u", "CREATE TABLE v (x INTEGER)", "CREATE VIEW v AS SELECT 1",
        "ALTER TABLE u RENAME z TO w; ALTER TABLE u ADD z BIGINT DEFAULT 1", "ALTER TABLE u ALTER z TYPE DOUBLE",
        "DROP TABLE u; CREATE VIEW u AS SELECT 1::BIGINT AS z",
    ],
)  # fmt: skip
def test_a_database_of_the_same_name_with_other_content_is_written_anew(statement: str, tmp_path: Path) -> None:
    assert changed_by(statement, tmp_path)


def test_half_a_database_of_the_same_name_is_written_anew(tmp_path: Path) -> None:
    tables = {"t": pa.table({"x": [1]})}
    path = store.write(tables, tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with closing(store.connect(store.write(tables, tmp_path))) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]
