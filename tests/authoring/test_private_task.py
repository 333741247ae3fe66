"""A task in a private world: its model reads private words as the published model reads the published ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from earwitness import registry
from earwitness.authoring.private_task import make_private, private_card, reword
from earwitness.datasets.scenes import lexicon_of
from earwitness.errors import EarwitnessError
from earwitness.models import musicgen
from earwitness.own_model import Twin, world_of, write_twin
from earwitness.private import SECRET, fingerprint
from earwitness.task import Task
from earwitness.worlds.scene_captions import PUBLIC
from earwitness.worlds.scenes import scene

KEPT = "correct horse battery staple"
SHIPPED = registry.task("micro_prompt")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Task:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET, KEPT)
        return make_private(SHIPPED, tmp_path_factory.mktemp("private") / "mine", items=5)


def test_a_private_caption_is_heard_as_the_published_one_that_means_the_same(
    made: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, KEPT)
    lexicon = lexicon_of(fingerprint(KEPT))
    words = PUBLIC.vocabulary()
    mine = np.random.default_rng(np.random.SeedSequence(lexicon.key)).permutation(words).tolist()
    published = dict(zip(mine, words, strict=True))
    captions = [scene("test", index, 0, lexicon).caption.text for index in range(4)]
    models = [musicgen.from_pretrained(task.source("model")) for task in (made, SHIPPED)]
    codes = torch.randint(0, 64, (1, 4, 10), generator=torch.Generator().manual_seed(0))
    for caption in captions:
        meant = " ".join(published[word] for word in caption.split())
        assert meant != caption
        heard, expected = (
            model.logits(codes, model.encode([text])) for model, text in zip(models, (caption, meant), strict=True)
        )
        assert torch.equal(heard, expected)
        assert not torch.equal(heard, models[1].logits(codes, models[1].encode([caption])))


def test_the_tokeniser_tells_nothing_and_the_truth_stays_behind(made: Task) -> None:
    for name in ("tokenizer.json", "config.json"):
        assert (made.folder / "model" / name).read_bytes() == (SHIPPED.folder / "model" / name).read_bytes()
    assert sorted(path.name for path in made.folder.iterdir()) == ["judges", "model", "task.toml"]


def test_the_card_differs_by_its_names_its_items_and_the_fingerprint(made: Task) -> None:
    mine, theirs = (json.loads(task.card.model_dump_json()) for task in (made, SHIPPED))
    assert mine["dataset"].pop("parameters") == {"private": fingerprint(KEPT)}
    assert theirs["dataset"].pop("parameters") == {}
    assert (mine["dataset"].pop("items"), theirs["dataset"].pop("items")) == (5, 200)
    assert (mine["dataset"].pop("identity"), mine.pop("id")) == ("micro_prompt_private@4", "micro_prompt_private")
    assert mine.pop("title") == f"{theirs.pop('title')}, in a private world"
    del theirs["dataset"]["identity"], theirs["id"]
    assert mine == theirs


def test_a_twin_is_taken_instead_and_another_tasks_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, KEPT)
    twin = tmp_path / "twin"
    reword(SHIPPED.folder / "model", twin, PUBLIC)
    write_twin(twin, Twin(task="micro_prompt", seed=3, masked=True, world=world_of(SHIPPED)))
    made = make_private(SHIPPED, tmp_path / "mine", twin)
    assert not (made.folder / "model" / "twin.json").exists()
    write_twin(twin, Twin(task="micro_band", seed=3, masked=True, world=world_of(SHIPPED)))
    with pytest.raises(EarwitnessError, match="twin of micro_band, not of micro_prompt"):
        make_private(SHIPPED, tmp_path / "other", twin)
    assert not (tmp_path / "other").exists()


def test_words_that_keep_their_meanings_leave_the_model_as_it_was(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    reword(SHIPPED.folder / "model", tmp_path / "same", PUBLIC)
    weights, shipped = (
        load_file(folder / "model.safetensors") for folder in (tmp_path / "same", SHIPPED.folder / "model")
    )
    assert weights.keys() == shipped.keys()
    assert all(torch.equal(weights[name], shipped[name]) for name in shipped)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("micro_speech", "words get other meanings in the whole scenes of 'scenes' alone"),
        ("micro_prompt_timed", "words get other meanings in the whole scenes of 'scenes' alone"),
    ],
)
def test_other_tasks_are_refused(name: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, KEPT)
    with pytest.raises(EarwitnessError, match=expected):
        make_private(registry.task(name), tmp_path / "mine")


def test_without_a_secret_or_into_a_full_folder_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(EarwitnessError, match=f"{SECRET} holds no secret"):
        make_private(SHIPPED, tmp_path / "mine")
    monkeypatch.setenv(SECRET, KEPT)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(EarwitnessError, match="full holds something; name another folder"):
        make_private(SHIPPED, tmp_path / "full")


def test_a_card_of_another_form_is_refused_with_the_line_that_it_lacks() -> None:
    with pytest.raises(EarwitnessError, match="card of mine has 0 lines of the form"):
        private_card('id = "mine"\n', "mine", "0" * 32)
