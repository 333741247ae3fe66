from __future__ import annotations

import pytest
from scoring_fakes import FakeJudge, FakeModel

from earwitness.scoring.prompt import scoring


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """Every scoring that is opened in the test gets this model and a judge `ear`."""
    fake = FakeModel()
    monkeypatch.setattr(scoring, "load_model", lambda task, device: fake)
    monkeypatch.setattr(scoring, "load_judges", lambda task, device: {"ear": FakeJudge()})
    return fake
