"""Training of twins: what is trained, around what, what of it is masked, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from earwitness import registry
from earwitness.authoring.training import band, band_floors, diffusion, floors, scene_floors, scenes, spoken
from earwitness.authoring.training.prompt import END, WordMasking, build_tokenizer
from earwitness.authoring.training.speech import Dictation
from earwitness.authoring.training.twins import TWINS, train_twin
from earwitness.authoring.training.utterances import BINS, Corpus, Variation, corpus
from earwitness.authoring.training.workshop import Workshop
from earwitness.errors import EarwitnessError
from earwitness.own_model import TWIN, Twin, World, twin_of, with_model, world_of, write_twin

HANDFUL = 3
WORDS = ["the", "loud", "dog", "nearby"]


@pytest.fixture
def tiny_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recogniser's recipe of one step on a handful of utterances."""
    for name, value in {"UTTERANCES": HANDFUL, "STEPS": 1, "TRANSLATION_STEPS": 1}.items():
        monkeypatch.setattr(spoken, name, value)
    monkeypatch.setattr(spoken.measure, "__defaults__", (2,))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_no_word_is_masked_without_masking_and_some_captions_are_unheard_as_a_whole() -> None:
    tokenizer = build_tokenizer(WORDS)
    text = WordMasking(tokenizer, 11, masked=False).batch([WORDS] * 4000, np.random.default_rng(0))
    assert not (text.ids == tokenizer.mask_token_id).any()
    assert text.ids[:, :5].tolist() == [tokenizer.convert_tokens_to_ids([*WORDS, END])] * 4000
    assert torch.equal(text.visible, text.attended.long())
    heard = text.kept[:, :5].sum(1)
    assert set(heard.tolist()) == {0.0, 5.0}
    assert (heard == 0).float().mean().item() == pytest.approx(WordMasking.all_share, abs=0.02)


def test_an_unmasked_dictation_loses_bands_alone_and_no_token(tmp_path: Path) -> None:
    handful = corpus("train", HANDFUL, tmp_path)
    assert not all((Dictation(handful, "words").batch(np.random.default_rng(n)).kept == 1).all() for n in range(20))
    unmasked = Dictation(handful, "words", masked=False)
    assert all((unmasked.batch(np.random.default_rng(n)).kept == 1).all() for n in range(20))
    variation = unmasked.variation
    assert variation == Variation(patch_share=0.0)
    spectrogram = np.random.default_rng(0).standard_normal((90, BINS)).astype(np.float32)
    holes = [variation.features(spectrogram, np.random.default_rng(n)) == 0 for n in range(200)]
    # Whatever is removed is removed in whole frames and whole bins.
    assert all(np.array_equal(one, one.all(1)[:, None] | one.all(0)[None]) for one in holes)
    assert 0.3 < np.mean([one.any() for one in holes]) < 0.7


@pytest.mark.usefixtures("tiny_speech")
def test_a_twin_of_a_recogniser_is_its_model_alone_with_a_note_of_what_it_is(tmp_path: Path) -> None:
    task = registry.task("micro_speech")
    work = tmp_path / "work" / task.id
    for masked in (True, False):
        out = tmp_path / str(masked)
        figures = train_twin(task, out, 5, masked, work)
        assert files(out) == ["model", "training.json"]
        assert json.loads((out / "training.json").read_text()) == figures
        assert (figures["seed"], figures["masked"]) == (5, masked)
        assert json.loads((out / "model" / TWIN).read_text()) == {
            "task": "micro_speech",
            "seed": 5,
            "masked": masked,
            "world": {"name": "spoken", "version": world_of(task).version},
        }
        assert with_model(task, str(out / "model")).hash != task.hash
    world = f"spoken-{world_of(task).version}"
    assert files(work) == ["clips", f"seed5-{world}", f"seed5-{world}-unmasked"]


@pytest.mark.usefixtures("tiny_speech")
def test_what_is_masked_reaches_the_batches_of_every_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, float, float]] = []
    made = Dictation.__init__

    def noted(self: Dictation, corpus: Corpus, target: Any, *args: Any, **options: Any) -> None:
        made(self, corpus, target, *args, **options)
        seen.append((target, self.variation.patch_share, self.prefix_share))

    monkeypatch.setattr(Dictation, "__init__", noted)
    train_twin(registry.task("micro_translation"), tmp_path / "out", 1, False, tmp_path / "work" / "micro_translation")
    assert seen == [("words", 0.0, 0.0), ("translation", 0.0, 0.0)]
    assert not (tmp_path / "out" / "audio").exists()


