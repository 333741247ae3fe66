from pathlib import Path

import pytest

from earwitness.errors import EarwitnessError
from earwitness.harness.engines.settings import EngineSettings, settings_of

TABLE = """
[tool.earwitness.engine]
workers = 3
address = "10.0.0.1:6379"
partition = "gpu"
time = 30
gpus = 0.5
lines = ["#SBATCH --constraint=a100"]
"""


def test_nothing_is_asked_where_there_is_no_table(tmp_path: Path) -> None:
    assert settings_of("local", tmp_path) == EngineSettings()


def test_an_engine_takes_its_own_of_the_table_and_options_stand_above_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    assert settings_of("local", tmp_path) == EngineSettings(workers=3)
    assert settings_of("ray", tmp_path) == EngineSettings(workers=3, address="10.0.0.1:6379", gpus=0.5)
    given = settings_of("slurm", tmp_path, 8, ["partition=cpu", "memory=4", "lines=module load a", "lines=echo b=c"])
    lines = ("module load a", "echo b=c")
    assert given == EngineSettings(workers=8, partition="cpu", time=30, gpus=0.5, memory=4, lines=lines)


@pytest.mark.parametrize(
    ("engine", "options", "says"),
    [
        ("slurm", ["partitoin=gpu"], "engine slurm takes no such thing; did you mean 'partition'?"),
        ("ray", ["partition=gpu"], "engine ray takes no such thing; options of ray: address, gpus, memory"),
        ("local", ["gpus=1"], "engine local takes no such thing; options of local: none"),
        ("slurm", ["time"], "--engine-option 'time': engine slurm takes no such thing; did you mean 'time'?"),
        ("slurm", ["time=soon"], "--engine-option time: Input should be a valid integer"),
        ("slurm", ["memory=0"], "--engine-option memory: Input should be greater than or equal to 1"),
        ("slurm", ["time=1", "time=2"], "--engine-option time is given twice"),
    ],
)
def test_an_option_that_is_none_of_the_engines_is_one_line(
    tmp_path: Path, engine: str, options: list[str], says: str
) -> None:
    with pytest.raises(EarwitnessError) as caught:
        settings_of(engine, tmp_path, None, options)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[tool.earwitness.engine]\nadress = 'a'", "has an unknown key 'adress'; did you mean 'address'?"),
        ("[tool.earwitness.engine]\nworkers = 0", "workers: Input should be greater than or equal to 1"),
        ("[tool.earwitness]\nengine = 3", "[tool.earwitness.engine] cannot be read"),
        ("[tool", "[tool.earwitness.engine] cannot be read"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(tmp_path: Path, table: str, says: str) -> None:
    (tmp_path / "pyproject.toml").write_text(table)
    with pytest.raises(EarwitnessError) as caught:
        settings_of("ray", tmp_path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
