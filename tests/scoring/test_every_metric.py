from earwitness import metrics
from earwitness.scoring.band.readings import PARAMETERS as BAND
from earwitness.scoring.band.scoring import ARGUMENTS as OF_BAND
from earwitness.scoring.concept.readings import PARAMETERS as CONCEPT
from earwitness.scoring.concept.scoring import ARGUMENTS as OF_CONCEPT
from earwitness.scoring.prompt.readings import SOURCES
from earwitness.scoring.speech.readings import PARAMETERS
from earwitness.scoring.speech.scoring import ARGUMENTS


def test_every_metric_of_the_package_is_scored_in_one_track() -> None:
    tracks = [set(SOURCES), set(PARAMETERS), set(BAND), set(CONCEPT)]
    assert set().union(*tracks) == set(metrics.all_metrics())
    assert sum(map(len, tracks)) == len(metrics.all_metrics())
    assert set(PARAMETERS) == set(ARGUMENTS)
    assert set(BAND) == set(OF_BAND)
    assert set(CONCEPT) == set(OF_CONCEPT)
