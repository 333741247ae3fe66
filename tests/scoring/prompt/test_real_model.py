"""The adapter and a judge as they are read from folders: nothing here is fake, only small."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earwitness import scoring
from earwitness.judges.ast import small_ast
from earwitness.results.rows import Status
from earwitness.scoring import Setting
from earwitness.tracks.prompt import TokenMap
from scoring_fakes import task
from tiny import tiny_musicgen

CAPTIONS = {"one": "a quiet bell rings", "none": "", "two": "the dog barks", "long": " ".join(["loudly"] * 200)}
METRICS = [
    {"metric": "fid_f", "parameters": {"mask": "top30"}},
    {"metric": "kl_cf", "parameters": {"mask": "soft", "removal": "renormalise"}},
    {"metric": "logit_kl_cf", "parameters": {"mask": "top30"}},
    {"metric": "kl_noise"},
    {"metric": "word_ap", "parameters": {"roles": "class"}},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("real")
    tiny_musicgen(found / "task" / "model")
    small_ast(("Music", "Bell", "Dog")).save_pretrained(found / "task" / "judge")
    lines = [f"{name},{caption},True" for name, caption in CAPTIONS.items()]
    (found / "captions.csv").write_text("\n".join(["ytid,caption,is_audioset_eval", *lines]))
    return found


def opened(folder: Path, cache: Path) -> Any:
    dataset = {"adapter": "musiccaps", "source": str(folder / "captions.csv"), "items": 4}
    return scoring.load(Setting(task(folder / "task", METRICS, dataset=dataset), cache=cache))


def test_prompts_of_no_and_of_too_many_words_are_problems(folder: Path, tmp_path: Path) -> None:
    items, problems = opened(folder, tmp_path).items()
    assert [item.id for item in items] == ["one", "two"]
    assert {problem.item: problem.reason for problem in problems} == {
        "none": "the prompt has no words",
        "long": "the prompt has 201 tokens and the model takes 64; shorten it",
    }


def test_scoring_twice_from_scratch_gives_the_same_bits(folder: Path, tmp_path: Path) -> None:
    found = []
    for name in ("first", "second"):
        some = opened(folder, tmp_path / name)
        items, _ = some.items()
        rng = np.random.default_rng(0)
        pairs = [(item, TokenMap(rng.random((item.codes.shape[1], len(item.tokens))))) for item in items]
        found.append(some.score(pairs))
    assert found[0] == found[1]
    values = {value.metric: value for value in found[0][0]}
    assert values["logit_kl_cf@top30"].value > 0
    assert values["fid_f@top30"].status == Status.OK
    assert values["word_ap@class"].reason == "the dataset has no truth about words"
