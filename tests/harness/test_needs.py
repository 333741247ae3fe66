"""What a task needs that is not here, told without loading or fetching anything."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from earwitness import registry
from earwitness.errors import EarwitnessError
from earwitness.harness import needs as module
from earwitness.harness.needs import needs, require_packages, takes
from earwitness.task import NeedsCard, Task

CONFIGS = Path(__file__).parents[1] / "published_configs"
WHISPER = "openai/whisper-small.en"

MUSICGEN = "facebook/musicgen-small"
AST = "MIT/ast-finetuned-audioset-10-10-0.4593"
PASST = "passt_s_swa_p16_128_ap476"


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


def cache(hub: Path, kind: str, repository: str, *files: str, revision: str = "main") -> None:
    folder, commit = hub / f"{kind}s--{repository.replace('/', '--')}", f"commit-of-{revision}"
    texts = {folder / "refs" / revision: commit, **{folder / "snapshots" / commit / file: "{}" for file in files}}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def with_card(task: Task, **changes: Any) -> Task:
    return Task(task.card.model_copy(update=changes), task.folder)


def test_micro_tasks_need_nothing() -> None:
    for name in registry.task_ids():
        if name.startswith("micro_"):
            assert needs(registry.task(name)) == []


def test_a_published_task_needs_its_weights_its_judge_and_its_data() -> None:
    assert needs(registry.task("musicgen_musiccaps")) == [
        f"weights {MUSICGEN} (not in the hub's cache)",
        f"weights {AST} (not in the hub's cache)",
        f"weights {PASST}",
        "data google/MusicCaps",
    ]
    assert needs(registry.task("wavtokenizer_notes")) == ["weights WavTokenizer", "data notes"]


def own_passt(task: Task) -> Task:
    """The task with a file as the source of PaSST's weights."""
    judges = tuple(
        judge.model_copy(update={"source": f"{PASST}.pt"}) if judge.name == "passt" else judge
        for judge in task.card.judges
    )
    return with_card(task, judges=judges)


def test_what_lies_in_the_cache_or_under_the_working_directory_is_here(empty_cache: Path) -> None:
    task = registry.task("musicgen_musiccaps")
    cache(empty_cache, "model", MUSICGEN, "config.json", "model.safetensors")
    assert needs(task) == [f"weights {AST} (not in the hub's cache)", f"weights {PASST}", "data google/MusicCaps"]
    Path(f"{PASST}.pt").touch()
    assert needs(own_passt(task)) == [f"weights {AST} (not in the hub's cache)", "data google/MusicCaps"]
    Path(f"{PASST}.pt").unlink()
    Path(PASST).mkdir()
    Path(PASST, "model.safetensors").touch()
    cache(empty_cache, "dataset", "google/MusicCaps", "musiccaps-public.csv")
    Path(AST).mkdir(parents=True)
    Path(AST, "pytorch_model.bin").touch()
    assert needs(task) == []


def test_a_configuration_is_no_weights(empty_cache: Path) -> None:
    task = registry.task("whisper_librispeech")
    cache(empty_cache, "model", WHISPER, "config.json", "generation_config.json")
    assert needs(task)[0] == f"weights {WHISPER} (not in the hub's cache)"
    shards = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    cache(empty_cache, "model", WHISPER, "model.safetensors.index.json", "model-00001-of-00002.safetensors")
    snapshot = next(empty_cache.glob("models--openai*/snapshots/*"))
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(shards))
    assert needs(task)[0] == f"weights {WHISPER} (not in the hub's cache)"
    (snapshot / "model-00002-of-00002.safetensors").touch()
    assert needs(task) == ["data LibriSpeech"]


def test_weights_whose_blob_is_gone_are_not_here(empty_cache: Path) -> None:
    cache(empty_cache, "model", WHISPER, "config.json")
    snapshot = next(empty_cache.glob("models--openai*/snapshots/*"))
    (snapshot / "model.safetensors").symlink_to("../../blobs/gone")
    assert needs(registry.task("whisper_librispeech"))[0] == f"weights {WHISPER} (not in the hub's cache)"


def test_another_revision_is_not_the_one_that_a_card_asks_for(empty_cache: Path) -> None:
    task = registry.task("musicgen_musiccaps")
    pinned = with_card(task, dataset=task.card.dataset.model_copy(update={"revision": "v2"}))
    cache(empty_cache, "dataset", "google/MusicCaps", "musiccaps-public.csv")
    assert needs(pinned)[-1] == "data google/MusicCaps"
    cache(empty_cache, "dataset", "google/MusicCaps", "musiccaps-public.csv", revision="v2")
    assert "data google/MusicCaps" not in needs(pinned)


