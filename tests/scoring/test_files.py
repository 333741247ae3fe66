from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.errors import EarwitnessError
from earwitness.results.writing import moved_into_place
from earwitness.scoring.files import read_arrays, write_arrays, write_sound


def test_arrays_and_fields_come_back(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a" / "b.safetensors", {"x/y": np.arange(3)}, {"items": [{"id": "é"}]})
    found = read_arrays(tmp_path / "a" / "b.safetensors")
    assert found is not None
    assert found[0]["x/y"].tolist() == [0, 1, 2]
    assert found[1] == {"items": [{"id": "é"}]}


def test_an_array_comes_back_however_it_lies_in_memory(tmp_path: Path) -> None:
    turned = np.arange(6.0).reshape(2, 3).T
    write_arrays(tmp_path / "a.safetensors", {"x": turned, "number": np.array(3.0)}, {})
    found = read_arrays(tmp_path / "a.safetensors")
    assert found is not None
    assert found[0]["x"].tolist() == turned.tolist()
    assert found[0]["number"].shape == ()


def test_a_file_that_is_cut_short_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"x": np.arange(1000)}, {})
    path.write_bytes(path.read_bytes()[:100])
    assert read_arrays(path) is None
    assert read_arrays(tmp_path / "none") is None


def test_what_is_louder_than_a_file_holds_is_softer_and_not_cut(tmp_path: Path) -> None:
    wave = np.linspace(-2.0, 2.0, 1601, dtype=np.float32)
    for factor in (1.0, 0.25):
        write_sound(tmp_path / "a.flac", factor * wave, 16000)
        found = soundfile.read(tmp_path / "a.flac")[0]
        np.testing.assert_allclose(found, min(factor, 0.5) * wave, atol=1e-4)


def test_a_sound_is_ogg_vorbis(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    write_sound(path, np.full(1600, 9.0, dtype=np.float32), 16000)
    assert soundfile.info(path).subtype == "VORBIS"
    wave, rate = soundfile.read(path)
    assert (rate, len(wave)) == (16000, 1600)
    assert np.abs(wave).max() < 1.5


def test_a_full_disk_ends_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with moved_into_place(tmp_path / "rows") as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(EarwitnessError, match=r"cannot write .*No space left.*run the same command") as caught:
        write()
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_no_folder_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EarwitnessError, match="cannot write"):
        write_arrays(tmp_path / "file" / "a", {}, {})
