from pathlib import Path

import pytest
from fakes import make_task

from earwitness import registry
from earwitness.cli.trust import trusted
from earwitness.errors import EarwitnessError
from earwitness.harness.foreign import code_of


@pytest.mark.parametrize("name", ["model/vae.ts", "model/pytorch_model.bin", "judge/weights.pt", "model/conv.py"])
def test_a_task_from_outside_that_brings_code_must_be_trusted(tmp_path: Path, name: str) -> None:
    task = make_task(tmp_path / "fake_task")
    assert code_of(task) == ""
    path = task.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(EarwitnessError, match=rf"brings code .*{path.name}; read it, and run with --trust-task"):
        trusted([task], trust_task=False)
    trusted([task], trust_task=True)


def test_a_task_from_outside_that_names_its_own_adapter_must_be_trusted(tmp_path: Path) -> None:
    task = make_task(tmp_path / "fake_task")
    card = task.folder / "task.toml"
    card.write_text(card.read_text().replace('adapter = "musicgen"', 'adapter = "os.path:join"'))
    assert code_of(registry.task(str(task.folder))) == "adapter 'os.path:join'"


def test_a_registered_task_needs_no_trust() -> None:
    assert not [name for name in registry.task_ids() if code_of(registry.task(name))]
