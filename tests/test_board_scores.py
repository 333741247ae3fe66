"""What a score is made of: shares and weights of its metrics, definitions, likenesses, and win rates across tasks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earwitness import metrics, registry
from earwitness.board import weighing
from earwitness.board.across import Contest, across
from earwitness.board.export import export
from earwitness.board.variants import measured_variant
from earwitness.errors import EarwitnessError
from earwitness.results import filling
from earwitness.results.audits import read_audit
from earwitness.results.folders import open_runs
from earwitness.results.rows import Row, read_run, write_part
from earwitness.task import read_task
from synthetic import HEADLINE, Plan, write_run, write_task
from test_board import build, printed, ranking, rebuild, shelved, table

HEADS = [f"{name}@top30" for name in HEADLINE]


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    return shelved(tmp_path, monkeypatch, Plan())


def defined_by(patch: pytest.MonkeyPatch, metric: str, *submissions: str) -> None:
    patch.setitem(metrics._REGISTRY, metric, replace(metrics.get(metric), defined_by=submissions))
    patch.setattr(filling, "_KNOWN", {})


def stretched(folder: Path, metric: str, factor: float) -> None:
    """Move a metric's values, which are never below 0, of all runs away from those of random."""
    runs = {path: read_run(path).to_pylist() for path in (folder / "runs").glob("*__*__*")}
    mine = [row for rows in runs.values() for row in rows if row["metric"] == metric]
    floor = {row["item"]: row["value"] for row in mine if row["submission"] == "random"}
    for row in mine:
        row["value"] = max(0.0, floor[row["item"]] + factor * (row["value"] - floor[row["item"]]))
    for path, rows in runs.items():
        write_part([Row(**row) for row in rows], path / "rows" / "0000.parquet")


def test_shares_of_the_scores_variance_are_covariances_and_add_up_to_1(tmp_path, planted):
    path = build(tmp_path, planted)
    found = ranking(path)
    rows = {row["metric"]: row for row in table(path, "SELECT * FROM metrics") if row["share"] is not None}
    assert list(rows) == HEADS
    parts = np.array([[e["results"][m]["calibrated"] for m in HEADS] for e in found.values()])
    score = parts.mean(axis=1)
    expected = [np.cov(parts[:, n], score)[0, 1] / score.var(ddof=1) / 4 for n in range(4)]
    assert [rows[m]["share"] for m in HEADS] == pytest.approx(expected)
    assert sum(expected) == pytest.approx(1)
    assert [rows[m]["weight"] for m in HEADS] == [0.25] * 4
    assert "Of the score's variance between entrants: fid_f@top30 " in printed(path)


def test_the_score_is_the_mean_of_parts_by_the_weights_that_the_audit_holds(tmp_path, monkeypatch):
    weights = dict(zip(HEADS, (0.4, 0.3, 0.2, 0.1), strict=True))
    path = build(tmp_path, shelved(tmp_path, monkeypatch, Plan(weights=weights)))
    for entrant in ranking(path).values():
        parts = [entrant["results"][m]["calibrated"] * weight for m, weight in weights.items()]
        assert entrant["score"] == pytest.approx(sum(parts))
    assert "fid_f@top30 " in printed(path)
    assert "(weight .40)" in printed(path)


def test_weights_of_other_metrics_than_the_informative_ones_are_shared_out_among_these(tmp_path, monkeypatch):
    weights = dict(zip(HEADS, (0.4, 0.3, 0.2, 0.1), strict=True))
    path = build(tmp_path, shelved(tmp_path, monkeypatch, Plan(weights=weights, dull=(HEADS[0],))))
    found = {r["metric"]: r["weight"] for r in table(path, "SELECT metric, weight FROM metrics")}
    assert [found[m] for m in HEADS] == [None, pytest.approx(0.5), pytest.approx(1 / 3), pytest.approx(1 / 6)]


def test_a_metric_that_makes_the_score_alone_is_told_and_weighing_the_task_mends_it(tmp_path, planted, capsys):
    build(tmp_path, planted)
    stretched(tmp_path, "kl_cf@top30", 6.0)
    path = rebuild(tmp_path)
    (task,) = table(path, "SELECT note FROM tasks")
    assert "kl_cf@top30 carries " in task["note"]
    with pytest.MonkeyPatch.context() as patch:
        # Made-up submissions count as registered ones.
        patch.setattr(weighing, "measured_variant", lambda *given: _registered(measured_variant(*given)))
        weighing.main(["planted", "--runs", str(tmp_path / "runs")])
    assert "kl_cf@top30: 0." in capsys.readouterr().out
    audit = read_audit(tmp_path / "registry" / "planted" / "truth")
    assert audit is not None
    assert audit.weights is not None
    assert audit.weights.entrants == sorted(planted.skill)
    path = rebuild(tmp_path)
    shares = {r["metric"]: r["share"] for r in table(path, "SELECT metric, share FROM metrics WHERE share > 0")}
    assert max(shares.values()) <= 0.4 + 1e-6
    assert "carries" not in table(path, "SELECT note FROM tasks")[0]["note"]


