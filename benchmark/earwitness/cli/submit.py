"""`earwitness new` and `earwitness validate`: what somebody needs who brings something of their own."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.cli.output import Json, one_line_of, print_json, writable
from earwitness.cli.trust import TrustTask, trusted
from earwitness.errors import NO, EarwitnessError, InvalidCardError, shortened, unwritten

if TYPE_CHECKING:
    from earwitness.harness.outside.items import HandedOut

SKELETONS = Path(__file__).parent / "skeletons"
ENDING = ".skeleton"
MODEL = "model"
"""Folder of a model that is copied into a task's."""
PACKAGED = ("model", "dataset", "judge", "metric")
"""Kinds that are a Python package; the others are a folder with a card."""
KINDS = ("submission", "task", *PACKAGED)
Kind = Annotated[str, typer.Option(metavar="|".join(KINDS), help="What it is.")]


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its id: a Python identifier.")],
    track: Annotated[str, typer.Option(metavar="TRACK", help="The track it is for; a judge needs none.")] = "",
    kind: Kind = "submission",
    explanations: Annotated[
        bool, typer.Option("--explanations", help="A submission without code: explanations that are made elsewhere.")
    ] = False,
    items: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What is explained there, as `earwitness items` wrote it; else two items."),
    ] = None,
) -> None:
    """Write something that works at once into a folder of that name: a submission, or another kind."""
    from earwitness import tracks

    _require_id(name, kind)
    if kind not in KINDS:
        raise EarwitnessError(f"no kind is called {shortened(kind)!r}; kinds: {', '.join(KINDS)}")
    if explanations or items is not None:
        _new_explanations(Path(name), track, kind, items, explanations)
        return
    if not track and kind != "judge":
        raise EarwitnessError(f"a {kind} is for one track: add --track {'|'.join(tracks.names())}")
    if track:
        tracks.load(track)
    files = _skeleton(kind, track)
    folder = Path(name)
    if os.path.lexists(folder):
        raise EarwitnessError(f"{folder} exists; choose another name")
    writable(folder.parent, "NAME")
    words, model = _filling(folder, kind, track)
    _write(folder, files, words, model)
    copied = "" if model is None else f", with a copy of the model of {words['@micro@']}"
    print(f"wrote {folder}{copied}; next: earwitness validate {folder}{_source(kind, track)}")


def _new_explanations(folder: Path, track: str, kind: str, items: Path | None, asked: bool) -> None:
    """Write a submission of explanations that are made elsewhere, of some items or of two of a track's micro task."""
    from earwitness import tracks
    from earwitness.harness.outside.blank import write_blank
    from earwitness.harness.outside.items import read_items

    if not asked or kind != "submission":
        raise EarwitnessError("--items goes with --explanations, and both with a submission; leave --kind out")
    if items is None and not track:
        raise EarwitnessError(
            "add --items DIR, which `earwitness items TASK --out DIR` wrote, or, for two items to look at, "
            f"--track {'|'.join(tracks.names())}"
        )
    if os.path.lexists(folder):
        raise EarwitnessError(f"{folder} exists; choose another name")
    writable(folder.parent, "NAME")
    found = read_items(items) if items is not None else _two_items(track)
    if track not in ("", found.track):
        raise EarwitnessError(f"--track {shortened(track)}: the items are of the track {found.track}; leave it out")
    words, _ = _filling(folder, "submission", found.track)
    files = sorted((SKELETONS / "explanations").glob(f"*{ENDING}"))
    _write(folder, files, {**words, "@task@": found.task}, None)
    try:
        write_blank(folder, found)
    except EarwitnessError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    print(
        f"wrote {folder}, with zeros for {len(found.items)} items of {found.task}; next: earwitness validate {folder}"
    )


def _two_items(track: str) -> HandedOut:
    """The first two items of a track's micro task, as they are handed out."""
    from tempfile import TemporaryDirectory

    from earwitness.harness import engines
    from earwitness.harness.outside.items import HandOut, hand_out
    from earwitness.harness.validation.submissions import micro_task

    with TemporaryDirectory(prefix="earwitness-new-") as temporary:
        return hand_out(HandOut(micro_task(track), Path(temporary) / "items", 2), engines.get("local"))


def _require_id(name: str, kind: str) -> None:
    """Raise EarwitnessError where a folder's name can be no id, and say one that it could be."""
    from earwitness.task import ID, LONGEST_ID

    id = Path(name).name
    if re.fullmatch(ID, id) and not keyword.iskeyword(id) and len(id) <= LONGEST_ID:
        return
    near = id.replace("-", "_").lower()
    good = re.fullmatch(ID, near) and not keyword.iskeyword(near) and len(near) <= LONGEST_ID
    raise EarwitnessError(
        f"{shortened(name)!r} ends in no id of a {kind if kind in KINDS else 'submission'}: at most {LONGEST_ID} of "
        f"a-z, 0-9 and _, no digit first, no keyword of Python; call it {near if good else 'my_explainer'}, say"
    )


