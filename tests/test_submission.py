import shutil
from pathlib import Path

import pytest

from earwitness import closure, registry
from earwitness.errors import InvalidCardError
from earwitness.submission import Budget, Submission, load_explainer, read_submission

CARD = """
id = "mine"
track = "prompt"
title = "Mine"
authors = ["A"]
licence = "Apache-2.0"
explainer = "Mine"

[parameters]
power = 2.0
"""

CODE = """
from dataclasses import dataclass

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, TokenMap


@dataclass
class Mine(PromptExplainer):
    power: float = 1.0

    def explain(self, model, item):
        return TokenMap(np.ones(len(item.tokens)))


class Other:
    pass
"""


def write(folder: Path, card: str = CARD, code: str = CODE) -> Submission:
    folder.mkdir(exist_ok=True)
    (folder / "submission.toml").write_text(card)
    (folder / "explainer.py").write_text(code)
    return read_submission(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mine"


def test_an_explainer_is_built_with_the_cards_parameters(folder: Path) -> None:
    explainer = load_explainer(write(folder), "prompt")
    assert type(explainer).__name__ == "Mine"
    assert explainer.power == 2.0


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("power = 2.0", "powr = 2.0", "parameter powr is unknown; did you mean 'power'"),
        ('explainer = "Mine"', 'explainer = "Yours"', "no class Yours that subclasses PromptExplainer"),
        ('explainer = "Mine"', 'explainer = "Other"', "no class Other that subclasses PromptExplainer"),
    ],
)
def test_a_card_that_does_not_fit_the_code_is_refused(folder: Path, before: str, after: str, says: str) -> None:
    with pytest.raises(InvalidCardError, match=says):
        load_explainer(write(folder, CARD.replace(before, after)), "prompt")


def test_an_explainer_may_lie_in_an_installed_package(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packaged_mine").mkdir()
    (tmp_path / "packaged_mine" / "__init__.py").write_text("")
    code = tmp_path / "packaged_mine" / "inside.py"
    write(folder)
    code.write_text((folder / "explainer.py").read_text())
    text = CARD.replace('explainer = "Mine"', 'explainer = "packaged_mine.inside:Mine"')
    with pytest.raises(InvalidCardError, match="no module is called packaged_mine"):
        load_explainer(write(folder, text), "prompt")
    monkeypatch.syspath_prepend(str(tmp_path))
    closure._installed.cache_clear()
    submission = write(folder, text)
    assert type(load_explainer(submission, "prompt")).__name__ == "Mine"
    before = submission.hash_for("prompt")
    code.write_text(code.read_text() + "CHANGED = True\n")
    assert submission.hash_for("prompt") != before
    with pytest.raises(InvalidCardError, match=r"packaged_mine\.inside has no Yours"):
        load_explainer(write(folder, text.replace(":Mine", ":Yours")), "prompt")


def test_a_submission_without_code_is_refused(folder: Path) -> None:
    submission = write(folder)
    (folder / "explainer.py").unlink()
    with pytest.raises(InvalidCardError, match=r"explainer\.py: no such file"):
        load_explainer(submission, "prompt")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('authors = ["A"]', "", "authors"),
        ('track = "prompt"', 'track = "promt"', "no track is called 'promt'"),
        ('title = "Mine"', 'title = "Mine"\nkind = "winner"', "kind"),
        ('title = "Mine"', 'title = "Mine"\nbest = true', "unknown key 'best'"),
        ('title = "Mine"', 'title = "\\u2800 \\ufeff"', "title: holds nothing that can be seen"),
        ('id = "mine"', 'id = "my-loo"', "'my-loo' is no id, which is of a-z, 0-9 and _; call it 'my_loo'"),
        ('id = "mine"', 'id = "lambda"', "id: 'lambda' is a keyword of Python"),
    ],
)
def test_a_wrong_card_is_one_line(folder: Path, before: str, after: str, says: str) -> None:
    with pytest.raises(InvalidCardError, match=says) as caught:
        write(folder, CARD.replace(before, after))
    assert "\n" not in str(caught.value)


def test_the_hash_is_of_code_and_data_and_not_of_pages_caches_or_place(folder: Path, tmp_path: Path) -> None:
    submission = write(folder)
    before = submission.hash_for("prompt")
    for name in ("README.md", "__pycache__/explainer.pyc", ".git/HEAD", ".hidden"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert submission.hash_for("prompt") == before
    assert read_submission(shutil.copytree(folder, tmp_path / "copy")).hash_for("prompt") == before
    (folder / "helper.py").write_text("x = 1\n")
    assert submission.hash_for("prompt") != before


def test_files_of_one_name_in_two_folders_both_count(folder: Path) -> None:
    submission = write(folder)
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "helper.py").write_text("x = 1\n")
    before = submission.hash_for("prompt")
    for name in ("one", "two"):
        (folder / name / "helper.py").write_text("x = 2\n")
        assert submission.hash_for("prompt") != before
        before = submission.hash_for("prompt")


