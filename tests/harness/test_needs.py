"""What a task needs that is not here, told without loading or fetching anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from earwitness import registry
from earwitness.harness import needs as module
from earwitness.harness.needs import needs

MUSICGEN = "facebook/musicgen-small"
AST = "MIT/ast-finetuned-audioset-10-10-0.4593"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


def cache(hub: Path, kind: str, repository: str, file: str) -> None:
    folder = hub / f"{kind}s--{repository.replace('/', '--')}"
    for path, text in ((folder / "refs" / "main", "abc"), (folder / "snapshots" / "abc" / file, "{}")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_micro_tasks_need_nothing() -> None:
    for name in registry.task_ids():
        if name.startswith("micro_"):
            assert needs(registry.task(name)) == []


def test_a_published_task_needs_its_weights_its_judge_and_its_data() -> None:
    assert needs(registry.task("musicgen_musiccaps")) == [
        f"weights {MUSICGEN} (not in the hub's cache)",
        f"weights {AST} (not in the hub's cache)",
        "data google/MusicCaps",
    ]
    assert needs(registry.task("wavtokenizer_notes")) == ["weights WavTokenizer", "data notes"]


def test_what_lies_in_the_cache_or_under_the_working_directory_is_here(empty_cache: Path) -> None:
    task = registry.task("musicgen_musiccaps")
    revision = task.card.model.revision
    cache(empty_cache, "model", MUSICGEN, "config.json")
    (empty_cache / f"models--{MUSICGEN.replace('/', '--')}" / "refs" / revision).write_text("abc")
    assert needs(task) == [f"weights {AST} (not in the hub's cache)", "data google/MusicCaps"]
    cache(empty_cache, "dataset", "google/MusicCaps", "musiccaps-public.csv")
    Path(AST).mkdir(parents=True)
    assert needs(task) == []


def test_a_package_that_is_missing_is_named_for_the_tasks_that_import_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_complete", lambda: False)
    monkeypatch.setattr(module, "_is_installed", lambda name: name != "espeakng_loader")
    assert needs(registry.task("micro_speech")) == ["package espeakng_loader"]
    assert needs(registry.task("micro_prompt")) == []


def test_looking_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from earwitness import registry\n"
        "from earwitness.harness.needs import needs\n"
        "[needs(registry.task(name)) for name in registry.task_ids()]\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'diffusers') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
