from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.datasets import PromptRecord
from earwitness.errors import InvalidItemError
from earwitness.scoring import Problem, Setting
from earwitness.scoring.originals import CHUNK
from earwitness.scoring.prompt.originals import PromptOriginals
from earwitness.scoring.prompt.responses import PromptRespondent
from earwitness.seeds import derive
from scoring_fakes import SAMPLE_RATE, FakeJudge, FakeModel, heard, task

METRICS = [{"metric": "fid_f"}]


def originals(folder: Path, prompts: list[str], **changes: int) -> PromptOriginals:
    records = [PromptRecord(f"item/{number}", prompt, "c") for number, prompt in enumerate(prompts)]
    return PromptOriginals(Setting(task(folder / "task", METRICS), cache=folder / "cache", **changes), records)


def test_originals_are_generated_once_and_kept_on_disk(tmp_path: Path) -> None:
    model = FakeModel()
    made, _ = originals(tmp_path, ["loud dog", "rain"]).items(0, lambda: model)
    kept, _ = originals(tmp_path, ["loud dog", "rain"]).items(0, lambda: pytest.fail("asked for the model"))
    assert model.generated == [2]
    for a, b in zip(made, kept, strict=True):
        assert a.fields() == b.fields()
        assert np.array_equal(a.codes, b.codes)
        assert np.array_equal(a.special, b.special)
    assert made[0].tokens == ("loud", "dog", "</s>")


def test_seeds_come_from_the_datasets_identity_the_item_and_the_seed(tmp_path: Path) -> None:
    (first,), _ = originals(tmp_path, ["rain"]).items(0, FakeModel)
    (later,), _ = originals(tmp_path, ["rain"], seed=7).items(0, FakeModel)
    assert first.seed == derive("fake@1", "item/0", "generation", 0)
    assert later.seed == derive("fake@1", "item/0", "generation", 7)
    assert first.explainer_seed == derive("fake@1", "item/0", "explainer", 0)
    assert later.explainer_seed == derive("fake@1", "item/0", "explainer", 7)


def test_frames_that_are_asked_for_are_those_of_the_seconds(tmp_path: Path) -> None:
    asked = {"all": None, "half": (0.9, 2.0), "beyond": (0.0, 9.0), "nothing": (2.5, 3.0)}
    records = [PromptRecord(name, "rain", "c", asked=span) for name, span in asked.items()]
    some = PromptOriginals(Setting(task(tmp_path / "task", METRICS), cache=tmp_path / "cache"), records)
    made, problems = some.items(0, FakeModel)
    assert {item.id: item.frames for item in made} == {"all": None, "half": (2, 4), "beyond": (0, 4)}
    assert problems == [Problem("nothing", "it asks for 2.5 to 3 s of a sound of 2 s")]
    kept, _ = some.items(0, lambda: pytest.fail("asked for the model"))
    assert [item.frames for item in kept] == [item.frames for item in made]


def test_the_sound_is_there_to_listen_to(tmp_path: Path) -> None:
    some = originals(tmp_path, ["rain"])
    some.items(0, FakeModel)
    assert soundfile.info(some.folder / "item%2F0.original.ogg").samplerate == SAMPLE_RATE


def test_prompts_that_cannot_be_explained_are_problems_and_the_others_go_on(tmp_path: Path) -> None:
    class Narrow(FakeModel):
        def encode(self, prompts):
            if any(len(prompt.split()) > 3 for prompt in prompts):
                raise InvalidItemError("the prompt has 4 words, more than the model takes")
            return super().encode(prompts)

    some = originals(tmp_path, ["  ", "rain", "rain rain rain rain"])
    for _ in range(2):
        items, problems = some.items(0, Narrow)
        assert [item.id for item in items] == ["item/1"]
        assert problems == [
            Problem("item/0", "the prompt has no words"),
            Problem("item/2", "the prompt has 4 words, more than the model takes"),
        ]


def test_a_chunk_without_a_usable_prompt_is_no_error(tmp_path: Path) -> None:
    some = originals(tmp_path, [""])
    assert some.items(0, FakeModel)[0] == []
    assert some.judge_answers(0, PromptRespondent(FakeModel(), {"ear": FakeJudge()})) == {}  # type: ignore[arg-type]


def test_chunks_do_not_depend_on_how_many_items_are_asked_for(tmp_path: Path) -> None:
    prompts = ["rain"] * (CHUNK + 1)
    model = FakeModel()
    some = originals(tmp_path, prompts)
    assert len(some.items(0, lambda: model)[0]) == CHUNK
    assert len(some.items(1, lambda: model)[0]) == 1
    assert model.generated == [CHUNK, 1]
    assert (some.chunk_of(CHUNK - 1), some.chunk_of(CHUNK)) == (0, 1)


def test_what_judges_hear_in_originals_and_regenerations_is_kept(tmp_path: Path) -> None:
    model = FakeModel()
    some, respondent = originals(tmp_path, ["rain"]), PromptRespondent(model, {"ear": FakeJudge()})  # type: ignore[arg-type]
    first = some.judge_answers(0, respondent)["item/0"]["ear"]
    before = list(model.generated)
    again = some.judge_answers(0, respondent)["item/0"]["ear"]
    assert model.generated == before
    assert set(again.regenerated) == {0, 1}
    np.testing.assert_allclose(again.regenerated[1], heard("rain"), atol=1e-6)
    assert np.array_equal(first.original, again.original)
    assert some.fresh_noise("item/0", 0) != some.noise("item/0", 0)


def test_fresh_items_and_other_seeds_do_not_meet_in_the_cache(tmp_path: Path) -> None:
    folders = {originals(tmp_path, ["rain"], **change).folder for change in ({}, {"seed": 1}, {"fresh": 1})}
    assert len(folders) == 3