def test_a_changed_parameter_changes_the_hash(folder: Path) -> None:
    before = write(folder).hash_for("prompt")
    assert write(folder, CARD.replace("2.0", "3.0")).hash_for("prompt") != before
    assert write(folder, CARD.replace('title = "Mine"', 'title = "Ours"')).hash_for("prompt") == before


def test_two_submissions_with_a_class_of_one_name_are_two_modules(folder: Path, tmp_path: Path) -> None:
    first = load_explainer(write(folder), "prompt")
    second = load_explainer(write(tmp_path / "yours", CARD.replace('id = "mine"', 'id = "yours"')), "prompt")
    assert type(first) is not type(second)


BOTH = """
id = "mine"
title = "Mine"
authors = ["A"]
licence = "Apache-2.0"

[explainers.prompt]
explainer = "Mine"
parameters = { power = 3.0 }

[explainers.speech]
file = "speech.py"
explainer = "Mine"
"""


def test_a_method_of_two_tracks_has_a_file_for_each(folder: Path) -> None:
    submission = write(folder, BOTH)
    assert list(submission.card.explainers) == ["prompt", "speech"]
    assert load_explainer(submission, "prompt").power == 3.0
    with pytest.raises(InvalidCardError, match=r"speech\.py: no such file"):
        load_explainer(submission, "speech")
    with pytest.raises(InvalidCardError, match="no explainer of the track speech"):
        load_explainer(write(folder), "speech")


def test_a_card_of_no_track_says_what_it_lacks(folder: Path) -> None:
    with pytest.raises(InvalidCardError, match="no track: a method of one track names both"):
        write(folder, CARD.replace('track = "prompt"', ""))


CURVE = """
[curve]
parameter = "masks"
values = [10, 20, 50, 100]
along = { prefix_masks = 0.1 }
"""
MASKED = CARD.replace("power = 2.0", "masks = 50\nprefix_masks = 5") + CURVE
MASKED_CODE = CODE.replace("power: float = 1.0", "masks: int = 1\n    prefix_masks: int = 1")


def test_a_curve_is_no_part_of_an_identity_and_a_budget_is(folder: Path) -> None:
    plain = write(folder, MASKED.replace(CURVE, ""), MASKED_CODE).hash_for("prompt")
    mine = write(folder, MASKED, MASKED_CODE)
    assert mine.hash_for("prompt") == plain
    said = MASKED.replace("title", "stochastic = true\ntitle")
    assert write(folder, said, MASKED_CODE).hashes == {"prompt": plain}
    small = mine.at(20)
    assert (small.id, small.card.title, small.budget) == ("mine_at_20", "Mine, at 20 masks", Budget("mine", 20))
    assert small.card.explainers["prompt"].parameters == {"masks": 20, "prefix_masks": 2}
    assert small.card.explainers["prompt"].curve is None
    assert small.hash_for("prompt") != plain
    typed = MASKED.replace("masks = 50\nprefix_masks = 5", "masks = 20\nprefix_masks = 2")
    assert write(folder, typed, MASKED_CODE).hash_for("prompt") == small.hash_for("prompt")


def test_an_explainer_is_built_at_a_budget(folder: Path) -> None:
    explainer = load_explainer(write(folder, MASKED, MASKED_CODE).at(10), "prompt")
    assert (explainer.masks, explainer.prefix_masks) == (10, 1)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("[10, 20, 50, 100]", "[10, 20, 50]", "at least 4 items"),
        ("[10, 20, 50, 100]", "[10, 50, 20, 100]", "must ascend"),
        ("[10, 20, 50, 100]", "[10, 20, 50, 50]", "must ascend"),
        ("[10, 20, 50, 100]", "[0, 20, 50, 100]", "greater than or equal to 1"),
        ("[10, 20, 50, 100]", "[10, 20, 40, 100]", "the card's own masks, 50, is none of its values"),
        ("masks = 50", "masks = 50.5", "is none of its values"),
        ("prefix_masks = 5", "prefix_masks = 6", "with 50 masks go 5 prefix_masks; the card has 6"),
        ('parameter = "masks"', 'parameter = "mask"', "the card's own mask, None, is none of its values"),
    ],
)
def test_a_curve_that_does_not_fit_its_card_is_refused(folder: Path, before: str, after: str, says: str) -> None:
    with pytest.raises(InvalidCardError, match=says):
        write(folder, MASKED.replace(before, after, 1), MASKED_CODE)


def test_a_submission_without_a_curve_has_no_budgets(folder: Path) -> None:
    with pytest.raises(InvalidCardError, match="no curve says what a budget of mine is"):
        write(folder).at(10)
    with pytest.raises(InvalidCardError, match="no curve says what a budget of mine_at_10 is"):
        write(folder, MASKED, MASKED_CODE).at(10).at(20)
    with pytest.raises(InvalidCardError, match="0 is no budget"):
        write(folder, MASKED, MASKED_CODE).at(0)


def test_an_id_may_name_a_budget() -> None:
    small = registry.submission("spes_at_500")
    assert small.budget == Budget("spes", 500)
    assert small.card.explainers["speech"].parameters["prefix_masks"] == 50
    with pytest.raises(InvalidCardError, match="no curve says what a budget of occlusion is"):
        registry.submission("occlusion_at_5")
