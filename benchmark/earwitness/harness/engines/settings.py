"""What an engine is told: `[tool.earwitness.engine]` of the working folder's pyproject.toml, and options above it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from earwitness.errors import EarwitnessError, nearest, short, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE, TABLE = "pyproject.toml", "tool.earwitness.engine"
LIST = "lines"
"""The option that is given once for each of its values."""
TAKES = {
    "local": ("workers",),
    "ray": ("workers", "address", "memory", "gpus"),
    "slurm": ("workers", "partition", "account", "time", "memory", "gpus", LIST),
}
"""Options of each engine."""
OUTSIDE = "workers"
"""The option that has a flag of its own."""


class EngineSettings(BaseModel):
    """What is asked of an engine; what is None is left to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int | None = Field(default=None, ge=1, le=10_000)
    """Jobs that are at work at the same time."""
    address: str | None = Field(default=None, min_length=1)
    """Of a Ray cluster that there is; None starts one on this machine, for as long as the command runs."""
    partition: str | None = Field(default=None, min_length=1)
    account: str | None = Field(default=None, min_length=1)
    time: int | None = Field(default=None, ge=1)
    """Minutes that a job of Slurm may take."""
    memory: int | None = Field(default=None, ge=1)
    """GiB that a worker may hold, for the scheduler to find room."""
    gpus: float = Field(default=0, ge=0)
    """Of a worker; Ray takes a share of one, so that several workers meet on it."""
    lines: tuple[str, ...] = ()
    """Of the script of a job of Slurm, before its command: `#SBATCH --constraint=a100`, `module load cuda`."""


def settings_of(engine: str, folder: Path, workers: int | None = None, options: Sequence[str] = ()) -> EngineSettings:
    """What an engine is told: by a folder's table, and above it by `--workers` and by options KEY=VALUE.

    Raises EarwitnessError where the table or an option cannot be read, or an option is none of the engine's.
    """
    table, path = _table(folder)
    read = _read(table, f"{path}: [{TABLE}]")
    typed: dict[str, Any] = {} if workers is None else {OUTSIDE: workers}
    lists: list[str] = []
    for option in options:
        key, sign, value = option.partition("=")
        known = [name for name in TAKES.get(engine, ()) if name != OUTSIDE]
        if not sign or key not in known:
            what = nearest(key, known, f"options of {engine}")
            raise EarwitnessError(f"--engine-option {shortened(option)!r}: engine {engine} takes no such thing; {what}")
        if key == LIST:
            lists.append(value)
        elif key in typed:
            raise EarwitnessError(f"--engine-option {key} is given twice")
        else:
            typed[key] = value
    typed |= {LIST: tuple(lists)} if lists else {}
    asked = _read(typed, "--engine-option")
    own = {name: getattr(read, name) for name in read.model_fields_set if name in TAKES.get(engine, ())}
    return EngineSettings(**{**own, **{name: getattr(asked, name) for name in asked.model_fields_set}})


def _read(values: dict[str, Any], where: str) -> EngineSettings:
    try:
        return TypeAdapter(EngineSettings).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            known = nearest(key, list(EngineSettings.model_fields), "keys")
            raise EarwitnessError(f"{where} has an unknown key {shortened(key)!r}; {known}") from error
        raise EarwitnessError(f"{where} {key}: {short(first['msg'])}") from error


def _table(folder: Path) -> tuple[dict[str, Any], Path]:
    """The table of a folder's file, empty where there is none."""
    path = folder / FILE
    if not path.is_file():
        return {}, path
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
        return dict(tool.get("earwitness", {}).get("engine", {})), path
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise EarwitnessError(f"{path}: [{TABLE}] cannot be read: {short(str(error))}") from error
