import shutil
from pathlib import Path

import pytest

from earwitness.errors import EarwitnessError
from earwitness.results import seals


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "rows" / "00000.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"rows")
    seals.seal(path, "run")
    return path


def test_a_seal_holds_for_the_bytes_the_place_and_the_run_that_it_was_made_for(part: Path) -> None:
    assert seals.is_sealed(part, "run")
    assert not seals.is_sealed(part, "other")
    part.write_bytes(b"rowz")
    assert not seals.is_sealed(part, "run")


def test_a_seal_cannot_be_moved_to_another_part(part: Path) -> None:
    other = part.with_name("00016.parquet")
    shutil.copy(part, other)
    folder = part.parent.parent / seals.SEALS
    shutil.copy(folder / "rows.00000.parquet", folder / "rows.00016.parquet")
    assert seals.is_sealed(part, "run")
    assert not seals.is_sealed(other, "run")


def test_what_another_user_wrote_bears_no_seal(part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(seals.STATE, str(tmp_path / "another"))
    assert not seals.is_sealed(part, "run")


def test_what_bears_no_seal_goes(part: Path) -> None:
    forged = part.with_name("00016.parquet")
    forged.write_bytes(b"forged")
    assert seals.drop_unsealed(part.parent, "run", "*.parquet") == ["00016.parquet"]
    assert part.exists()
    assert not forged.exists()


def test_the_key_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(seals.STATE, str(tmp_path / "state"))
    first = seals.key()
    path = tmp_path / "state" / seals.KEY
    assert len(first) == seals.BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert seals.key() == path.read_bytes() == first


def test_a_key_that_cannot_be_kept_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(seals.STATE, str(tmp_path / "file"))
    with pytest.raises(EarwitnessError, match=f"cannot write .*set {seals.STATE} to a folder"):
        seals.key()