def test_an_empty_folder_is_no_data() -> None:
    task = registry.task("whisper_librispeech")
    Path("LibriSpeech", "test-clean").mkdir(parents=True)
    Path("LibriSpeech", ".DS_Store").touch()
    assert "data LibriSpeech" in needs(task)
    Path("LibriSpeech", "test-clean", "1.flac").touch()
    assert "data LibriSpeech" not in needs(task)


def test_what_a_task_takes_is_what_its_card_says() -> None:
    task = registry.task("micro_prompt")
    assert takes(task) == "hours not measured"
    known = NeedsCard(parameters=250_000_000, hours=1.5, measured="one A100, 100 items of `random`")
    # 250 million numbers of 4 bytes are 1e9 bytes, which is 0.93 GiB.
    assert takes(with_card(task, needs=known)) == (
        "about 0.93 GiB of memory for 250,000,000 parameters in float32, before activations; 1.5 hours (one A100, 100 "
        "items of `random`)"
    )


@pytest.mark.parametrize(
    ("task", "file", "name", "kind"),
    [
        ("whisper_librispeech", "whisper.json", "config.json", "WhisperForConditionalGeneration"),
        ("whisper_tiny_librispeech", "whisper_tiny.json", "config.json", "WhisperForConditionalGeneration"),
        ("s2t_mustc", "speech2text.json", "config.json", "Speech2TextForConditionalGeneration"),
        ("musicgen_musiccaps", "musicgen.json", "config.json", "MusicgenForConditionalGeneration"),
        ("encodec_notes", "encodec.json", "config.json", "EncodecModel"),
        ("oobleck_notes", "oobleck.json", "vae/config.json", "AutoencoderOobleck"),
    ],
)
def test_the_parameters_of_a_published_card_are_those_of_its_configuration(
    task: str, file: str, name: str, kind: str
) -> None:
    import diffusers
    import torch
    import transformers

    found = json.loads((CONFIGS / file).read_text(encoding="utf-8"))[name]
    made = getattr(transformers if hasattr(transformers, kind) else diffusers, kind)
    with torch.device("meta"):
        model = made(made.config_class.from_dict(found)) if hasattr(made, "config_class") else made.from_config(found)
    assert registry.task(task).card.needs.parameters == sum(each.numel() for each in model.parameters())


def test_a_package_that_is_missing_is_named_for_the_tasks_that_import_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_complete", lambda: False)
    monkeypatch.setattr(module, "_is_installed", lambda name: name != "espeakng_loader")
    assert needs(registry.task("micro_speech")) == ["package espeakng_loader"]
    assert needs(registry.task("micro_prompt")) == []
    monkeypatch.setattr(module, "_is_installed", lambda name: name != "audiocraft")
    assert needs(registry.task("audiogen_audiocaps"))[0] == "package audiocraft"
    monkeypatch.setattr(module, "_is_installed", lambda name: name != "hear21passt")
    assert needs(registry.task("micro_prompt")) == ["package hear21passt"]


@pytest.mark.parametrize(
    ("task", "absent", "line"),
    [
        (
            "micro_prompt",
            {"hear21passt"},
            "hear21passt is not installed: pip install --no-deps hear21passt==0.0.26",
        ),
        ("micro_concept", {"librosa"}, "librosa is not installed: pip install 'earwitness[notes]'"),
        ("micro_speech", {"espeakng_loader"}, "espeakng_loader is not installed: pip install 'earwitness[worlds]'"),
        (
            "micro_trace",
            {"librosa", "tinysoundfont"},
            "librosa, tinysoundfont are not installed: pip install 'earwitness[notes]' && "
            "pip install --no-deps tinysoundfont==0.3.7",
        ),
        ("micro_prompt", {"numpy"}, "numpy is not installed: pip install numpy"),
    ],
)
def test_packages_that_are_missing_are_one_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, task: str, absent: set[str], line: str
) -> None:
    monkeypatch.setattr(module, "_is_complete", lambda: False)
    monkeypatch.setattr(module, "_is_installed", lambda name: name not in absent)
    with pytest.raises(EarwitnessError) as error:
        require_packages(registry.task(task))
    assert str(error.value) == line


def test_nothing_is_raised_where_all_packages_are_here() -> None:
    require_packages(registry.task("micro_prompt"))


def test_looking_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from earwitness import registry\n"
        "from earwitness.harness.needs import needs\n"
        "[needs(registry.task(name)) for name in registry.task_ids()]\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'diffusers') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