def _registered(measured):
    return replace(measured, submissions=[replace(each, registered=True) for each in measured.submissions])


def test_submissions_that_are_not_registered_turn_no_weights(tmp_path, planted):
    build(tmp_path, planted)
    stretched(tmp_path, "kl_cf@top30", 6.0)
    runs, _ = open_runs([tmp_path / "runs"])
    with pytest.raises(EarwitnessError, match="0 registered submissions have a score"):
        weighing.weighed(registry.task("planted"), runs)


def test_a_task_without_audit_or_runs_cannot_be_weighed(tmp_path, monkeypatch):
    plan = shelved(tmp_path, monkeypatch, Plan(audited=False))
    build(tmp_path, plan)
    task, (runs, _) = registry.task("planted"), open_runs([tmp_path / "runs"])
    with pytest.raises(EarwitnessError, match="earwitness audit planted"):
        weighing.weighed(task, runs)
    with pytest.raises(EarwitnessError, match="earwitness run --task planted"):
        weighing.weighed(task, [])


def test_with_two_headline_metrics_it_is_said_which_decides(tmp_path, monkeypatch):
    path = build(tmp_path, shelved(tmp_path, monkeypatch, Plan(dull=("fid_f@top30", "kl_f@top30"))))
    (task,) = table(path, "SELECT note FROM tasks")
    shares = {r["metric"]: r["share"] for r in table(path, "SELECT metric, share FROM metrics WHERE share > 0")}
    decides = max(shares, key=lambda metric: shares[metric])
    assert f"{decides} decides: it carries {100 * shares[decides]:.0f} % of the score's variance" in task["note"]


def test_ranks_are_shown_without_each_headline_metric_in_turn(tmp_path, planted):
    path = build(tmp_path, planted)
    found, rows = ranking(path), table(path, "SELECT * FROM exclusions")
    assert [r["metric"] for r in rows[:: len(found)]] == HEADS
    for row in rows:
        entrant = found[row["entrant"]]
        others = [entrant["results"][m]["calibrated"] for m in HEADS if m != row["metric"]]
        assert row["score"] == pytest.approx(np.mean(others))
        assert row["rank_before"] == entrant["rank"]
        assert row["rank"] is not None
    assert "Without fid_f@top30: Kendall's tau " in printed(path)


def test_who_defines_a_headline_metric_stands_apart_with_a_score_over_the_others(tmp_path, planted, monkeypatch):
    before = ranking(build(tmp_path, planted))
    defined_by(monkeypatch, "kl_cf", "occlusion")
    path = rebuild(tmp_path)
    found = ranking(path)
    apart = found["occlusion"]
    assert (apart["rank"], apart["first"], apart["note"]) == (None, None, "defines kl_cf@top30")
    others = [apart["results"][m]["calibrated"] for m in HEADS if m != "kl_cf@top30"]
    assert apart["score"] == pytest.approx(np.mean(others))
    assert apart["score_low"] < apart["score"] < apart["score_high"]
    assert list(found)[-1] == "occlusion"
    for entrant, record in found.items():
        if entrant != "occlusion":
            assert record["score"] == pytest.approx(before[entrant]["score"])
    assert "occlusion" not in {r["entrant"] for r in table(path, "SELECT entrant FROM exclusions")}
    assert (
        "occlusion is the definition of kl_cf@top30: it stands apart"
        in table(path, "SELECT note FROM tasks")[0]["note"]
    )
    gains = table(path, "SELECT * FROM contrasts WHERE entrant = 'occlusion' AND control = 'random'")
    assert {r["metric"] for r in gains if r["gain"] is None} >= {"kl_cf@top30"}
    assert next(r for r in gains if r["metric"] == "kl_f@top30")["gain"] is not None
    assert "†" in printed(path)
    assert "apart" in printed(path)


def test_ranked_raw_by_what_one_defines_one_has_no_rank(tmp_path, monkeypatch):
    plan = shelved(tmp_path, monkeypatch, Plan(audited=False))
    defined_by(monkeypatch, "fid_cf", "occlusion")
    found = ranking(build(tmp_path, plan))
    assert (found["occlusion"]["rank"], found["occlusion"]["note"]) == (None, "defines fid_cf@top30")
    assert found["attention"]["rank"] == 2


