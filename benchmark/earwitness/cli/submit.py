"""`earwitness new` and `earwitness validate`: what a submitter needs."""

from __future__ import annotations

import keyword
import os
import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.output import Json, print_json, writable
from earwitness.errors import NO, EarwitnessError, shortened, unwritten

SKELETONS = Path(__file__).parent / "skeletons"


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the submission: a Python identifier.")],
    track: Annotated[str, typer.Option(metavar="TRACK", help="The track it is for.")],
) -> None:
    """Write a working submission into a folder of that name."""
    from earwitness import tracks
    from earwitness.task import ID, LONGEST_ID

    tracks.load(track)
    folder = Path(name)
    if not re.fullmatch(ID, folder.name) or keyword.iskeyword(folder.name) or len(folder.name) > LONGEST_ID:
        raise EarwitnessError(
            f"{shortened(name)!r} ends in no id of a submission: at most {LONGEST_ID} of a-z, 0-9 and _, no digit "
            "first, no keyword of Python; call it my_explainer, say"
        )
    if os.path.lexists(folder):
        raise EarwitnessError(f"{folder} exists; choose another name")
    writable(folder.parent, "NAME")
    title = "".join(part.capitalize() for part in folder.name.split("_")) or folder.name
    words = {"@id@": folder.name, "@Class@": title, "@track@": track}
    try:
        folder.mkdir(parents=True)
        for path in sorted((SKELETONS / track).iterdir()):
            text = path.read_text(encoding="utf-8")
            for mark, word in words.items():
                text = text.replace(mark, word)
            (folder / path.name.removesuffix(".skeleton")).write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise unwritten(folder, error, "run it again, or go elsewhere") from error
    print(f"wrote {folder}; next: earwitness validate {folder}")


def validate(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of a submission.")],
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where the model runs.")] = "auto",
    json: Json = False,
) -> None:
    """Check a submission: its card, its code, and its explanations of two items."""
    from earwitness.box.devices import require
    from earwitness.harness import engines
    from earwitness.harness.validate import validate as validate_submission

    require(device)
    report = validate_submission(path, engines.get("local"), device)
    if json:
        print_json({**vars(report), "valid": report.valid})
    else:
        for line in report.findings:
            print(f"  wrong: {line}")
        if report.valid:
            print(f"valid: {report.submission} explained {report.items} items of {report.task} twice alike")
        else:
            print(f"invalid: {report.submission}; what it printed: {report.log or 'nothing'}")
    if not report.valid:
        raise typer.Exit(NO)
