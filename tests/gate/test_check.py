import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.errors import (
    DONE,
    ITEM_FAILED,
    NO,
    NOT_COMPARABLE,
    USAGE,
    EarwitnessError,
    ExplainerFailedError,
    NotComparableError,
)
from earwitness.gate import CheckReport, Mode, Outcome, RuleError, RuleVerdict, check, parse
from earwitness.results import rows
from earwitness.results.rows import SCHEMA
from earwitness.stats.paired import paired_difference, sign_flip
from gate_rows import records, scores, table

HIGHER, LOWER = "fid_cf@top30", "fid_f@top30"
RULE = "fid_* worse by >2% at p<0.05"
NOISE = np.random.default_rng(9).normal(0, 0.02, 200)


def judged(run: pa.Table, baseline: pa.Table, *rules: str, mode: Mode = Mode.PROVEN_WORSE) -> CheckReport:
    return check(run, baseline, [parse(rule) for rule in rules or (RULE,)], mode)


def only(report: CheckReport) -> RuleVerdict:
    (verdict,) = report.verdicts
    return verdict


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("metric", [HIGHER, LOWER])
def test_the_same_rows_pass(mode: Mode, metric: str) -> None:
    rows = table({metric: scores()})
    report = judged(rows, rows, mode=mode)
    assert (only(report).outcome, report.exit_code) == (Outcome.PASS, DONE)
    assert (only(report).effect, only(report).smallest) == (0.0, 0.0)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(("metric", "shift"), [(HIGHER, -0.025), (LOWER, 0.025)])
def test_a_loss_of_5_percent_is_a_regression_in_the_metrics_own_direction(
    mode: Mode, metric: str, shift: float
) -> None:
    values = scores()
    report = judged(table({metric: values + shift + NOISE}), table({metric: values}), mode=mode)
    verdict = only(report)
    assert (verdict.outcome, report.exit_code) == (Outcome.REGRESSION, NO)
    assert verdict.effect == pytest.approx(-0.025, abs=0.004)
    assert verdict.low < verdict.effect < verdict.high < -verdict.margin
    assert verdict.p < 0.05


@pytest.mark.parametrize(("metric", "shift"), [(HIGHER, 0.025), (LOWER, -0.025)])
def test_a_gain_passes(metric: str, shift: float) -> None:
    values = scores()
    report = judged(table({metric: values + shift + NOISE}), table({metric: values}), mode=Mode.NON_INFERIOR)
    assert only(report).outcome is Outcome.PASS
    assert only(report).effect == pytest.approx(0.025, abs=0.004)


def test_a_loss_below_the_margin_passes_and_is_shown() -> None:
    values = scores()
    verdict = only(judged(table({HIGHER: values - 0.004 + NOISE}), table({HIGHER: values})))
    assert verdict.outcome is Outcome.PASS
    assert verdict.high < 0


@pytest.mark.parametrize(("mode", "code"), [(Mode.PROVEN_WORSE, DONE), (Mode.NON_INFERIOR, NO)])
def test_too_noisy_items_are_inconclusive_and_fail_releases_alone(mode: Mode, code: int) -> None:
    values = scores(50)
    report = judged(table({HIGHER: values + 4 * NOISE[:50]}), table({HIGHER: values}), mode=mode)
    assert (only(report).outcome, report.exit_code) == (Outcome.INCONCLUSIVE, code)
    assert only(report).smallest > only(report).margin


def test_four_items_can_prove_nothing() -> None:
    verdict = only(judged(table({HIGHER: [0.1, 0.2, 0.1, 0.2]}), table({HIGHER: [0.8, 0.9, 0.8, 0.9]})))
    assert (verdict.outcome, verdict.smallest) == (Outcome.INCONCLUSIVE, float("inf"))


