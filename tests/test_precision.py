"""A model's dtype: which task a run of it is, what its recipe says, which are refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from earwitness import registry
from earwitness.board.commands import run_command
from earwitness.box import devices
from earwitness.errors import EarwitnessError
from earwitness.harness import explain, recipe
from earwitness.harness.recipe import Arguments, Run
from earwitness.models import musicgen
from earwitness.own_model import with_model
from earwitness.precision import DTYPES, dtype_of, in_dtype
from earwitness.task import Task
from earwitness.tracks.prompt import Encoded


@pytest.fixture
def task() -> Task:
    return registry.task("micro_prompt")


def begun(task: Task, out: Path, **arguments: object) -> Run:
    typed = frozenset(arguments)
    return Run(task, registry.submission("random"), Arguments(device="cpu", **arguments), out, typed)


def test_another_dtype_is_another_task_of_the_same_items(task: Task) -> None:
    other = in_dtype(task, "bfloat16")
    assert (dtype_of(task), dtype_of(other)) == ("float32", "bfloat16")
    assert other.hash != task.hash
    assert other.seed_key == task.seed_key
    assert (other.truth, other.model_name) == (None, "micro_prompt's own in bfloat16")
    # What was asked is left as it was.
    assert task.card.model.parameters == {}
    assert task.truth is not None


def test_the_dtype_that_a_task_has_anyway_changes_nothing(task: Task) -> None:
    assert in_dtype(task, "float32") is task
    other = in_dtype(task, "bfloat16")
    assert in_dtype(other, "bfloat16") is other


@pytest.mark.parametrize("dtype", ["float16", "", "BFLOAT16", "x" * 5000])
def test_an_unknown_dtype_is_named_with_those_that_there_are(task: Task, dtype: str) -> None:
    with pytest.raises(EarwitnessError, match=r"no dtype is called .*; dtypes: float32, bfloat16$") as raised:
        in_dtype(task, dtype)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("micro_band", "adapter audioldm2 computes in float32 alone: schedule, spectrograms and vocoder"),
        ("micro_concept", "adapter encodec computes in float32 alone: what is explained are its latents themselves"),
    ],
)
def test_what_cannot_be_cast_says_why(name: str, why: str) -> None:
    with pytest.raises(EarwitnessError, match=why) as raised:
        in_dtype(registry.task(name), "bfloat16")
    assert str(raised.value).startswith(f"task {name}: its ")
    assert str(raised.value).endswith("leave --dtype out")


def test_an_adapter_of_somebody_elses_without_a_dtype_says_so(task: Task) -> None:
    model = task.card.model.model_copy(update={"adapter": "fractions:Fraction.from_float"})
    other = Task(task.card.model_copy(update={"model": model}), task.folder)
    with pytest.raises(EarwitnessError, match="computes in float32 alone, and takes no dtype; leave --dtype out"):
        in_dtype(other, "bfloat16")


def test_a_model_in_memory_is_cast_by_whoever_made_it(task: Task) -> None:
    with pytest.raises(EarwitnessError, match="the model of micro_prompt is in memory: cast it, and leave dtype out"):
        in_dtype(task.with_loaded_model(object(), "Mine", "x"), "bfloat16")


def test_a_run_of_another_dtype_is_another_run_and_a_batch_size_makes_none(task: Task, tmp_path: Path) -> None:
    plain = begun(task, tmp_path)
    cast = begun(in_dtype(task, "bfloat16"), tmp_path, dtype="bfloat16")
    assert cast.identity != plain.identity
    assert cast.task_hash != plain.task_hash
    assert begun(task, tmp_path, batch_size=3).identity == plain.identity
    assert begun(task, tmp_path, dtype="float32").identity == plain.identity


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_recipe_says_the_dtype_and_its_run_comes_back_with_it(task: Task, tmp_path: Path, dtype: str) -> None:
    run = begun(in_dtype(task, dtype), tmp_path, dtype=dtype, batch_size=3, items=2)
    recipe.write(run.folder, recipe.describe(run, ["run"]))
    stored = recipe.read(run.folder)
    assert (stored["dtype"], stored["arguments"]["typed"]["batch_size"]) == (dtype, 3)
    again = recipe.reopen(run.folder)
    assert (again.name, again.arguments, again.task_hash) == (run.name, run.arguments, run.task_hash)
    assert dtype_of(again.task) == dtype
    command = f"earwitness run --task micro_prompt --submission random --items 2 --dtype {dtype} --batch-size 3"
    assert run_command(stored) == command


def test_ones_own_model_in_another_dtype_comes_back_too(task: Task, tmp_path: Path) -> None:
    own = Path(shutil.copytree(task.folder / "model", tmp_path / "mine"))
    (own / "note.txt").write_text("other files", encoding="utf-8")
    cast = in_dtype(with_model(task, str(own)), "bfloat16")
    run = begun(cast, tmp_path / "runs", dtype="bfloat16")
    stored = recipe.describe(run, ["run"])
    assert stored["task"]["model"] == "mine in bfloat16"
    assert stored["task"]["before_cast"]["model"] == "mine"
    recipe.write(run.folder, stored)
    assert recipe.reopen(run.folder).task_hash == run.task_hash
    assert "--model mine --dtype bfloat16" in run_command(stored)


def test_a_card_that_says_a_dtype_keeps_it_where_none_is_asked_for(task: Task, tmp_path: Path) -> None:
    model = task.card.model.model_copy(update={"parameters": {"dtype": "bfloat16"}})
    card = Task(task.card.model_copy(update={"model": model}), task.folder)
    run = begun(card, tmp_path)
    assert recipe.describe(run, [])["dtype"] == "bfloat16"
    assert dtype_of(in_dtype(card, "float32")) == "float32"


def test_the_box_is_told_dtype_and_batch_size(task: Task, tmp_path: Path) -> None:
    brief = explain.brief_of(begun(in_dtype(task, "bfloat16"), tmp_path, dtype="bfloat16", batch_size=2))
    assert (brief.parameters["dtype"], brief.batch_size) == ("bfloat16", 2)


def test_a_card_without_bfloat16_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def without(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr("earwitness.box.devices.subprocess.run", without)
    with pytest.raises(EarwitnessError, match=r"^this CUDA device has no bfloat16; leave --dtype out, or use --device"):
        devices.require("cuda", "bfloat16")
    devices.require("cuda", "float32")
    devices.require("cpu", "bfloat16")
    assert len(asked) == 2


def test_workers_ask_their_own_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    for device in ("auto", "cuda"):
        assert devices.resolve(device, "float32") == "cuda"
        with pytest.raises(EarwitnessError, match="this CUDA device has no bfloat16"):
            devices.resolve(device, "bfloat16")
    assert devices.resolve("cpu", "bfloat16") == "cpu"


def test_musicgen_computes_in_bfloat16_and_answers_in_float32(task: Task) -> None:
    folder = str(task.folder / "model")
    plain, cast = musicgen.from_pretrained(folder), musicgen.from_pretrained(folder, dtype="bfloat16")
    kinds = {name: {p.dtype for p in part.parameters()} for name, part in cast.module.named_children()}
    assert kinds.pop("audio_encoder") <= {torch.float32}
    assert set().union(*kinds.values()) == {torch.bfloat16}
    prompts = ["a dog barks loudly", "a bell"]
    text = cast.encode(prompts)
    codes = torch.zeros(2, cast.codebooks, 6, dtype=torch.long)
    given = Encoded(text.states.clone().requires_grad_(), text.mask)
    whole = cast.teacher_forced(codes, given, torch.full((2, text.mask.shape[1]), 0.5), attentions=True)
    made = (text.states, whole.hidden, whole.logits, *whole.attentions, cast.null_logits(codes))
    assert {each.dtype for each in made} == {torch.float32}
    gradients = torch.autograd.grad(whole.logits.sum(), (given.states, *whole.attentions))
    assert all(each.isfinite().all() for each in gradients)
    with torch.no_grad():
        # bfloat16 has eight bits: what it rounds off is some hundredths of the logits' spread, and it rounds something.
        exact, rounded = plain.logits(codes, plain.encode(prompts)), cast.logits(codes, text)
    off = float((exact - rounded).abs().max() / exact.std())
    assert 0 < off < 0.2
    assert isinstance(whole.logits.detach().numpy(), np.ndarray)