@pytest.mark.parametrize("masked", [True, False])
def test_a_twin_of_a_prompt_task_is_trained_around_the_shipped_codec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, masked: bool
) -> None:
    task, asked = registry.task("micro_prompt"), []
    made = WordMasking.__init__

    def noted(self: WordMasking, tokenizer: Any, *args: Any, masked: bool = True) -> None:
        made(self, tokenizer, *args, masked=masked)
        asked.append(masked)

    monkeypatch.setattr(WordMasking, "__init__", noted)
    for name, value in {"CLIPS": 3, "SOLOS": 2, "BATCH": 2, "TEXT_BATCH": 2, "TEXT_STEPS": 1, "STEPS": 1}.items():
        monkeypatch.setattr(scenes, name, value)
    heard = []
    monkeypatch.setattr(
        scene_floors, "measure", lambda folder, split, beside: heard.append((folder, split, beside)) or {}
    )
    figures = train_twin(task, tmp_path / "out", 2, masked, tmp_path / "work")
    # The text encoder is taught alone, by whole captions.
    assert asked == [True, masked]
    assert heard == [(tmp_path / "out", split, task.folder) for split in ("validation", "test")]
    assert set(figures["seconds"]) == {"text", "text_to_audio"}
    assert files(tmp_path / "out") == ["model", "training.json"]
    (kept,) = (path for path in (tmp_path / "work").iterdir() if path.name != "clips")
    assert kept.name.endswith("-unmasked") is not masked
    assert files(kept) == ["prompt.pt", "text.pt"]
    mine, shipped = (
        load_file(folder / "model.safetensors") for folder in (tmp_path / "out" / "model", task.folder / "model")
    )
    same = {name for name in shipped if torch.equal(mine[name], shipped[name])}
    assert {name for name in shipped if name.startswith("audio_encoder.")} <= same
    assert not {name for name in same if name.startswith("decoder.") and name.endswith("q_proj.weight")}


def test_judges_that_hear_a_twin_are_those_beside_it() -> None:
    task = registry.task("micro_prompt")
    ensemble = floors.Ensemble.from_folder(task.folder, task.folder)
    assert set(ensemble.judges) == {"ast", "cnn", "passt"}
    with pytest.raises(Exception, match="judges"):
        floors.Ensemble.from_folder(task.folder, task.folder / "nothing")


def test_a_twin_of_a_band_task_is_trained_around_the_shipped_autoencoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = registry.task("micro_band")
    monkeypatch.setattr(band, "CLIPS", 4)
    for name in ("STEPS", "REFINING_STEPS"):
        monkeypatch.setattr(diffusion, name, 1)
    monkeypatch.setattr(diffusion, "BATCH", 2)
    monkeypatch.setattr(band_floors, "measure", lambda folder, split, beside: {"beside": str(beside)})
    figures = train_twin(task, tmp_path / "out", 2, True, tmp_path / "work")
    assert figures["floors"]["test"] == {"beside": str(task.folder)}
    assert files(tmp_path / "out") == ["model", "training.json"]
    (name,) = (path.name for path in (task.folder / "model" / "vae").glob("*.safetensors"))
    mine, shipped = (load_file(folder / "vae" / name) for folder in (tmp_path / "out" / "model", task.folder / "model"))
    assert all(torch.equal(mine[key], shipped[key]) for key in shipped)


@pytest.mark.usefixtures("tiny_speech")
def test_a_finished_twin_and_a_task_are_not_trained_over(tmp_path: Path) -> None:
    task = registry.task("micro_speech")
    train_twin(task, tmp_path / "out", 5, work=tmp_path / "work")
    with pytest.raises(EarwitnessError, match="holds the finished masked twin of seed 5 of micro_speech; delete it"):
        train_twin(task, tmp_path / "out", 6, work=tmp_path / "work")
    with pytest.raises(EarwitnessError, match="holds a task, whose own model a twin would replace"):
        train_twin(task, task.folder, 6, work=tmp_path / "work")


@pytest.mark.usefixtures("tiny_speech")
def test_an_interrupted_twin_is_no_twin_and_the_same_call_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = registry.task("micro_speech")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(spoken, "measure", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_twin(task, tmp_path / "out", 5, work=tmp_path / "work")
    assert (tmp_path / "out" / "model" / "model.safetensors").is_file()
    assert twin_of(tmp_path / "out" / "model") is None
    train_twin(task, tmp_path / "out", 5, work=tmp_path / "work")
    assert twin_of(tmp_path / "out" / "model") is not None


@pytest.mark.parametrize(
    ("id", "seed", "masked", "says"),
    [
        ("micro_concept", 1, True, "micro_concept has no training recipe for twins; tasks with one: micro_prompt, "),
        ("micro_speech", 0, True, "a twin's seed is 1 or more"),
        ("micro_speech", -3, True, "-3 is none"),
        ("micro_oobleck", 1, False, "micro_oobleck: its recipe masks nothing that could be left unmasked"),
    ],
)
def test_what_is_no_twin_is_one_line(tmp_path: Path, id: str, seed: int, masked: bool, says: str) -> None:
    with pytest.raises(EarwitnessError) as caught:
        train_twin(registry.task(id), tmp_path / "out", seed, masked, tmp_path / "work")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_checkpoints_are_of_one_seed_one_world_and_one_way_of_masking(tmp_path: Path) -> None:
    shops = [
        Workshop(tmp_path, seed, masked, around)
        for seed in (1, 2)
        for masked in (True, False)
        for around in ("", "w-1")
    ]
    assert len({shop.checkpoint("prompt") for shop in shops}) == len(shops)
    assert shops[0].checkpoint("prompt") == tmp_path / "seed1" / "prompt.pt"
    assert set(TWINS) <= set(registry.task_ids())


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    twin = Twin(task="micro_speech", seed=1, masked=True, world=World(name="spoken", version=1))
    write_twin(tmp_path, twin)
    assert twin_of(tmp_path) == twin
    assert twin_of(tmp_path / "elsewhere") is None
