from earwitness import metrics
from earwitness.scoring.prompt.readings import SOURCES
from earwitness.scoring.speech.readings import PARAMETERS
from earwitness.scoring.speech.scoring import ARGUMENTS


def test_every_metric_of_the_package_is_scored_in_one_track() -> None:
    assert set(SOURCES) | set(PARAMETERS) == set(metrics.all_metrics())
    assert not set(SOURCES) & set(PARAMETERS)
    assert set(PARAMETERS) == set(ARGUMENTS)
