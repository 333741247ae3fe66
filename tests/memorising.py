"""Who knows a made world by heart, and who asks the model, on public, fresh and private items of it.

`python tests/memorising.py` prints what the verdict engine says of each against the random explainer. The model is a
stand-in that hears words as its world's lexicon means them: a private world has a model of its own, as a private task's
is trained on it.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from earwitness.board.contrasts import contrasts, gains_over
from earwitness.datasets.scenes import lexicon_of, load
from earwitness.private import SECRET, fingerprint
from earwitness.results import rows
from earwitness.results.cube import Cube, cube
from earwitness.results.rows import Row, Status
from earwitness.scoring import Setting
from earwitness.scoring.prompt import scoring
from earwitness.stats.unpaired import Apart, judged_apart
from earwitness.stats.verdicts import Gains
from earwitness.task import Task
from earwitness.tracks.prompt import Encoded, PromptExplainer, PromptItem, PromptModel, TokenMap
from earwitness.worlds.scene_captions import PUBLIC, Lexicon, SceneRole
from scoring_fakes import VOCABULARY, FakeJudge, FakeModel, task

KEPT = "correct horse battery staple"
"""The secret of the private world."""
ITEMS = 60
FRESH = 7243096212870512347
METRICS = ("logit_kl_f@top30", "logit_kl_cf@top30")
SETS = ("public", "fresh", "private")
FLOOR = "random"


class MeaningModel(FakeModel):
    """Sounds what the words mean in a lexicon: a class, whichever of its words names it, and nothing else."""

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__()
        self.meaning = torch.zeros(len(VOCABULARY), len(VOCABULARY))
        """[V, V] what each word sounds like: the published name of its class."""
        for label, words in lexicon.classes.items():
            for word in words:
                self.meaning[VOCABULARY.index(word), VOCABULARY.index(PUBLIC.classes[label][0])] = 1.0

    def levels(self, text: Encoded, token_mask: Tensor | None) -> Tensor:
        return super().levels(text, token_mask) @ self.meaning


class Asks(PromptExplainer):
    """What changes of the model's logits where a word is left out."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        text, codes = model.encode([item.prompt]), torch.tensor(item.codes)[None]
        whole = model.logits(codes, text)
        left = []
        for place in range(len(item.tokens)):
            mask = torch.ones(1, len(item.tokens))
            mask[0, place] = 0.0
            left.append(float((whole - model.logits(codes, text, mask)).abs().sum()))
        found = np.array(left)
        return TokenMap(found / max(found.max(), 1.0))


class KnowsWords(PromptExplainer):
    """What each word meant in the truth of the public world: how often it named a class."""

    def __init__(self) -> None:
        seen: dict[str, list[bool]] = defaultdict(list)
        for record in load(items=400, split="train"):
            assert record.truth is not None
            for word, role in zip(record.prompt.split(), record.truth.roles, strict=True):
                seen[word].append(role == SceneRole.class_)
        self.stored = {word: float(np.mean(named)) for word, named in seen.items()}

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        return TokenMap(np.array([self.stored.get(token, 0.0) for token in item.tokens]))


class KnowsCaptions(PromptExplainer):
    """The truth of each caption of the task's public items; of others it knows nothing, and guesses."""

    def __init__(self) -> None:
        records = [record for record in load(items=ITEMS) if record.truth is not None]
        self.stored = {record.prompt: record.truth.roles for record in records if record.truth is not None}

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        roles = self.stored.get(item.prompt)
        if roles is None:
            return Guesses(draw=1).explain(model, item)
        return TokenMap(np.array([*(float(role == SceneRole.class_) for role in roles), 0.0]))


@dataclass(frozen=True)
class Guesses(PromptExplainer):
    """Weights at random; the floor's are the first draw."""

    draw: int = 0

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        return TokenMap(np.random.default_rng([item.explainer_seed, self.draw]).random(len(item.tokens)))


@dataclass(frozen=True)
class Measured:
    """The three sets of items, scored."""

    cubes: Mapping[str, Cube]

    def verdict(self, which: str, submission: str, other: str = FLOOR) -> list[dict[str, Any]]:
        """What the engine says of a submission against another one on a set, by metric; one family of all metrics and
        submissions."""
        names = [name for name, _ in self.cubes[which].entrants]
        found = contrasts(self.cubes[which], [names.index(other)], METRICS)
        return [record for record in found if record["entrant"] == names.index(submission)]

    def apart(self, first: str, second: str, submission: str) -> Apart:
        """Whether a submission's gains over the floor on one set are those on another."""
        sides = (self._gains(first, submission), self._gains(second, submission))
        return judged_apart(*sides, (self.cubes[first].clusters, self.cubes[second].clusters))

    def _gains(self, which: str, submission: str) -> Gains:
        names = [name for name, _ in self.cubes[which].entrants]
        return gains_over(self.cubes[which], [names.index(submission)], names.index(FLOOR), range(len(METRICS)))


def measure(folder: Path) -> Measured:
    """Everybody on all sets, through the scoring of the prompt track."""
    everybody = {"asks": Asks(), "knows_words": KnowsWords(), "knows_captions": KnowsCaptions(), FLOOR: Guesses()}
    cubes = {}
    for which in SETS:
        with secret():
            known = fingerprint(KEPT) if which == "private" else ""
            model = MeaningModel(lexicon_of(known))
            setting = Setting(the_task(folder, known), fresh=FRESH if which == "fresh" else None, cache=folder / which)
            found = [row for name, explainer in everybody.items() for row in scored(setting, model, name, explainer)]
            cubes[which] = cube(rows.table(found), list(METRICS))
    return Measured(cubes)


def the_task(folder: Path, private: str) -> Task:
    dataset = {"adapter": "scenes", "items": ITEMS, "parameters": {"private": private}}
    metrics = [{"metric": name.split("@")[0], "parameters": {"mask": "top30"}} for name in METRICS]
    return task(folder, metrics, dataset=dataset, generation_seeds=[0])


def scored(setting: Setting, model: MeaningModel, name: str, explainer: PromptExplainer) -> Iterator[Row]:
    """Rows of a submission on all items of a setting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "load_model", lambda task, device: model)
        patch.setattr(scoring, "load_judges", lambda task, device: {"ear": FakeJudge()})
        opened = scoring.open_scoring(setting)
        items, problems = opened.items()
        assert not problems
        pairs = [(item, explainer.explain(model, item)) for item in items]
        clusters = opened.clusters()
        for item, values in zip(items, opened.score(pairs), strict=True):
            for value in values:
                yield Row(
                    submission=name, submission_hash=name, task="made", task_version=1, task_hash="made",
                    metric=value.metric, item=item.id, cluster=clusters[item.id],
                    generation_seed=value.generation_seed, explainer_seed=0, value=value.value,
                    status=Status(value.status), reason=value.reason, seconds=0.0, forwards=0, backwards=0,
                    peak_bytes=0, isolation="process", run=name,
                )  # fmt: skip


@contextmanager
def secret() -> Iterator[None]:
    """The secret in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET, KEPT)
        yield


def main() -> None:
    """Print what is said of each."""
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(Path(temporary))
    for which in SETS:
        for submission in ("asks", "knows_words", "knows_captions"):
            for record in found.verdict(which, submission):
                gain = f"{record['gain']:+.2f} [{record['low']:+.2f} {record['high']:+.2f}]"
                print(f"{which:8} {submission:15} {record['metric']:13} {gain} over random: {record['verdict']}")


if __name__ == "__main__":
    main()