def _skeleton(kind: str, track: str) -> list[Path]:
    """Files of a skeleton; raises EarwitnessError where a track has none."""
    folders = [SKELETONS / kind, SKELETONS / kind / track]
    if kind in PACKAGED:
        folders.append(SKELETONS / "package")
    if not folders[1].is_dir():
        raise EarwitnessError(f"there is no skeleton of a {kind} for the {track} track; copy one of its own package's")
    return sorted({path for folder in folders for path in folder.glob(f"*{ENDING}")})


def _filling(folder: Path, kind: str, track: str) -> tuple[dict[str, str], Path | None]:
    """What stands for the marks of a skeleton, and a model to copy beside its files; None where none is."""
    id = folder.name
    title = "".join(part.capitalize() for part in id.split("_")) or id
    words = {"@id@": id, "@Class@": title, "@track@": track, "@group@": f"{kind}s"}
    if kind not in ("task", "model"):
        return words, None
    from earwitness.harness.validation.submissions import micro_task

    micro = micro_task(track)
    words["@micro@"] = micro.id
    if kind == "model":
        return words, None
    model = Path(micro.source(micro.card.model.source)).resolve()
    source = _relative(model, folder)
    return {**words, "@model@": source or MODEL}, None if source else model


def _relative(model: Path, folder: Path) -> str:
    """A model's folder as a card in another folder names it; empty where the card has no room for it, or no way."""
    from pydantic import TypeAdapter, ValidationError

    from earwitness.task import Source

    source = Path(os.path.relpath(model, folder.resolve())).as_posix()
    try:
        TypeAdapter(Source).validate_python(source)
    except ValidationError:
        return ""
    return "" if {'"', "\\"} & {*source} else source


def _source(kind: str, track: str) -> str:
    """What `earwitness validate` must be told beside the folder."""
    if kind != "model":
        return ""
    from earwitness.harness.validation.submissions import micro_task

    return f" --source {micro_task(track).id}"


def _write(folder: Path, files: list[Path], words: dict[str, str], model: Path | None) -> None:
    """Write a skeleton's files, marks replaced, and a copy of a model; leaves nothing where one cannot be written."""

    def filled(text: str) -> str:
        for mark, word in words.items():
            text = text.replace(mark, word)
        return text

    try:
        folder.mkdir(parents=True)
        for path in files:
            name = filled(path.name.removesuffix(ENDING))
            (folder / name).write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
        if model is not None:
            shutil.copytree(model, folder / MODEL)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise unwritten(folder, error, "run it again, or go elsewhere") from error


def validate(
    target: Annotated[
        str, typer.Argument(metavar="PATH_OR_NAME", help="A folder, a registered name, or package.module:factory.")
    ],
    kind: Annotated[str, typer.Option(metavar="|".join(KINDS), help="What it is, where that is not plain.")] = "",
    source: Annotated[
        str, typer.Option(metavar="SOURCE", help="Hub id, folder or task whose weights or data are read.")
    ] = "",
    track: Annotated[str, typer.Option(metavar="TRACK", help="The track it is for, where that is not plain.")] = "",
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where the model runs.")] = "auto",
    trust_task: TrustTask = False,
    json: Json = False,
) -> None:
    """Check a submission, a task, an adapter of models, a dataset, a judge or a metric, and say what is missing."""
    from earwitness import registry, tracks
    from earwitness.box.devices import require
    from earwitness.harness import engines
    from earwitness.harness.validation import Options
    from earwitness.harness.validation import validate as validate_subject
    from earwitness.task import CARD

    require(device)
    if track:
        tracks.load(track)
    if os.path.isfile(os.path.join(target, CARD)):
        # A card that cannot be read is what the report says.
        with suppress(InvalidCardError):
            trusted([registry.task(target)], trust_task)
    report = validate_subject(target, engines.get("local"), Options(source, track, device), _progress, kind)
    if json:
        print_json({**vars(report), "valid": report.valid})
    else:
        for line in report.findings:
            print(f"  wrong: {one_line_of(line)}")
        for line in report.unchecked:
            print(f"  not checked, since it rests on that: {line}")
        for line in report.notes:
            print(f"  note: {one_line_of(line)}")
        for line in report.log.splitlines():
            print(f"  it printed: {one_line_of(line)}")
        print(f"{'valid' if report.valid else 'invalid'}: {report.kind} {report.name}")
    if not report.valid:
        raise typer.Exit(NO)


def _progress(line: str) -> None:
    print(one_line_of(line), file=sys.stderr, flush=True)
