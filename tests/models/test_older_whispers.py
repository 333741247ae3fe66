"""Whispers and Speech2Texts whose folders say less, or more, than the newest ones do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from earwitness.errors import ModelError
from earwitness.models import speech2text, whisper
from earwitness.models.transcript_search import SHAPING, TOKENS
from tiny_published import copied
from tiny_speech import tiny_speech2text, tiny_whisper

NEW = ("lang_to_id", "task_to_id", "is_multilingual", "language", "task")


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("multilingual"))


@pytest.fixture(scope="module")
def mustc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_speech2text(tmp_path_factory.mktemp("mustc"))


@pytest.fixture(scope="module")
def ids(multilingual: Path) -> Callable[[str], int]:
    names = whisper.from_pretrained(str(multilingual))._tokens._tokenizer.convert_tokens_to_ids
    return lambda name: int(names(f"<|{name}|>"))


def changed(
    folder: Path, place: Path, drop: tuple[str, ...] = (), file: str = "generation_config.json", **put: Any
) -> Path:
    """A copy of a folder with keys of one of its files taken out, and others set."""
    path = copied(folder, place) / file
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in content.items() if key not in drop} | put))
    return place


def prompt(folder: Path, **parameters: Any) -> list[str]:
    """Names of the language, the task and the other tokens that open a transcript, after its start."""
    model = whisper.from_pretrained(str(folder), **parameters)
    texts = model._tokens._tokenizer.convert_ids_to_tokens(list(model.prompt))
    return [text.strip("<|>") for text in texts[1:]]


def one_line(folder: Path, **parameters: Any) -> str:
    with pytest.raises(ModelError) as caught:
        whisper.from_pretrained(str(folder), **parameters)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder), "MODEL")


@pytest.mark.parametrize("language", ["de", "DE", "German", "german", "<|de|>", " de "])
def test_a_language_is_a_code_a_name_or_a_token(language: str, multilingual: Path) -> None:
    assert prompt(multilingual, language=language) == ["de", "transcribe", "notimestamps"]


def test_without_the_newer_entries_the_tokenizer_says_what_it_knows(multilingual: Path, tmp_path: Path) -> None:
    old = changed(multilingual, tmp_path / "old", NEW)
    assert prompt(old) == ["en", "transcribe", "notimestamps"]
    assert prompt(old, language="de", task="translate") == ["de", "translate", "notimestamps"]
    (old / "generation_config.json").unlink()
    assert prompt(old) == ["en", "transcribe", "notimestamps"]
    assert prompt(old, language="german") == ["de", "transcribe", "notimestamps"]


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_forced_tokens_are_defaults_and_a_card_wins(
    file: str, multilingual: Path, ids: Callable[[str], int], tmp_path: Path
) -> None:
    old = changed(multilingual, tmp_path / "old", NEW)
    forced = [[1, ids("de")], [2, ids("translate")], [3, ids("notimestamps")]]
    folder = changed(old, tmp_path / "forced", file=file, forced_decoder_ids=forced)
    assert prompt(folder) == ["de", "translate", "notimestamps"]
    assert prompt(folder, language="en") == ["en", "translate", "notimestamps"]
    assert prompt(folder, task="transcribe") == ["de", "transcribe", "notimestamps"]


def test_a_forced_language_that_is_left_open_is_english(
    multilingual: Path, ids: Callable[[str], int], tmp_path: Path
) -> None:
    folder = changed(multilingual, tmp_path / "open", NEW, forced_decoder_ids=[[1, None], [2, ids("translate")]])
    assert prompt(folder) == ["en", "translate", "notimestamps"]


def test_settings_of_the_folder_stand_before_forced_tokens(
    multilingual: Path, ids: Callable[[str], int], tmp_path: Path
) -> None:
    folder = changed(multilingual, tmp_path / "m", language="<|de|>", task=None, forced_decoder_ids=[[1, ids("en")]])
    assert prompt(folder) == ["de", "transcribe", "notimestamps"]
    null = changed(multilingual, tmp_path / "null", language=None, task=None)
    assert prompt(null) == ["en", "transcribe", "notimestamps"]


def test_forced_tokens_that_are_none_end_in_one_line(multilingual: Path, tmp_path: Path) -> None:
    for number, (forced, said) in enumerate(
        [([[1, 5]], "at the start of a transcript"), ("de", "no pairs"), ([1, 2], "no pairs"), ([[1, 10**9]], "")]
    ):
        folder = changed(multilingual, tmp_path / str(number), NEW, forced_decoder_ids=forced)
        assert said in one_line(folder)


def test_an_english_one_stays_english_and_says_so(multilingual: Path, tmp_path: Path) -> None:
    english = tiny_whisper(tmp_path / "english", multilingual=False)
    assert prompt(english) == prompt(english, language="English", task="transcribe") == ["notimestamps"]
    for given in ({"language": "de"}, {"task": "translate"}):
        assert "MODEL recognises English alone; take `language`" in one_line(english, **given)
    assert "knows no language 'zz'; give one of its codes (en, de) as in `language = \"de\"`" in one_line(
        multilingual, language="zz"
    )


def test_the_end_token_of_the_published_ones_tells_english_from_multilingual(
    multilingual: Path, ids: Callable[[str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = changed(multilingual, tmp_path / "old", NEW, forced_decoder_ids=[[1, ids("notimestamps")]])
    with monkeypatch.context() as patched:
        patched.setattr("earwitness.models.whisper_prompt.MULTILINGUAL_END", ids("endoftext"))
        assert prompt(old, language="de") == ["de", "transcribe", "notimestamps"]
    monkeypatch.setattr("earwitness.models.whisper_prompt.ENGLISH_END", ids("endoftext"))
    bare = changed(multilingual, tmp_path / "bare", NEW)
    assert prompt(bare) == ["notimestamps"]
    assert "recognises English alone" in one_line(bare, language="de")


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_a_resized_one_that_forces_no_timestamps_at_once_is_english(
    file: str, multilingual: Path, ids: Callable[[str], int], tmp_path: Path
) -> None:
    old = changed(multilingual, tmp_path / "old", NEW)
    folder = changed(old, tmp_path / "english", file=file, forced_decoder_ids=[[1, ids("notimestamps")]])
    assert prompt(folder) == ["notimestamps"]
    assert "recognises English alone" in one_line(folder, language="de")


def test_a_language_of_the_tokenizer_alone_is_taken_and_may_be_forced(multilingual: Path, tmp_path: Path) -> None:
    folder, gsw = renamed(changed(multilingual, tmp_path / "old", NEW), tmp_path / "gsw")
    assert prompt(folder, language="gsw") == prompt(folder, language="<|gsw|>") == ["gsw", "transcribe", "notimestamps"]
    assert "(en, gsw)" in one_line(folder, language="de")
    forced = changed(folder, tmp_path / "forced", forced_decoder_ids=[[1, gsw]])
    assert prompt(forced) == ["gsw", "transcribe", "notimestamps"]


def test_a_language_of_the_settings_alone_is_taken_and_may_be_forced(
    multilingual: Path, ids: Callable[[str], int], tmp_path: Path
) -> None:
    own = {"<|swiss german|>": ids("startoflm"), "<|en|>": ids("en")}
    folder = changed(multilingual, tmp_path / "own", ("language", "is_multilingual"), lang_to_id=own)
    assert prompt(folder, language="Swiss German")[0] == "startoflm"
    forced = changed(folder, tmp_path / "forced", forced_decoder_ids=[[1, ids("startoflm")]])
    assert prompt(forced) == ["startoflm", "transcribe", "notimestamps"]


def renamed(folder: Path, place: Path) -> tuple[Path, int]:
    """A copy whose German is Swiss German, and the id of that token."""
    copied(folder, place)
    for path in place.glob("*token*.json"):
        path.write_text(path.read_text().replace("<|de|>", "<|gsw|>"))
    names = whisper.from_pretrained(str(place))._tokens._tokenizer.convert_tokens_to_ids
    return place, int(names("<|gsw|>"))


@pytest.mark.parametrize(
    ("put", "said"),
    [
        ({"lang_to_id": "de"}, "the lang_to_id of MODEL is no table"),
        ({"lang_to_id": {"<|de|>": "5"}}, "the lang_to_id of MODEL names the token '5', and its ids go from 0"),
        ({"task_to_id": {"translate": 10**9}}, "the task_to_id of MODEL names the token 1000000000"),
        ({"no_timestamps_token_id": -1}, "the no_timestamps_token_id of MODEL names the token -1"),
        ({"decoder_start_token_id": []}, "the decoder_start_token_id of MODEL names the token []"),
        ({"is_multilingual": "x"}, "is_multilingual of MODEL is 'x', not true or false"),
    ],
)
def test_settings_that_name_no_tokens_are_named(
    put: dict[str, Any], said: str, multilingual: Path, tmp_path: Path
) -> None:
    assert said in one_line(changed(multilingual, tmp_path / "odd", **put))


def test_the_start_is_that_of_the_generation_settings(
    multilingual: Path, ids: Callable[[str], int], tmp_path: Path
) -> None:
    folder = changed(multilingual, tmp_path / "m", decoder_start_token_id=ids("startofprev"))
    assert whisper.from_pretrained(str(folder)).prompt[0] == ids("startofprev")


def test_features_of_other_mel_bins_than_the_models_are_refused_at_once(multilingual: Path, tmp_path: Path) -> None:
    names = [path.name for path in multilingual.glob("*processor*.json")]
    folder = changed(multilingual, tmp_path / "bins", file=names[0], feature_size=8)
    assert "the features of MODEL have 8 mel bins and its model reads 16" in one_line(folder)


ODD: list[dict[str, Any]] = [
    {"return_dict_in_generate": True},
    {"num_return_sequences": 2, "num_beams": 2},
    {"num_return_sequences": 3, "num_beams": 4, "do_sample": True, "temperature": 0.2, "top_k": 3, "top_p": 0.5},
    {"output_scores": True, "output_attentions": True, "output_hidden_states": True, "output_logits": True},
    {"cache_implementation": "static"},
    {"use_cache": False},
    {"prompt_lookup_num_tokens": 3},
    {"guidance_scale": 3.0},
    {"penalty_alpha": 0.6, "top_k": 4},
    {"num_beam_groups": 2, "diversity_penalty": 0.5},
    {"max_time": 1e-9},
    {"stop_strings": ["lamp"]},
    {"encoder_no_repeat_ngram_size": 2},
    {"forced_bos_token_id": None, "alignment_heads": [[0, 0]], "max_initial_timestamp_index": 1},
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: "+".join(odd))
@pytest.mark.parametrize("family", ["whisper", "speech2text"])
def test_a_transcription_is_one_row_an_utterance_whatever_the_folder_says(
    family: str, odd: dict[str, Any], multilingual: Path, mustc: Path, tmp_path: Path
) -> None:
    of, folder = {"whisper": (whisper, multilingual), "speech2text": (speech2text, mustc)}[family]
    plain = of.from_pretrained(str(folder))
    strange = of.from_pretrained(str(changed(folder, tmp_path / "odd", **odd)))
    sound = np.random.default_rng(0).normal(size=9600).astype(np.float32) * 0.1
    features = torch.tensor(plain.features(sound))[None].expand(2, -1, -1)
    for beams in (1, 3):
        found = strange.transcribe(features, beams=beams)
        assert len(found) == 2
        assert [row.tolist() for row in found] == [row.tolist() for row in plain.transcribe(features, beams=beams)]


def test_what_shapes_a_transcript_is_taken_over(multilingual: Path, tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(size=9600).astype(np.float32) * 0.1
    plain = whisper.from_pretrained(str(multilingual))
    features = torch.tensor(plain.features(sound))[None]
    first = int(plain.transcribe(features, beams=1)[0][0])
    barred = changed(multilingual, tmp_path / "barred", begin_suppress_tokens=[first])
    assert whisper.from_pretrained(str(barred)).transcribe(features, beams=1)[0][0] != first
    short = changed(multilingual, tmp_path / "short", max_length=None, max_new_tokens=2)
    assert len(whisper.from_pretrained(str(short)).transcribe(features, beams=1)[0]) <= 2
    shaped = changed(multilingual, tmp_path / "shaped", no_repeat_ngram_size=1, length_penalty=0.5)
    search = whisper.from_pretrained(str(shaped))._search
    assert (search.no_repeat_ngram_size, search.length_penalty) == (1, 0.5)
    assert not set(SHAPING) & set(TOKENS)


@pytest.mark.parametrize(
    "broken",
    [{"suppress_tokens": "all"}, {"max_length": "448"}, {"no_repeat_ngram_size": "x"}, {"eos_token_id": [None]}],
)
def test_settings_that_do_not_work_are_refused_when_the_model_is_read(
    broken: dict[str, Any], multilingual: Path, tmp_path: Path
) -> None:
    assert one_line(changed(multilingual, tmp_path / "broken", **broken))


def test_speech2texts_language_is_one_of_its_tokenizer(mustc: Path) -> None:
    with pytest.raises(ModelError, match="has no token of the target language 'de'; take `language` out"):
        speech2text.from_pretrained(str(mustc), language="German")
