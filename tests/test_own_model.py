"""Tasks with one's own model, and with local copies of hub ids: what meets what, and what is said of the rest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from earwitness import board, evaluate, load_task, registry
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.harness import recipe
from earwitness.harness.recipe import Arguments, Run
from earwitness.own_model import TWIN, Twin, World, with_model, world_of, write_twin
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.measured import measured
from earwitness.task import Task
from in_process import earwitness_here

COPY = "openai/whisper-small.en"


@pytest.fixture(scope="module")
def speech() -> Task:
    return registry.task("micro_speech")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The translating model, which the recognition task's adapter reads."""
    source = registry.task("micro_translation").folder / "model"
    return Path(shutil.copytree(source, tmp_path_factory.mktemp("models") / "translator"))


def test_another_model_is_a_variant_with_no_truth_of_its_own(speech: Task, other: Path) -> None:
    mine = speech.with_model(str(other))
    assert mine.hash != speech.hash
    assert mine.seed_key == speech.seed_key
    assert mine.model_name == "translator"
    assert read_certificate(speech)
    assert read_certificate(mine) == {}
    assert set(measured(mine)) == set(measured(speech))


def test_the_same_files_elsewhere_are_the_task_itself(speech: Task, tmp_path: Path) -> None:
    copy = shutil.copytree(speech.folder / "model", tmp_path / "copy")
    assert speech.with_model(str(copy)) is speech
    (copy / "generation_config.json").write_text("{}")
    assert speech.with_model(str(copy)).hash != speech.hash


def test_where_a_folder_lies_is_no_part_of_a_variant(speech: Task, other: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(other, tmp_path / "translator")
    assert speech.with_model(str(copy)).hash == speech.with_model(str(other)).hash


def test_copies_of_a_hub_id_meet_by_their_files(tmp_path: Path) -> None:
    task = registry.task("whisper_librispeech")
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"3" if name == "three" else b"1")
    one, two, three = (task.with_copies({COPY: str(tmp_path / name)}) for name in ("one", "two", "three"))
    assert one.hash == two.hash != three.hash
    assert one.source(COPY) == str(tmp_path / "one")
    assert one.model_name == COPY
    assert task.with_copies({"some/other": str(tmp_path / "one")}).hash == task.hash


@pytest.mark.parametrize("model", ["./nothing", "/nothing/at/all", "a/b/c"])
def test_a_folder_that_is_none_is_said(speech: Task, model: str) -> None:
    with pytest.raises(EarwitnessError, match="no such folder, and no id of the hub"):
        speech.with_model(model)


def test_sources_are_read_from_the_nearest_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.earwitness.sources]\n"a/b" = "weights"\n')
    (tmp_path / "deep").mkdir()
    assert registry.copies(tmp_path / "deep") == {"a/b": str(tmp_path / "weights")}
    (tmp_path / "pyproject.toml").write_text('[tool.earwitness.sources]\n"a/b" = 3\n')
    with pytest.raises(EarwitnessError, match=r"\[tool.earwitness.sources\] cannot be read") as caught:
        registry.copies(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_variants_run_is_read_again_and_named_on_the_board(
    other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, model = tmp_path / "runs", Path(shutil.copytree(other, tmp_path / "translator"))
    words = ["run", "--task", "micro_speech", "--submission", "random", "--items", "1", "--out", str(runs)]
    for more in ([], ["--model", str(model)]):
        ended = earwitness_here([*words, *more], monkeypatch, capsys)
        assert ended.code == 0, ended.err
    stored = {folder: json.loads((folder / "run.json").read_text()) for folder in runs.glob("micro_*")}
    (mine,) = (folder for folder, known in stored.items() if known["task"]["own_model"])
    assert recipe.reopen(mine).task.model_name == "translator"
    connection = board.connect(board.build(runs, tmp_path / "board"))
    names = {task["model"]: task["note"] for task in board.records(connection, "SELECT model, note FROM tasks")}
    assert set(names) == {"micro_speech's own", "translator"}
    assert "another model, translator: these rows meet no others" in names["translator"]
    shutil.rmtree(model)
    with pytest.raises(NotComparableError, match="its model cannot be read again"):
        recipe.reopen(mine)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--source", "nonsense"], "--source 'nonsense' is no HUB_ID=FOLDER"),
        (["--source", "a/b=."], "--source a/b: no card that is run names it"),
        (["--source", "a/b=./nothing"], "copy of a/b: ./nothing is no folder"),
        (["--model", "./nothing"], "no such folder, and no id of the hub"),
    ],
)
def test_bad_options_are_one_line(
    more: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "--task", "micro_speech", "--submission", "random", "--items", "1", "--out", str(tmp_path / "runs")]
    ended = earwitness_here([*words, *more], monkeypatch, capsys)
    assert ended.code == 2
    assert says in ended.err
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def twin(other: Path, tmp_path: Path) -> Path:
    """A twin of the recognition task, in the task's world."""
    folder = Path(shutil.copytree(other, tmp_path / "twins" / "model"))
    write_twin(folder, Twin(task="micro_speech", seed=3, masked=False, world=world_of(registry.task("micro_speech"))))
    return folder


