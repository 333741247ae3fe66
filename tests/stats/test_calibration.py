import numpy as np
import pytest

from earwitness.stats.calibration import Anchors, Scale, calibrated, calibrated_interval, ceiling_gap, shares
from earwitness.stats.intervals import Interval, Resampling

CLUSTERS = np.arange(100)
NOTHING = np.full(100, np.nan)
FEW, MANY = 60, 1000


def sample(mean: float, seed: int, spread: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, size=100)


def end(value: float) -> Interval:
    return Interval(np.array(value), np.array(value), np.array(value), np.empty(0))


def flat(*values: float, items: int = 10) -> Anchors:
    return Anchors(*(np.full(items, value) for value in values))


def part(value: float, ends: Anchors) -> float:
    values = np.full((len(ends.floor), 1), value)
    found = float(calibrated(values, ends, np.arange(len(values)))(np.ones((1, len(values))))[0, 0])
    assert shares(values, ends).mean() == pytest.approx(found)
    return found


def test_the_floor_calibrates_to_exactly_0_and_the_ceiling_to_exactly_1():
    floor, ceiling = sample(0.2, 1), sample(0.8, 2)
    found = calibrated_interval(np.stack([floor, ceiling], axis=1), Anchors(floor, ceiling, NOTHING), CLUSTERS)
    assert found.value == pytest.approx([0, 1])
    assert found.low == pytest.approx([0, 1])
    assert found.high == pytest.approx([0, 1])


@pytest.mark.parametrize("sign", [1, -1])
def test_below_the_floor_the_longer_way_counts_so_that_nothing_known_lies_below_minus_1(sign):
    long = flat(0.5 * sign, 0.7 * sign, -0.3 * sign)
    assert [part(sign * v, long) for v in (0.7, 0.6, 0.5, 0.1, -0.3)] == pytest.approx([1, 0.5, 0, -0.5, -1])
    short = flat(0.5 * sign, 0.9 * sign, 0.4 * sign)
    assert [part(sign * v, short) for v in (0.7, 0.4)] == pytest.approx([0.5, -0.25])


@pytest.mark.parametrize("anti", [np.nan, 0.55])
def test_an_anti_oracle_that_is_unknown_or_no_worse_than_random_sets_no_scale(anti):
    assert part(0.4, flat(0.5, 0.7, anti)) == pytest.approx(-0.5)


def test_the_place_of_a_stored_value_is_that_of_an_entrant_with_it():
    for ends in (flat(0.5, 0.7, -0.3), flat(0.5, 0.1, 0.9), flat(0.5, 0.9, 0.4)):
        scale = Scale(*(end(float(values[0])) for values in (ends.floor, ends.ceiling, ends.anti)), informative=True)
        for value in (-0.3, 0.2, 0.5, 0.8):
            assert scale.place(value) == pytest.approx(part(value, ends))
    assert Scale(end(0.5), end(0.7), None, informative=True).place(0.4) == pytest.approx(-0.5)


def test_a_ceiling_of_some_items_sets_the_scale_of_all():
    ends = Anchors(np.array([0.0, 0.0]), np.array([2.0, np.nan]), np.full(2, np.nan))
    found = calibrated(np.array([[1.0], [2.0]]), ends, np.array([0, 1]))
    assert found(np.ones((1, 2)))[0] == pytest.approx([0.75])


def test_a_ceiling_of_other_items_may_set_the_scale():
    ends = Anchors(np.array([0.0, 0.2]), np.full(2, 1.1), np.full(2, np.nan))
    found = calibrated(np.array([[0.5], [0.5]]), ends, np.array([0, 1]))
    assert found(np.ones((1, 2)))[0] == pytest.approx([0.4])


@pytest.mark.filterwarnings("error")
def test_where_ceiling_and_random_are_one_there_is_no_scale_and_no_value():
    ends = Anchors(np.array([0.2, 0.0]), np.array([0.2, 2.0]), np.full(2, np.nan))
    values = np.array([[0.5, 0.1], [1.0, 1.0]])
    found = calibrated(values, ends, np.array([0, 1]))
    assert found(np.array([[2.0, 0.0]]))[0] == pytest.approx([np.nan, np.nan], nan_ok=True)
    assert found(np.ones((1, 2)))[0] == pytest.approx([0.65, 0.45])
    level = Anchors(ends.floor, ends.floor, ends.anti)
    assert np.isnan(calibrated(values, level, np.array([0, 1]))(np.ones((1, 2)))).all()
    assert np.isnan(shares(values, level)).all()
    interval = calibrated_interval(values, ends, np.array([0, 1]))
    assert np.isfinite([interval.value, interval.low, interval.high]).all()