def test_an_entrant_with_the_values_of_a_definition_is_flagged_and_others_are_not(tmp_path, planted, monkeypatch):
    build(tmp_path, planted)
    defined_by(monkeypatch, "kl_cf", "occlusion")
    copied = next((tmp_path / "runs").glob("*__occlusion__*"))
    rows = [Row(**{**r, "submission": "renamed", "submission_hash": "f" * 16}) for r in read_run(copied).to_pylist()]
    folder = write_run(tmp_path / "runs", replace(planted, skill={"renamed": 0.75}), "renamed")
    write_part([replace(row, run=folder.name) for row in rows], folder / "rows" / "0000.parquet")
    path = rebuild(tmp_path)
    flags = {entrant: record["flag"] for entrant, record in ranking(path).items() if record["flag"]}
    assert flags == {"renamed": "as occlusion on kl_cf@top30, which occlusion defines"}
    assert "renamed has the same values as occlusion" in table(path, "SELECT note FROM tasks")[0]["note"]


def contest(task: str, track: str = "prompt", draws: int = 400, noise: float = 0.0, **wins: float) -> Contest:
    random = np.random.default_rng(len(task))
    return Contest(task, track, wins, {name: won + noise * random.normal(size=draws) for name, won in wins.items()})


def test_a_win_rate_is_the_mean_over_tasks_of_the_share_of_others_that_are_beaten():
    found = across([contest("x", a=1.0, b=0.5, c=0.0), contest("y", a=0.5, b=0.5, c=0.5)], 0.95)
    assert {r["submission"]: r["win_rate"] for r in found} == {"a": 0.75, "b": 0.5, "c": 0.25}
    assert all((r["track"], r["tasks"], r["most"]) == ("prompt", 2, 2) for r in found)
    assert found[0]["names"] == ["x", "y"]


def test_the_interval_holds_both_what_tasks_and_what_items_leave_open():
    (tasks, *_) = across([contest("x", a=1.0, b=0.0), contest("y", a=0.4, b=0.6)], 0.95)
    assert (tasks["low"], tasks["high"]) == (pytest.approx(0.4), pytest.approx(1.0))
    (items, *_) = across([contest("x", noise=0.1, a=0.5, b=0.5), contest("yy", noise=0.1, a=0.5, b=0.5)], 0.95)
    assert 0.28 < items["low"] < 0.42
    assert 0.58 < items["high"] < 0.72


def test_who_covers_fewer_tasks_stands_apart_and_a_second_track_has_its_own_and_a_common_table():
    contests = [contest("x", a=0.0, b=1.0), contest("y", a=0.5, c=0.5), contest("z", "band", a=1.0, d=0.0)]
    found = across(contests, 0.95)
    groups = {t: [(r["submission"], r["tasks"]) for r in found if r["track"] == t] for t in ("band", "prompt", "")}
    assert groups == {
        "band": [("a", 1), ("d", 1)],
        "prompt": [("a", 2), ("b", 1), ("c", 1)],
        "": [("a", 3), ("b", 1), ("c", 1), ("d", 1)],
    }


def test_nobody_ranked_is_nothing_across():
    assert across([], 0.95) == []


def test_win_rates_are_of_registered_tasks_on_their_own_items_alone(tmp_path, planted):
    other = write_task(tmp_path / "registry", replace(planted, task="second"))
    second = replace(planted, task="second", task_hash=read_task(other).hash, skill={"random": 0.0, "occlusion": 0.9})
    fresh, old = (
        replace(planted, task_hash=f"{planted.task_hash}-fresh7"),
        replace(planted, task_hash="0123456789abcdef"),
    )
    path = build(tmp_path, planted, second, fresh, old, replace(planted, seed=1))
    rows = {r["submission"]: r for r in table(path, "SELECT * FROM across")}
    assert {name: r["tasks"] for name, r in rows.items()} == {
        "random": 2, "occlusion": 2, "gradient_input": 1, "attention": 1, "uniform": 1
    }  # fmt: skip
    order = [name for name in ranking(path) if name in planted.skill]
    beaten = {name: (4 - place) / 4 for place, name in enumerate(order)}
    assert rows["occlusion"]["win_rate"] == pytest.approx((beaten["occlusion"] + 1) / 2, abs=0.13)
    assert rows["occlusion"]["names"] == ["planted", "second"]
    assert rows["occlusion"]["low"] <= rows["occlusion"]["win_rate"] <= rows["occlusion"]["high"]
    assert "Across 2 tasks of the track prompt" in printed(path)
    assert max(len(line) for line in printed(path).splitlines()) <= 120
    page = export(path, tmp_path / "export").read_text(encoding="utf-8")
    assert "Across 2 tasks of the track prompt" in page
    assert page.count(" of 2</td>") == 5
