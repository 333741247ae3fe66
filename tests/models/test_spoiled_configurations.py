"""Each family's double with a key of a JSON file deleted or replaced by junk: a model, or one line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny_published
from earwitness.errors import ModelError
from earwitness.judges import ast
from earwitness.models import audioldm2, encodec, musicgen, oobleck, speech2text, stable_audio, whisper
from tiny_speech import tiny_whisper
from tiny_stable_audio import tiny_stable_audio

pytestmark = pytest.mark.filterwarnings("ignore")

DELETED = "deleted"
JUNK: list[Any] = [DELETED, None, [], "x", -1, {}]
UNREAD = ("tokenizer.json", "vocab.json")
"""Whose keys are no settings."""

Spot = tuple[str, tuple[str, ...], Any]
"""File, key within it, and what is put there."""

LOAD: dict[str, Callable[[str], Any]] = {
    "ast": ast.load,
    "audioldm2": lambda source: audioldm2.from_pretrained(source, steps=2, seconds=0.64),
    "encodec": encodec.from_pretrained,
    "multilingual": whisper.from_pretrained,
    "musicgen": musicgen.from_pretrained,
    "oobleck": oobleck.from_pretrained,
    "speech2text": speech2text.from_pretrained,
    "stable_audio": lambda source: stable_audio.from_pretrained(source, steps=2),
    "whisper": whisper.from_pretrained,
}
BUILD: dict[str, Callable[[Path], Path]] = {"multilingual": tiny_whisper, "stable_audio": tiny_stable_audio}
TRIED = dict.fromkeys(LOAD, 8) | {"audioldm2": 2, "musicgen": 4}
"""Spots of each family that are tried, spread evenly over all of them."""


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: double(name)(tmp_path_factory.mktemp(name)) for name in LOAD}


def double(family: str) -> Callable[[Path], Path]:
    found: Callable[[Path], Path] = BUILD.get(family) or getattr(tiny_published, family)
    return found


def keys(content: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in content.items():
        yield (*above, key)
        if isinstance(value, dict) and not above:
            yield from keys(value, (key,))


def spots(folder: Path) -> list[Spot]:
    """All keys of a folder's JSON files, with each kind of junk in turn."""
    files = [path for path in sorted(folder.rglob("*.json")) if path.name not in UNREAD]
    places = [(str(path.relative_to(folder)), key) for path in files for key in keys(json.loads(path.read_text()))]
    return [(file, key, junk) for (file, key), junk in zip(places, itertools.cycle(JUNK), strict=False)]


def spoil(folder: Path, spot: Spot) -> None:
    file, key, junk = spot
    path = folder / file
    content = json.loads(path.read_text())
    inner = content
    for name in key[:-1]:
        inner = inner[name]
    if junk is DELETED:
        del inner[key[-1]]
    else:
        inner[key[-1]] = junk
    path.write_text(json.dumps(content))


def said_of(family: str, folder: Path) -> str:
    """The one line of a refusal; nothing where there is a model."""
    try:
        LOAD[family](str(folder))
    except ModelError as error:
        message = str(error)
        assert message.strip()
        assert "\n" not in message
        return message.replace(str(folder), "MODEL")
    return ""


@pytest.mark.parametrize("family", sorted(LOAD))
def test_a_spoiled_key_ends_in_a_model_or_in_one_line(family: str, doubles: dict[str, Path], tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    found = spots(folder)
    for spot in found[:: -(-len(found) // TRIED[family])]:
        text = (folder / spot[0]).read_text()
        spoil(folder, spot)
        said_of(family, folder)
        (folder / spot[0]).write_text(text)
    assert not said_of(family, folder)


NAMED: list[tuple[str, Spot, str]] = [
    ("encodec", ("config.json", ("target_bandwidths",), []), "has an empty target_bandwidths; save the model again"),
    ("encodec", ("config.json", ("upsampling_ratios",), []), "has an empty upsampling_ratios; save the model again"),
    ("encodec", ("config.json", ("model_type",), None), "has no text as its model_type; save the model again"),
    ("encodec", ("config.json", ("num_filters",), DELETED), "its weights are of other sizes than its configuration"),
    ("encodec", ("config.json", ("normalize",), "x"), "(TypeError: Field 'normalize' expected bool, got str"),
    ("musicgen", ("config.json", ("decoder", "pad_token_id"), None), "decoder.pad_token_id = None, with which a gener"),
    ("musicgen", ("config.json", ("decoder", "pad_token_id"), "x"), "pad_token_id"),
    ("oobleck", ("vae/config.json", ("_class_name",), None), "holds a model of no named class"),
    ("oobleck", ("vae/config.json", ("sampling_rate",), "x"), "a value of its configuration is missing or of the wron"),
    ("stable_audio", ("tokenizer/tokenizer_config.json", ("model_max_length",), -1), "tokens and the model takes -1"),
    ("stable_audio", ("model_index.json", ("scheduler",), DELETED), "library and class its scheduler is of"),
    ("stable_audio", ("model_index.json", ("scheduler",), ["diffusers"]), "library and class its scheduler is of"),
    ("stable_audio", ("model_index.json", ("_class_name",), DELETED), "names no pipeline as its _class_name"),
]


@pytest.mark.parametrize(("family", "spot", "said"), NAMED)
def test_what_is_spoiled_is_named(family: str, spot: Spot, said: str, doubles: dict[str, Path], tmp_path: Path) -> None:
    folder = tiny_published.copied(doubles[family], tmp_path / "m")
    spoil(folder, spot)
    message = said_of(family, folder)
    assert said in message
    assert "MODEL" in message


def test_what_a_source_is_given_twice_is_one_line() -> None:
    with pytest.raises(ModelError, match=r"^no/such: parameter source is unknown; known: "):
        musicgen.from_pretrained("no/such", source="elsewhere")  # type: ignore[arg-type,misc]