def test_the_figures_are_those_of_the_literal_computation() -> None:
    values = scores(12)
    after = values - 0.03 + NOISE[:12]
    verdict = only(judged(table({HIGHER: after}), table({HIGHER: values})))
    gain, margin = after - values, 0.02 * values.mean()
    signs = 1 - 2 * ((np.arange(2**12)[:, None] >> np.arange(12)) & 1)
    sums = signs @ (gain + margin)
    assert verdict.p == (sums <= sums[0] + 1e-12).mean()
    assert verdict.effect == pytest.approx(gain.mean())
    assert verdict.margin == pytest.approx(margin)
    assert (verdict.before, verdict.after) == pytest.approx((values.mean(), after.mean()))
    assert verdict.low < verdict.effect < verdict.high
    worst = np.argsort(gain)[:5]
    assert [item for item, _ in verdict.worst] == [f"i{number:04d}" for number in worst]
    assert [effect for _, effect in verdict.worst] == pytest.approx(gain[worst].tolist())


def test_the_interval_is_the_paired_bootstraps_at_one_minus_twice_the_level() -> None:
    from earwitness.stats.intervals import Resampling

    values = scores()
    verdict = only(judged(table({HIGHER: values + NOISE}), table({HIGHER: values}), "fid_cf worse by >2% at p<0.01"))
    found = paired_difference(values + NOISE, values, np.arange(200), Resampling(level=0.98))
    assert (verdict.low, verdict.high) == pytest.approx((float(found.low), float(found.high)))


def test_a_percentage_is_shown_as_one_and_an_absolute_margin_is_not() -> None:
    values = scores()
    run, baseline = table({LOWER: values + 0.025 + NOISE}), table({LOWER: values})
    report = judged(run, baseline, RULE, "fid_f worse by >0.01 at p<0.05")
    relative, absolute = report.verdicts
    assert absolute.share is None
    assert relative.share is not None
    share, low, high = relative.share
    assert share == pytest.approx(relative.effect / values.mean())
    assert low < share < high < -0.02


def test_all_comparisons_of_all_rules_share_one_level() -> None:
    values = scores(40)
    metrics = [f"fid_cf@top{number}" for number in range(30)]
    losses = {
        metric: values - 0.015 + 0.02 * np.random.default_rng(n).normal(size=40) for n, metric in enumerate(metrics)
    }
    baseline = dict.fromkeys(metrics, values)
    one = only(judged(table({metrics[3]: losses[metrics[3]]}), table({metrics[3]: values})))
    rules = ["fid_cf worse by >2% at p<0.05", "fid_cf@top3 worse by >0.5 at p<0.05"]
    report = judged(table(losses), table(baseline), *rules)
    (same,) = [v for v in report.verdicts if v.metric == one.metric and v.rule.relative]
    assert len(report.verdicts) == 31
    raw = sign_flip((losses[metrics[3]] - values + 0.02 * values.mean())[:, None]).below[0]
    assert one.p == pytest.approx(raw, abs=0.005)
    assert same.p > one.p
    assert same.smallest > one.smallest


def test_items_of_one_cluster_count_as_one() -> None:
    values = scores(40)
    shared = np.repeat(np.random.default_rng(1).normal(-0.05, 0.05, 10), 4)
    alone = only(judged(table({HIGHER: values + shared}), table({HIGHER: values})))
    together = only(judged(table({HIGHER: values + shared}, 4), table({HIGHER: values}, 4)))
    assert together.effect == alone.effect
    assert together.smallest > 1.5 * alone.smallest
    assert together.p > alone.p


def test_failed_items_count_as_the_floor_and_are_counted() -> None:
    values = scores()
    failing = [None if number % 10 == 0 else value for number, value in enumerate(values)]
    verdict = only(judged(table({HIGHER: failing}), table({HIGHER: values})))
    assert (verdict.outcome, verdict.failed, verdict.items) == (Outcome.REGRESSION, 20, 200)
    assert verdict.effect == pytest.approx((-1 - values[::10]).sum() / 200)


