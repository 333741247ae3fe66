"""Every metric reads a response that its track's scoring gives."""

from importlib import import_module
from inspect import getsource
from types import ModuleType

import pytest

from earwitness import metrics, tracks
from earwitness.metrics import Response


def families(kind: type[Response]) -> list[type[Response]]:
    return [kind, *(each for below in kind.__subclasses__() for each in families(below))]


def modules(track: str) -> list[ModuleType]:
    """Where a track's scoring tells its responses apart."""
    package = tracks.load(track).scoring
    return [import_module(f"{package}.{'batch' if track == 'prompt' else 'scoring'}")]


@pytest.mark.parametrize("track", tracks.names())
def test_every_response_that_a_metric_reads_is_given_by_its_tracks_scoring(track: str) -> None:
    source = "".join(getsource(module) for module in modules(track))
    read = {spec.response for spec in metrics.all_metrics().values() if spec.track == track}
    assert read
    for response in read:
        given = [kind.__name__ for kind in response.__mro__ if f"{kind.__name__}()" in source]
        assert given, response


def test_every_response_says_what_it_holds_and_is_read() -> None:
    read = {spec.response for spec in metrics.all_metrics().values()}
    leaves = [kind for kind in families(Response) if not kind.__subclasses__() and kind.__module__.startswith("earw")]
    assert set(leaves) <= read
    for kind in leaves:
        assert len(kind.summary()) > 20, kind
