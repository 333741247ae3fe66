"""A task of the made scenes, taken into a private world: its model hears words of other meanings, as its captions say.

A private world changes the places of the published words, every one of them (`worlds.scene_captions.private`). The
task's model reads them once the rows of its word embeddings change places as the words do, so that nothing is trained
again. Whoever holds the same weights under their published words can undo that: a twin whose seed nobody knows is safe
from it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from earwitness.datasets.scenes import lexicon_of
from earwitness.errors import EarwitnessError
from earwitness.own_model import TWIN, with_model
from earwitness.private import SECRET, fingerprint
from earwitness.results.writing import moved_into_place
from earwitness.task import CARD, read_task
from earwitness.worlds.scene_captions import PUBLIC, Lexicon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.task import Task

WORLD = "scenes"
"""The dataset whose words can be given other meanings."""
MODEL, WEIGHTS = "model", "model.safetensors"
EMBEDDING = "text_encoder.shared.weight"
"""[vocabulary, width] of MusicGen's text encoder; its rows are words."""


def make_private(task: Task, out: Path, model: Path | None = None, items: int | None = None) -> Task:
    """Write a task into `out` whose words mean something else, by the secret in the environment; not yet certified.

    `model` is a twin of the task's model, or that one if None; `items` are how many the card asks for, those of the
    task if None. Raises EarwitnessError where there is no secret, where the task is not of the made scenes, is private
    already or reads another task's files, where `out` holds something, and where `model` is a twin of another task's.
    """
    secret = os.environ.get(SECRET)
    if not secret:
        raise EarwitnessError(f"{SECRET} holds no secret, which a private task is made by")
    _refuse(task, out)
    known = fingerprint(secret)
    variant = with_model(task, str(model)) if model else task
    card = private_card((task.folder / CARD).read_text(encoding="utf-8"), task.id, known, items)
    with moved_into_place(out) as made:
        made.mkdir()
        for judge in task.card.judges:
            shutil.copytree(task.folder / judge.source, made / judge.source)
        reword(Path(variant.source(variant.card.model.source)), made / MODEL, lexicon_of(known))
        (made / CARD).write_text(card, encoding="utf-8")
    return read_task(out)


def reword(source: Path, folder: Path, lexicon: Lexicon) -> None:
    """Write a model that reads the words of a lexicon as the one in `source` reads the published ones.

    The tokeniser stays as it is: a word's id tells nothing of what the word means.
    """
    from safetensors.torch import load_file, save_file
    from transformers import PreTrainedTokenizerFast

    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(TWIN))
    ids = PreTrainedTokenizerFast.from_pretrained(source).get_vocab()
    weights = load_file(folder / WEIGHTS)
    places = torch.arange(len(weights[EMBEDDING]))
    for published, private in zip(_words(PUBLIC), _words(lexicon), strict=True):
        places[ids[private]] = ids[published]
    weights[EMBEDDING] = weights[EMBEDDING][places].contiguous()
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def private_card(card: str, task_id: str, known: str, items: int | None = None) -> str:
    """The text of a task's card in the private world of a fingerprint, under an id of its own."""
    name = f"{task_id}_private"
    changes = [
        (r'^id = ".*"$', f'id = "{name}"'),
        (r'^title = "(.*)"$', r'title = "\1, in a private world"'),
        (r'^identity = ".*@', f'identity = "{name}@'),
        (r"^(items = \d+)$", rf'\1\nparameters = {{ private = "{known}" }}'),
    ]
    if items is not None:
        changes.append((r"^items = \d+$", f"items = {items}"))
    for pattern, instead in changes:
        card, found = re.subn(pattern, instead, card, flags=re.MULTILINE)
        if found != 1:
            raise EarwitnessError(f"the card of {task_id} has {found} lines of the form {pattern}, where one is needed")
    return card


def _refuse(task: Task, out: Path) -> None:
    dataset = task.card.dataset
    if dataset.adapter != WORLD or dataset.parameters:
        raise EarwitnessError(f"{task.id}: words get other meanings in the whole scenes of {WORLD!r} alone")
    sources = (task.card.model.source, *(judge.source for judge in task.card.judges))
    if task.card.model.source != MODEL or any(not (task.folder / source).is_dir() for source in sources):
        raise EarwitnessError(f"{task.id}: its model or a judge lies outside its folder, so that it cannot be copied")
    if out.exists() and any(out.iterdir()):
        raise EarwitnessError(f"{out} holds something; name another folder")
    if out.exists():
        out.rmdir()


def _words(lexicon: Lexicon) -> Iterator[str]:
    """Every word of a lexicon, in an order that its meanings make; some more than once."""
    for table in (lexicon.classes, lexicon.loudness, lexicon.pitch, lexicon.time):
        for group in table.values():
            yield from group
    for group in (lexicon.negators, lexicon.articles, lexicon.connectives, lexicon.links):
        yield from group
    for phrases in (lexicon.openings, lexicon.closings, lexicon.clauses):
        for phrase in phrases:
            yield from phrase
