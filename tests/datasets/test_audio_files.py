import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.datasets import audio_files
from earwitness.datasets.audio_files import AudioFile, clipped_share, read_audio
from earwitness.errors import InvalidItemError

RATE = 16000


def speech(seconds: float = 0.5, level: float = 0.3) -> np.ndarray:
    """Noise under slow swells: nothing that a test asks for depends on what it says."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(size=len(time)) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    return (level * noise / np.abs(noise).max()).astype(np.float32)


def write(path: Path, audio: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    soundfile.write(path, audio, rate, subtype=subtype)
    return path


def refused(path: Path, **asked: float) -> str:
    with pytest.raises(InvalidItemError) as caught:
        read_audio(path, RATE, **asked)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert ";" in message, "the message does not say what to do"
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_recording_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    audio = speech()
    found = read_audio(write(tmp_path / name, audio), RATE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, audio, atol=2**-15)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_segment_is_the_samples_between_its_times(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, speech())
    whole = read_audio(path, RATE)
    assert np.array_equal(read_audio(path, RATE, start=0.1, seconds=0.25), whole[1600:5600])
    assert np.array_equal(AudioFile(path, 0.1)(RATE), whole[1600:])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.flac").startswith("no such file")


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_file_without_bytes_is_empty(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    assert refused(path).startswith("empty")


def test_a_file_without_samples_is_empty(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "a.wav", np.zeros(0))).startswith("empty: no samples")


@pytest.mark.parametrize("audio", [np.zeros(800), np.full(800, 0.25), speech(0.1, level=0.0009)])
def test_silence_is_refused_at_any_offset(tmp_path: Path, audio: np.ndarray) -> None:
    assert refused(write(tmp_path / "a.wav", audio)).startswith("silent")


def test_quiet_speech_is_read(tmp_path: Path) -> None:
    assert np.abs(read_audio(write(tmp_path / "a.wav", speech(level=0.01)), RATE)).max() > 0.009


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_speech_that_was_recorded_too_loud_is_clipped(tmp_path: Path, subtype: str) -> None:
    loud = speech(level=4.0) if subtype == "FLOAT" else np.clip(speech(level=4.0), -1, 1)
    assert re.match(r"clipped: \d+\.\d% of samples", refused(write(tmp_path / "a.wav", loud, subtype=subtype)))


def test_a_recording_scaled_to_its_peak_is_not_clipped(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    assert len(read_audio(write(tmp_path / "a.wav", tone), RATE)) == RATE


def test_a_share_of_clipped_samples_counts_runs_of_three_at_one_end() -> None:
    def share(samples: list[float]) -> float:
        return clipped_share(np.array(samples + [0.0] * (100 - len(samples)), dtype=np.float32))

    assert share([1.0, 1.0, 0.5, 1.0, 1.0]) == 0
    assert share([1.0, 1.0, -1.0, -1.0]) == 0
    assert share([1.0, 1.0, 32767 / 32768, 0.0, -1.0, -1.2, -1.0, -1.0]) == 0.07
    assert share([32766 / 32768] * 3) == 0


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    audio = speech()
    audio[7] = np.nan
    assert refused(write(tmp_path / "a.wav", audio, subtype="FLOAT")).startswith("samples that are not finite")


def test_stereo_is_refused_and_says_how_to_mix_it(tmp_path: Path) -> None:
    stereo = np.stack([speech(), speech()], axis=1)
    assert refused(write(tmp_path / "a.wav", stereo)) == "2 channels; mix to one: ffmpeg -i a.wav -ac 1 mono.wav"


def test_another_sample_rate_is_refused_and_says_how_to_convert(tmp_path: Path) -> None:
    said = refused(write(tmp_path / "a.wav", speech(), rate=8000))
    assert said.startswith("sampled at 8000 Hz, and the model hears 16000 Hz")
    assert "ffmpeg -i a.wav -ar 16000" in said


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("kept", [0.97, 0.5, 0.01])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, name: str, kept: float) -> None:
    path = write(tmp_path / name, speech())
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "truncated" in refused(path)


def test_a_wav_says_how_much_of_it_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    path.write_bytes(path.read_bytes()[: 44 + 6000])
    assert refused(path).startswith("truncated: 6000 of 16000 bytes")


def test_a_wav_whose_writer_could_not_go_back_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(read_audio(path, RATE)) == 8000


def test_a_flac_that_tells_no_length_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", speech())
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO keeps the number of samples in the 36 bits from here
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert refused(path).startswith("its header tells no length")


def test_a_file_that_is_no_audio_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_text("<html>404</html>" * 50)
    said = refused(path)
    assert said.startswith("damaged, truncated or no audio")
    assert "Error opening" not in said


def test_a_ten_minute_file_is_refused_and_its_samples_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    write(path, np.resize(speech(2.0), 600 * RATE))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("samples were read"))
    assert refused(path).startswith("600.0 s long, and at most 60 s are read")
    assert refused(path, start=5.0, seconds=31.0, longest=30.0).startswith("31.0 s long, and at most 30 s")


def test_a_segment_of_a_long_talk_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.resize(speech(2.0), 70 * RATE))
    assert len(read_audio(path, RATE, start=64.0, seconds=5.5)) == 88000


def test_a_segment_that_ends_after_its_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    assert refused(path, start=0.2, seconds=0.4).startswith("its segment of 0.2 to 0.6 s ends after its 0.5 s")
    assert refused(path, start=0.5, seconds=0.01).startswith("its segment of 0.5")
    assert len(read_audio(path, RATE, start=0.2, seconds=0.3 + audio_files.OVERHANG / 2)) == 4800


@pytest.mark.parametrize("asked", [{"start": -0.1, "seconds": 0.2}, {"seconds": 0.0}, {"seconds": float("nan")}])
def test_a_segment_of_impossible_times_is_refused(tmp_path: Path, asked: dict[str, float]) -> None:
    assert refused(write(tmp_path / "a.wav", speech()), **asked).startswith("no segment starts at")
