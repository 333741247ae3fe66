from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from earwitness.models import audiogen, musicgen
from earwitness.models.audiogen_conversion import convert
from earwitness.models.audiogen_files import LANGUAGE
from earwitness.models.delayed_codes import DelayedCodes
from tiny import tiny_musicgen

MICRO = Path(__file__).parents[2] / "tasks" / "micro_prompt" / "model"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_musicgen(tmp_path_factory.mktemp("musicgen"))


@pytest.fixture(scope="session")
def model(folder: Path) -> musicgen.MusicgenModel:
    return musicgen.from_pretrained(str(folder))


@pytest.fixture(scope="session")
def audiogen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published configuration, shrunk, in files that audiocraft wrote."""
    import tiny_published  # takes seconds

    return tiny_published.audiogen(tmp_path_factory.mktemp("audiogen"))


@pytest.fixture(scope="session")
def converted_folder(audiogen_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, converted."""
    return convert(str(audiogen_folder), str(tmp_path_factory.mktemp("converted") / "model"))


@pytest.fixture(scope="session")
def micro_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model of micro_prompt in audiocraft's files."""
    from tiny_audiogen import as_audiocraft, published_audiogen

    return as_audiocraft(MICRO, tmp_path_factory.mktemp("micro"), published_audiogen()[LANGUAGE])


@pytest.fixture(scope="session")
def micro_through_audiocraft(micro_folder: Path) -> DelayedCodes:
    """That model, read through audiocraft."""
    return audiogen.from_pretrained(str(micro_folder), seconds=2.0, guidance=2.5, temperature=0.7, top_k=0)


@pytest.fixture(scope="session")
def micro_through_transformers() -> musicgen.MusicgenModel:
    """The same model as it ships."""
    return musicgen.from_pretrained(str(MICRO))