def test_what_items_add_is_how_the_calibrated_value_moves_when_they_weigh_more():
    random = np.random.default_rng(3)
    ends = Anchors(random.normal(0, 1, 40), random.normal(2, 1, 40), random.normal(-5, 1, 40))
    values = random.normal([1.0, -2.0], 1.0, (40, 2))
    found, added = calibrated(values, ends, np.arange(40)), shares(values, ends)
    for item in range(5):
        heavier = np.ones((1, 40)) + 1e-6 * (np.arange(40) == item)
        moved = (found(heavier) - found(np.ones((1, 40))))[0] / 1e-6
        assert moved == pytest.approx((added[item] - added.mean(axis=0)) / 40, abs=1e-6)


def test_a_95_percent_interval_of_a_calibrated_value_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(4)
    covered = []
    for trial in range(300):
        difficulty = random.normal(size=100)
        floor, ceiling, anti = (difficulty + random.normal(mean, 0.5, 100) for mean in (0.0, 1.0, -2.0))
        values = difficulty[:, None] + random.normal([0.6, -0.6], 0.5, (100, 2))
        sampling = Resampling(draws=400, seed=trial)
        found = calibrated_interval(values, Anchors(floor, ceiling, anti), CLUSTERS, sampling)
        covered.append((found.low <= [0.6, -0.3]) & (found.high >= [0.6, -0.3]))
    assert np.all(np.abs(np.mean(covered, axis=0) - 0.95) <= 0.03)


def audited(random: np.random.Generator, items: int, gap: float) -> bool:
    """An audit of a metric whose ceiling is the best of six by other noise, and ahead by a gap in standard deviations
    of the paired difference."""
    shared = random.normal(size=items)
    floor, chosen_by, scored = random.normal(size=items), random.normal(size=(6, items)), random.normal(size=(6, items))
    ceiling = scored[chosen_by.argmax(axis=0), np.arange(items)] + gap * np.sqrt(2)
    return ceiling_gap(shared + ceiling, shared + floor, np.arange(items), "higher").informative


def informative(items: int, gap: float, repeats: int) -> float:
    random = np.random.default_rng([items, round(100 * gap)])
    found = float(np.mean([audited(random, items, gap) for _ in range(repeats)]))
    print(f"{items} items, gap {gap} sd: informative in {found:.3f} of {repeats} audits")
    return found


def test_noise_is_rarely_called_informative_and_gaps_are_found():
    assert informative(12, 0.0, FEW) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / FEW)
    assert informative(18, 0.7, FEW) >= 0.8
    assert informative(50, 0.4, FEW) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("items", [10, 18, 50, 100])
def test_noise_is_called_informative_in_at_most_5_percent_of_audits(items):
    assert informative(items, 0.0, MANY) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("items", "gap", "power"), [(18, 0.7, 0.8), (50, 0.4, 0.75)])
def test_gaps_are_found_with_the_power_that_is_promised(items, gap, power):
    assert informative(items, gap, MANY) >= power


def test_a_ceiling_on_the_wrong_side_is_uninformative_whatever_the_direction():
    floor, ceiling = sample(0.5, 1), sample(0.7, 2)
    assert ceiling_gap(ceiling, floor, CLUSTERS, "higher").informative
    assert not ceiling_gap(ceiling, floor, CLUSTERS, "lower").informative
    assert ceiling_gap(floor, ceiling, CLUSTERS, "lower").informative
    assert not ceiling_gap(ceiling, floor, CLUSTERS, "none").informative


def test_a_paired_gap_is_found_where_unpaired_intervals_touch():
    shared = sample(0.0, 1, spread=1.0)
    found = ceiling_gap(shared + 0.1, shared + sample(0.0, 2, 0.2), CLUSTERS, "higher")
    assert found.informative
    assert 0 < found.low < 0.1 < found.high
    assert shared.std() / 10 > found.mean / 2, "unpaired means of these items are too rough for it"


def test_the_interval_of_a_gap_leaves_out_0_exactly_where_it_is_told():
    random = np.random.default_rng(5)
    for _ in range(60):
        found = ceiling_gap(random.normal(0.3, 1, 20), random.normal(size=20), np.arange(20), "higher")
        assert found.informative == (found.low > 0)


def test_a_gap_counts_clusters_and_leaves_out_items_without_a_ceiling():
    ceiling = np.where(np.arange(100) < 60, sample(0.7, 1), np.nan)
    found = ceiling_gap(ceiling, sample(0.5, 2), CLUSTERS // 2, "higher")
    assert (found.items, found.clusters) == (60, 30)
    alone = ceiling_gap(sample(0.7, 1), sample(0.5, 2), np.zeros(100, dtype=int), "higher")
    assert not alone.informative
    empty = ceiling_gap(NOTHING, sample(0.5, 2), CLUSTERS, "higher")
    assert (empty.p, empty.informative, empty.items) == (1.0, False, 0)
