"""A task on captions that lie in a file, around no model: for what reads items alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from outside_task import TASK

HEADER = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,is_audioset_eval"


def captions_of(path: Path, prompts: Sequence[str]) -> Path:
    """Write prompts in MusicCaps' format and return the file."""
    lines = [f'clip{i:03d},0,10,/m/1,[],"{prompt}",1,False,True' for i, prompt in enumerate(prompts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def make_captions_task(folder: Path) -> Path:
    """A folder with a card whose items are in a file beside it; returns it."""
    captions = captions_of(folder.parent / "public" / "captions.csv", ("a dog barks", "the siren wails"))
    folder.mkdir(parents=True, exist_ok=True)
    card = TASK.replace('adapter = "scenes"', f'adapter = "musiccaps"\nsource = "{captions}"')
    (folder / "task.toml").write_text(card.replace('"tiny_scenes"', '"tiny_captions"'), encoding="utf-8")
    return folder