@given(st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_the_order_of_rows_changes_nothing(random: st.DataObject) -> None:
    values = scores(20)
    run, baseline = table({HIGHER: values - 0.02, LOWER: values}), table({HIGHER: values, LOWER: values})
    places = list(range(len(run)))
    random.shuffle(places)  # type: ignore[attr-defined]
    assert judged(run.take(places), baseline.take(places[::-1])) == judged(run, baseline)


def test_the_same_check_gives_the_same_verdicts() -> None:
    values = scores()
    run, baseline = table({HIGHER: values - 0.01 + NOISE}), table({HIGHER: values})
    assert judged(run, baseline) == judged(run, baseline)


def test_the_random_explainer_is_the_floor_and_is_not_judged() -> None:
    values = scores()
    rows = pa.concat_tables([table({HIGHER: values}), table({HIGHER: values / 9}, submission="random")])
    assert {verdict.submission for verdict in judged(rows, rows).verdicts} == {"mine"}


def test_submissions_and_tasks_that_one_side_lacks_are_noted() -> None:
    values = {HIGHER: scores()}
    baseline = pa.concat_tables([table(values), table(values, submission="other"), table(values, task="second")])
    report = judged(pa.concat_tables([table(values), table(values, submission="newcomer")]), baseline)
    assert [verdict.submission for verdict in report.verdicts] == ["mine"]
    assert report.notes == (
        "not compared: newcomer on planted, of which the baseline has no rows",
        "not compared: other on planted, of which the run has no rows",
        "not compared: mine on second, of which the run has no rows",
    )


VALUES = {HIGHER: scores(20)}
ROWS = table(VALUES)
BAD = {
    "an empty baseline": (ROWS, SCHEMA.empty_table(), [RULE], USAGE, "the baseline: no row"),
    "an empty run": (SCHEMA.empty_table(), ROWS, [RULE], USAGE, "the run: no row"),
    "duplicate rows": (ROWS, pa.concat_tables([ROWS, ROWS]), [RULE], USAGE, "20 rows are there more than once"),
    "mixed versions": (ROWS, pa.concat_tables([ROWS, table({LOWER: scores(20)}, task_hash="h2")]), [RULE], USAGE,
                       "rows of several versions of mine on planted"),
    "another schema": (ROWS, ROWS.drop_columns(["cluster"]), [RULE], USAGE, "another schema"),
    "no rule": (ROWS, ROWS, [], USAGE, "no rule"),
    "an unknown metric": (ROWS, ROWS, ["fid_cg worse by >2% at p<0.05"], USAGE, "did you mean 'fid_cf'"),
    "a metric that no row has": (ROWS, ROWS, ["word_ap worse by >2% at p<0.05"], USAGE, "did you mean 'word_ap'"),
    "a description": (table({"size": [1.0]}), table({"size": [1.0]}), ["size worse by >2% at p<0.05"], USAGE,
                      "only describes"),
    "an unknown task": (ROWS, ROWS, ["plantet: fid_cf worse by >2% at p<0.05"], USAGE, "did you mean 'planted'"),
    "a run without that task": (ROWS, pa.concat_tables([ROWS, table(VALUES, task="other")]),
                                ["other: fid_cf worse by >2% at p<0.05"], USAGE, "the run has no rows of other"),
    "a baseline without that task": (pa.concat_tables([ROWS, table(VALUES, task="other")]), ROWS,
                                     ["other: fid_cf worse by >2% at p<0.05"], USAGE, "the baseline has no rows of"),
    "another submission": (table(VALUES, submission="yours"), ROWS, [RULE], USAGE, "share no submission"),
    "a mean near zero": (table({HIGHER: scores(20) - 0.5}), table({HIGHER: scores(20) - 0.5}), [RULE], USAGE,
                         "too near 0"),
    "another task version": (table(VALUES, task_version=2, task_hash="h2"), ROWS, [RULE], NOT_COMPARABLE,
                             "task version 1 and 2"),
    "another task hash": (table(VALUES, task_hash="h2"), ROWS, [RULE], NOT_COMPARABLE, "task hash h1 and h2"),
    "fresh items": (table(VALUES, task_hash="h1-fresh3"), ROWS, [RULE], NOT_COMPARABLE,
                    "data: the card's items and fresh items of seed 3"),
    "another explainer seed": (table(VALUES, explainer_seed=1), ROWS, [RULE], NOT_COMPARABLE,
                               "explainer seeds 0 and 1"),
    "other clusters": (table(VALUES, 2), ROWS, [RULE], NOT_COMPARABLE, "item i0001 belongs to another cluster"),
    "an explainer that failed": (table({HIGHER: [None] * 20}), ROWS, [RULE], ITEM_FAILED,
                                 "none of 20 items has a value: failed: the explainer raised ValueError"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_an_exit_code(name: str) -> None:
    run, baseline, rules, code, complaint = BAD[name]
    with pytest.raises(EarwitnessError) as caught:
        check(run, baseline, [parse(rule) for rule in rules])
    assert complaint in str(caught.value)
    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)


def test_refusals_have_their_own_kinds() -> None:
    with pytest.raises(NotComparableError):
        judged(table(VALUES, task_hash="h2"), ROWS)
    with pytest.raises(ExplainerFailedError):
        judged(table({HIGHER: [None] * 20}), ROWS)
    with pytest.raises(RuleError):
        judged(ROWS, ROWS, "nothing_like_it worse by >2% at p<0.05")


def test_a_rule_about_metrics_without_a_value_is_no_rule_that_passes() -> None:
    rows = table({HIGHER: scores(20), "word_ap@class": [None] * 20})
    with pytest.raises(RuleError, match="is about no metric that has a value"):
        judged(rows, rows, RULE, "word_ap worse by >2% at p<0.05")


def test_a_mean_near_zero_may_have_an_absolute_margin() -> None:
    rows = table({HIGHER: scores(40) - 0.5})
    assert only(judged(rows, rows, "fid_cf worse by >0.01 at p<0.05")).margin == 0.01


@pytest.mark.parametrize("mode", list(Mode))
def test_failing_on_the_worst_items_turns_no_regression_into_a_pass(mode: Mode) -> None:
    before = np.r_[np.full(80, 0.8), np.full(20, 0.1)] + NOISE[:100] / 10
    floor = records({HIGHER: [0.5] * 100}, submission="random")
    baseline = rows.table([*records({HIGHER: before}), *floor])
    worse = before - 0.06
    honest = rows.table([*records({HIGHER: worse}), *floor])
    sparing = rows.table([*records({HIGHER: [*worse[:80], *[None] * 20]}), *floor])
    assert only(judged(honest, baseline, mode=mode)).outcome == Outcome.REGRESSION
    assert only(judged(sparing, baseline, mode=mode)).outcome != Outcome.PASS


@pytest.mark.parametrize("missing", ["no row", "other code that fails"])
def test_a_metric_that_the_run_has_no_value_of_is_not_comparable(missing: str) -> None:
    values = scores(50)
    baseline = table({HIGHER: values, LOWER: values}, metric_hash="a")
    kept = records({LOWER: values}, metric_hash="a")
    gone = [] if missing == "no row" else records({HIGHER: [None] * 50}, metric_hash="b")
    with pytest.raises(NotComparableError, match=HIGHER):
        judged(rows.table([*kept, *gone]), baseline)


def test_crossed_clusters_ask_for_more_than_the_coarser_way_alone() -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 30, 300), random.integers(0, 12, 300)
    change = 0.05 * random.normal(size=30)[first] + 0.05 * random.normal(size=12)[second]
    before = scores(300) / 2

    def found(name: str) -> RuleVerdict:
        both = [f"a{i} × b{j}" for i, j in zip(first, second, strict=True)]
        clusters = {"crossed": both, "one": [f"b{j}" for j in second]}
        run, baseline = (
            table({HIGHER: values}).set_column(SCHEMA.get_field_index("cluster"), "cluster", pa.array(clusters[name]))
            for values in (before + change, before)
        )
        (verdict,) = check(run.cast(SCHEMA), baseline.cast(SCHEMA), [parse(RULE)]).verdicts
        return verdict

    one, crossed = found("one"), found("crossed")
    assert crossed.effect == one.effect
    assert crossed.smallest > 1.1 * one.smallest
    assert crossed.high - crossed.low > 1.1 * (one.high - one.low)
    assert abs(crossed.p - 0.5) <= abs(one.p - 0.5) + 0.05