def test_a_twin_is_a_variant_that_runs_remember(twin: Path, speech: Task, tmp_path: Path) -> None:
    mine = with_model(speech, str(twin))
    assert mine.hash not in (speech.hash, speech.with_model(str(Path(speech.folder / "model"))).hash)
    run = Run(mine, registry.submission("random"), Arguments(), tmp_path)
    assert recipe.describe(run, [])["task"]["twin"] == {
        "task": "micro_speech",
        "seed": 3,
        "masked": False,
        "world": {"name": "spoken", "version": world_of(speech).version},
    }
    assert recipe.describe(Run(speech, run.submission, Arguments(), tmp_path), [])["task"]["twin"] is None


def test_a_twin_of_another_task_is_refused(twin: Path) -> None:
    with pytest.raises(EarwitnessError, match="is a twin of micro_speech, not of micro_translation") as caught:
        with_model(registry.task("micro_translation"), str(twin))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "version"), [("spoken", 99), ("scenes", None)])
def test_a_twin_of_another_world_is_refused(twin: Path, speech: Task, name: str, version: int | None) -> None:
    now = world_of(speech)
    world = World(name=name, version=now.version if version is None else version)
    write_twin(twin, Twin(task="micro_speech", seed=3, masked=False, world=world))
    with pytest.raises(EarwitnessError) as caught:
        with_model(speech, str(twin))
    said = str(caught.value)
    assert f"is a twin in the world {world}, and items of micro_speech are of {now}" in said
    assert "`earwitness train micro_speech --twin 3 --unmasked`" in said
    assert "\n" not in said


@pytest.mark.parametrize("text", ["", "[]", '{"task": "micro_speech"}', '{"seed": "three"}'])
def test_a_broken_note_of_a_twin_is_one_line(twin: Path, speech: Task, text: str) -> None:
    (twin / TWIN).write_text(text)
    with pytest.raises(EarwitnessError, match=r"twin\.json is no note of a twin: .*; train the twin again") as caught:
        with_model(speech, str(twin))
    assert "\n" not in str(caught.value)


def test_every_way_to_run_ones_own_model_asks_whether_it_is_a_twin_of_something_else(
    twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--task", "micro_translation", "--submission", "random", "--items", "1", "--model", str(twin)]
    ended = earwitness_here([*words, "--out", str(tmp_path / "runs")], monkeypatch, capsys)
    assert ended.code == 2
    assert "is a twin of micro_speech" in ended.err
    for asked in (load_task, lambda task, model: evaluate("random", task, model=model)):
        with pytest.raises(EarwitnessError, match="is a twin of micro_speech"):
            asked("micro_translation", str(twin))
    package = Path(registry.PACKAGE)
    calling = {
        path.relative_to(package).as_posix() for path in package.rglob("*.py") if ".with_model(" in path.read_text()
    }
    assert calling == {"own_model.py"}
