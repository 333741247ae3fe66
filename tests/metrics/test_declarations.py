import math

import numpy as np
import pytest

from earwitness import metrics
from earwitness.errors import EarwitnessError
from earwitness.metrics.arrays import UndefinedError, real

CALLS = {
    "fid_f": ([0.7, 0.3], [0.2, 0.8]),
    "fid_cf": ([0.7, 0.3], [0.2, 0.8]),
    "fid_noise": ([0.7, 0.3], [0.2, 0.8]),
    "kl_f": ([0.7, 0.3], [0.2, 0.8]),
    "kl_cf": ([0.7, 0.3], [0.2, 0.8]),
    "kl_noise": ([0.7, 0.3], [0.2, 0.8]),
    "logit_kl_f": (np.zeros((2, 3, 4)), np.eye(4)[None, :3].repeat(2, 0)),
    "logit_kl_cf": (np.zeros((2, 3, 4)), np.eye(4)[None, :3].repeat(2, 0)),
    "size": (np.full((3, 2), 0.25),),
    "null_word_mass": ([0.5, 0.25], [False, True]),
    "word_ap": ([0.5, 0.25], [False, True]),
    "interval_top1": ([[0.5, 0.25]], [[0.0, 1.0], [1.0, 2.0]], [1.5]),
    "shapley_spearman": ([0.5, 0.25], [3.0, 4.0]),
    "deletion_wer": ([0, 1, 3], 2, 2.5),
    "insertion_wer": ([3, 1, 0], 2, 2.5),
    "deletion_bleu": ([1.0, 0.5, 0.0],),
    "insertion_bleu": ([0.0, 0.5, 1.0],),
    "deletion_token": (np.linspace(1, 0.1, 12).reshape(2, 2, 3),),
    "deletion_token_others": (np.linspace(1, 0.1, 12).reshape(2, 2, 3),),
    "deletion_prefix": ([[0.9, 0.5, 0.1]],),
    "deletion_shift": ([1.0, 2.0], 1.5),
    "size_spectrogram": (np.full((2, 3, 4), 0.25),),
    "size_prefix": ([[0.0, 0.0], [0.5, 0.0]],),
    "interval_ap": ([[0.5, 0.25]], [[False, True]]),
    "pointing": ([[0.5, 0.25]], [[False, True]]),
    "mass_inside": ([[0.5, 0.25]], [[False, True]]),
    "tf_iou": ([[[True, True]]], [[[False, True]]]),
    "precision": ([[[True, True]]], [[[False, True]]]),
    "recall": ([[[True, True]]], [[[False, True]]]),
    "f1": ([[[True, True]]], [[[False, True]]]),
    "tf_ap": ([[[0.5, 0.25]]], [[[False, True]]]),
    "time_ap": ([[[0.5, 0.25]]], [[[False, True]]]),
    "frequency_ap": ([[[0.5], [0.25]]], [[[False], [True]]]),
    "profile_corr": ([[[0.5], [0.25]]], [[[False], [True]]]),
    "tf_pointing": ([[[0.5, 0.25]]], [[[False, True]]]),
    "truth_density": ([[[False, True]]],),
    "swap_corr": ([[[0.5, 0.25]]], [[[3.0, 4.0]]]),
    "deletion_drop": ([0.9, 0.8], [[0.1, 0.7], [0.9, 0.3]]),
    "deletion_others": ([0.9, 0.8], [[0.1, 0.7], [0.9, 0.3]]),
    "deletion_noise": ([0.9, 0.8], [0.7, 0.9]),
    "probe_r2": (np.eye(4, 2), [0.0, 1.0, 2.0, 3.0], np.eye(3, 2), [0.0, 1.0, 2.0]),
    "transfer_r2": (np.eye(4, 2), [0.0, 1.0, 2.0, 3.0], np.eye(3, 2), [0.0, 1.0, 2.0]),
    "sparse_probe_r2": (np.eye(4, 2), [0.0, 1.0, 2.0, 3.0], np.eye(3, 2), [0.0, 1.0, 2.0]),
    "probe_accuracy": (np.eye(4, 2), [0.0, 1.0, 2.0, 3.0], np.eye(3, 2), [0.0, 1.0, 2.0]),
    "fvu": ([[0.0, 1.0], [1.0, 0.0]], [[0.0, 0.5], [1.0, 0.0]]),
    "l0": ([[0.0, 1.0], [1.0, 0.0]],),
    "dead": ([[0.0, 1.0], [1.0, 0.0]],),
    "stability": ([[0.0, 1.0], [1.0, 0.0]], [[0.0, 0.5], [1.0, 0.0]]),
    "steer": ([[0.5, 0.25]], 0),
    "trace": ([[0.5, 0.25]],),
    "trace_error": ([[0.5, 0.25]], [[3.0, 4.0]]),
}


def test_every_metric_is_in_this_battery() -> None:
    assert set(metrics.all_metrics()) == set(CALLS)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_metric_is_a_pure_function_to_one_number_in_its_range(name: str) -> None:
    metric = metrics.get(name)
    arguments = [np.array(argument) for argument in CALLS[name]]
    before = [argument.copy() for argument in arguments]
    value = metric.function(*arguments)
    assert type(value) is float
    assert metric.range[0] <= value <= metric.range[1]
    assert metric.function(*arguments) == value
    assert all(np.array_equal(a, b) for a, b in zip(arguments, before, strict=True))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_metric_says_what_it_is_what_it_reads_and_shows_an_example(name: str) -> None:
    metric = metrics.get(name)
    assert metric.summary.endswith(".")
    assert metric.reads
    assert ">>>" in str(metric.function.__doc__)
    assert metric.range[0] < metric.range[1]
    assert not math.isnan(sum(metric.range)) or metric.range == (-math.inf, math.inf)


def test_a_misspelt_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(EarwitnessError, match="did you mean 'word_ap'"):
        metrics.get("wordap")


def test_arrays_are_checked_for_shape_and_finiteness() -> None:
    with pytest.raises(ValueError, match="2 dimensions"):
        real("weights", [1.0], 2)
    with pytest.raises(ValueError, match="1 NaN or infinite"):
        real("weights", [1.0, np.inf], 1)
    assert issubclass(UndefinedError, ValueError)
