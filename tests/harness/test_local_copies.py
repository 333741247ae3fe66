"""A copy of another size than the card's model, or half a download of it, is refused before anything is run."""

import json
import struct
from pathlib import Path

import pytest

from earwitness import registry
from earwitness.api.evaluation import load_task
from earwitness.errors import ModelError
from earwitness.harness.local_copies import require_fitting
from earwitness.task import NeedsCard, Task
from in_process import earwitness_here

TASK, HUB_ID, PARAMETERS = "whisper_tiny_librispeech", "openai/whisper-tiny.en", 37_760_256


def weights(path: Path, *shapes: tuple[int, ...]) -> Path:
    """A safetensors file of int8 tensors, whose bytes take no room on the disk."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for number, shape in enumerate(shapes):
        size = 1
        for length in shape:
            size *= length
        header[str(number)] = {"dtype": "I8", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    told = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(told)) + told)
        file.truncate(8 + len(told) + end)
    return path


def copied(folder: Path, name: str = TASK) -> Task:
    task = registry.task(name)
    return task.with_copies({task.card.model.source: str(folder)})


def test_a_copy_of_the_cards_size_is_taken_with_its_head_or_without(tmp_path: Path) -> None:
    weights(tmp_path / "model.safetensors", (PARAMETERS,))
    require_fitting(copied(tmp_path))
    # The head, stored once more.
    weights(tmp_path / "model.safetensors", (PARAMETERS,), (51_864, 384))
    require_fitting(copied(tmp_path))


@pytest.mark.parametrize("found", [72_593_920, 241_734_144, 9_000_000])
def test_a_copy_of_another_size_is_named_with_both_sizes(tmp_path: Path, found: int) -> None:
    weights(tmp_path / "model.safetensors", (found,))
    with pytest.raises(ModelError) as raised:
        require_fitting(copied(tmp_path))
    assert str(raised.value) == (
        f"{tmp_path} holds {found:,} parameters, and {HUB_ID}, the model of task {TASK}, has 37,760,256; name a copy "
        "of that with --source, or run the task with this one as a model of your own: --model"
    )


def test_parts_are_counted_together_and_one_that_is_missing_is_named(tmp_path: Path) -> None:
    listed = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(listed))
    weights(tmp_path / "one.safetensors", (PARAMETERS // 2,))
    with pytest.raises(ModelError, match=r"lacks two\.safetensors, a part of its weights; fetch it again"):
        require_fitting(copied(tmp_path))
    weights(tmp_path / "two.safetensors", (PARAMETERS // 2,))
    require_fitting(copied(tmp_path))
    weights(tmp_path / "two.safetensors", (2 * PARAMETERS,))
    with pytest.raises(ModelError, match="holds 94,400,640 parameters"):
        require_fitting(copied(tmp_path))


@pytest.mark.parametrize("kept", [-1, 200])
def test_half_a_download_is_told_by_its_bytes(tmp_path: Path, kept: int) -> None:
    path = weights(tmp_path / "model.safetensors", (PARAMETERS // 100, 100))
    whole = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(whole + kept if kept < 0 else kept)
    with pytest.raises(ModelError, match=rf"{path} has .* and its header tells of {whole:,}, as of half a download"):
        require_fitting(copied(tmp_path))


def test_half_a_download_of_ones_own_model_is_told_too(tmp_path: Path) -> None:
    path = weights(tmp_path / "model.safetensors", (9, 9))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="as of half a download; fetch it again"):
        require_fitting(registry.task(TASK).with_model(str(tmp_path)))
    with pytest.raises(ModelError, match="as of half a download; fetch it again"):
        load_task(TASK, tmp_path)


@pytest.mark.parametrize("content", [b"", b"123", b"<html>not found</html>", b"\x02\0\0\0\0\0\0\0[]"])
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(
        ModelError, match=r"model\.safetensors is no safetensors file, or the start of one alone; fetch"
    ):
        require_fitting(copied(tmp_path))


def test_what_the_card_does_not_tell_and_ones_own_model_are_left_to_the_adapter(tmp_path: Path) -> None:
    path = weights(tmp_path / "model.safetensors", (9,))
    task = copied(tmp_path)
    require_fitting(Task(task.card.model_copy(update={"needs": NeedsCard()}), task.folder, task.copies))
    require_fitting(registry.task(TASK).with_model(str(tmp_path)))
    require_fitting(registry.task(TASK))
    path.unlink()
    (tmp_path / "pytorch_model.bin").touch()
    require_fitting(task)


def test_the_command_and_the_library_refuse_it_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights(tmp_path / "copy" / "model.safetensors", (72_593_920,))
    words = ["run", "--task", TASK, "--submission", "random", "--source", f"{HUB_ID}={tmp_path / 'copy'}"]
    code, _, said = earwitness_here([*words, "--out", str(tmp_path / "runs")], monkeypatch, capsys)
    assert code == 2
    assert "holds 72,593,920 parameters" in said.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
    (tmp_path / "pyproject.toml").write_text(f'[tool.earwitness.sources]\n"{HUB_ID}" = "copy"\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="holds 72,593,920 parameters"):
        load_task(TASK)
