"""The inside of a box, with a tiny model in the published format and a submission that misbehaves item by item."""

from collections.abc import Iterator

import numpy as np
import pytest

from earwitness import box as boxes
from earwitness.box import Answer, Box, BoxError, Brief, Guard
from earwitness.errors import one_line
from earwitness.results.rows import Status
from earwitness.tracks.prompt import PromptItem
from needing import need
from tiny import FRAMES, tiny_musicgen

CARD = """
id = "odd"
track = "prompt"
title = "Behaves as the prompt's last word says"
authors = ["A"]
licence = "Apache-2.0"
explainer = "Odd"

[parameters]
level = 0.25
"""

CODE = """
import os
import sys
from dataclasses import dataclass

import numpy as np
import torch

from earwitness.tracks.prompt import PromptExplainer, TokenMap

print("imported")
assert not [name for name in sys.modules if name.startswith(("earwitness.scoring", "earwitness.judges"))]


@dataclass
class Odd(PromptExplainer):
    level: float = 1.0

    def explain(self, model, item):
        size = (item.codes.shape[1], len(item.tokens))
        text = model.encode([item.prompt])
        codes = torch.as_tensor(item.codes)[None]
        match item.prompt.split()[-1]:
            case "barks":
                return TokenMap(np.full(size, self.level))
            case "near":
                return TokenMap(np.full(size, float(torch.rand(()))))
            case "far":
                mask = torch.full((1, size[1]), 0.5, requires_grad=True)
                model.hidden(codes, text, mask).sum().backward()
                return TokenMap(mask.grad[0].sigmoid().numpy())
            case "rings":
                return TokenMap(np.full(size, np.nan))
            case "wails":
                return TokenMap(np.full((size[0] + 1, size[1]), 0.5))
            case "loudly":
                return TokenMap(np.full(size, 1.5))
            case "rain":
                return None
            case "bell":
                raise RuntimeError("no\\nway " + repr(object()))
            case "siren":
                os._exit(9)
"""


@pytest.fixture(scope="module", params=boxes.LEVELS)
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    need(request.param)
    folder = tmp_path_factory.mktemp("odd")
    (folder / "submission.toml").write_text(CARD)
    (folder / "explainer.py").write_text(CODE)
    model = tiny_musicgen(tmp_path_factory.mktemp("tiny"))
    brief = Brief("prompt", "musicgen", str(model), "main", {}, str(folder), "auto")
    opened = boxes.create(request.param, brief, Guard(60.0, 1000), folder / "log")
    opened.open()
    yield opened
    opened.close()


def item(word: str) -> PromptItem:
    prompt = f"a dog {word}"
    tokens = (*prompt.split(), "</s>")
    special = np.array([token == "</s>" for token in tokens])
    return PromptItem(word, prompt, 1, 2, np.zeros((4, FRAMES), np.int64), tokens, special)


def explain(box: Box, *words: str) -> dict[str, Answer]:
    answers = box.explain([item(word) for word in words])
    assert [answer.item for answer in answers] == list(words)
    return {answer.item: answer for answer in answers}


def test_one_bad_item_of_a_batch_spoils_no_other(box: Box) -> None:
    found = explain(box, "barks", "rings", "wails", "loudly", "rain", "bell", "far")
    reasons = {word: (str(answer.status), answer.reason) for word, answer in found.items()}
    assert reasons == {
        "barks": ("ok", ""),
        "rings": ("invalid", f"TokenMap.weights must be finite; found {4 * FRAMES} of {4 * FRAMES} NaN or infinite"),
        "wails": (
            "invalid",
            f"TokenMap.weights must be [F, N] = [{FRAMES}, 4] or [N] = [4]; found [{FRAMES + 1}, 4]",
        ),
        "loudly": ("invalid", "TokenMap.weights must lie in [0, 1]; found 1.5 to 1.5"),
        "rain": ("invalid", "explain must return a TokenMap; found nothing"),
        "bell": ("failed", "RuntimeError: no way <object object at 0x...>"),
        "far": ("ok", ""),
    }
    np.testing.assert_array_equal(found["barks"].arrays["weights"], np.full((FRAMES, 4), 0.25, np.float32))


def test_passes_of_the_model_are_counted(box: Box) -> None:
    found = explain(box, "far")["far"]
    assert (found.cost.forwards, found.cost.backwards) == (1, 1)
    assert found.cost.seconds > 0
    idle = explain(box, "barks")["barks"]
    assert (idle.cost.forwards, idle.cost.backwards) == (0, 0)


def test_an_explainer_that_draws_from_the_global_generator_repeats_itself(box: Box) -> None:
    first = explain(box, "near")["near"].arrays["weights"]
    explain(box, "barks", "near")
    np.testing.assert_array_equal(explain(box, "near")["near"].arrays["weights"], first)


def test_a_child_that_dies_is_started_again(box: Box) -> None:
    with pytest.raises(BoxError, match="ended with exit code 9"):
        explain(box, "siren")
    assert explain(box, "barks")["barks"].status == Status.OK


def test_an_error_reads_the_same_twice() -> None:
    assert one_line(RuntimeError(f"at {object()!r}")) == one_line(RuntimeError(f"at {object()!r}"))
    assert 290 < len(one_line(RuntimeError("x " * 10_000))) <= 300
    assert len(one_line(RuntimeError("x" * 10_000))) < 300
