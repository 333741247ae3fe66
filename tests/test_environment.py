import importlib
import importlib.util

import pytest


@pytest.mark.parametrize("name", ["torchvision", "torchaudio"])
def test_an_audio_or_vision_companion_of_torch_is_absent_or_importable(name: str) -> None:
    if importlib.util.find_spec(name) is not None:
        importlib.import_module(name)
