from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from earwitness.models import musicgen
from tiny import tiny_musicgen


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_musicgen(tmp_path_factory.mktemp("musicgen"))


@pytest.fixture(scope="session")
def model(folder: Path) -> musicgen.MusicgenModel:
    return musicgen.from_pretrained(str(folder))
