from __future__ import annotations

import pytest

from scoring_fakes import FakeModel, served


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    return served(monkeypatch)
