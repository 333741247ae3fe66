import os
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
    loud = np.clip(speech(level=4.0), -1, 1)
    assert re.match(r"clipped: \d+\.\d% of samples", refused(write(tmp_path / "a.wav", loud, subtype=subtype)))


@pytest.mark.parametrize(("peak", "told"), [(4.0, "4.0"), (1.5, "1.5"), (1.02, "1.020")])
@pytest.mark.parametrize("brief", [False, True])
def test_a_float_file_beyond_full_scale_is_not_cut(tmp_path: Path, peak: float, told: str, brief: bool) -> None:
    loud = speech(level=0.3 if brief else peak)
    loud[4000:4010] = peak
    assert refused(write(tmp_path / "a.wav", loud, subtype="FLOAT")) == (
        f"samples up to {told} of full scale; scale it to lie in [-1, 1]"
    )


@pytest.mark.parametrize(("bits", "subtype"), [(16, "FLOAT"), (24, "FLOAT"), (32, "DOUBLE")])
def test_integers_in_a_float_file_are_told(tmp_path: Path, bits: int, subtype: str) -> None:
    said = refused(write(tmp_path / "a.wav", speech() * 2.0 ** (bits - 1), subtype=subtype))
    assert f"it looks like {bits}-bit integers in a float file; divide them by {2 ** (bits - 1)}" in said


def test_the_ripple_of_a_resampler_is_cut(tmp_path: Path) -> None:
    loud = speech()
    loud[4000] = 1.005
    found = read_audio(write(tmp_path / "a.wav", loud, subtype="FLOAT"), RATE)
    assert found[4000] == 1.0
    assert np.array_equal(np.delete(found, 4000), np.delete(loud, 4000))


@pytest.mark.parametrize(("peak", "refusal"), [(1.2, ""), (1.3, "samples up to 1.3 of full scale")])
def test_a_lossy_decoder_may_overshoot_by_two_decibels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peak: float, refusal: str
) -> None:
    loud = speech()
    loud[4000] = peak
    path = write(tmp_path / "a.ogg", speech())
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: loud)
    if refusal:
        assert refused(path).startswith(refusal)
    else:
        assert read_audio(path, RATE).max() == 1.0


def test_a_recording_scaled_to_its_peak_is_not_clipped(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    assert len(read_audio(write(tmp_path / "a.wav", tone), RATE)) == RATE


def test_a_share_of_clipped_samples_counts_runs_of_three_at_one_end() -> None:
    def share(samples: list[float]) -> float:
        return clipped_share(np.array(samples + [0.0] * (100 - len(samples)), dtype=np.float32))

    assert share([1.0, 1.0, 0.5, 1.0, 1.0]) == 0
    assert share([1.0, 1.0, -1.0, -1.0]) == 0
    assert share([1.0, 1.0, 1.0, 0.0, -1.0, -1.0, -1.0, -1.0]) == 0.07
    assert share([32767 / 32768] * 3 + [1.005] * 4 + [1.2, 1.3, 1.1]) == 0.1
    assert share([1.0, 1.0, 32767 / 32768, 1.001, 1.002, 1.001]) == 0
    assert share([32766 / 32768] * 3) == 0


@pytest.mark.parametrize("peak", [1.0, 1.0001, 1.005, 1.0099])
@pytest.mark.parametrize("hertz", [50, 200, 440])
def test_a_float_tone_that_swings_a_little_beyond_full_scale_is_read(tmp_path: Path, peak: float, hertz: int) -> None:
    tone = (peak * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)).astype(np.float32)
    found = read_audio(write(tmp_path / "a.wav", tone, subtype="FLOAT"), RATE)
    assert np.array_equal(found, np.clip(tone, -1, 1))


@pytest.mark.parametrize("limit", [1.0, 1.005])
def test_a_float_tone_that_was_cut_at_its_limit_is_clipped(tmp_path: Path, limit: float) -> None:
    tone = np.clip(1.1 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE), -limit, limit)
    assert refused(write(tmp_path / "a.wav", tone, subtype="FLOAT")).startswith("clipped: ")


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


STREAMS = {
    "ffmpeg": (0xFFFF_FFFF, 0xFFFF_FFFF),
    "sox": (0x7FFF_F024, 0x7FFF_F000),
    "arecord": (0x8000_0024, 0x8000_0000),
    "gstreamer": (0x7FFF_FFFF, 0x7FFF_FFDB),
    "two thousand million": (2_000_000_036, 2_000_000_000),
    "none": (0, 0),
    "header alone": (36, 0),
    "file's own": (16_036, 0),
    "no length of the file": (0, 16_000),
}
"""Lengths of a RIFF of 8000 samples and of its data, as writers leave them who cannot go back."""


@pytest.mark.parametrize(("riff", "data"), STREAMS.values(), ids=STREAMS)
def test_a_wav_whose_writer_could_not_go_back_is_read(tmp_path: Path, riff: int, data: int) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    whole = read_audio(path, RATE)
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = riff.to_bytes(4, "little"), data.to_bytes(4, "little")
    path.write_bytes(content)
    assert np.array_equal(read_audio(path, RATE), whole)
    assert np.array_equal(read_audio(path, RATE, start=0.1, seconds=0.25), whole[1600:5600])


CHUNKS = {
    "a list": b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + (14).to_bytes(4, "little") + b"Lavf60.16.100\0",
    "two": b"LIST" + (4).to_bytes(4, "little") + b"INFOid3 " + (10).to_bytes(4, "little") + b"ID3" + bytes(7),
    "odd": b"id3 " + (3).to_bytes(4, "little") + b"ID3\0",
    "odd and not filled up": b"bext" + (5).to_bytes(4, "little") + b"hello",
    "long": b"id3 " + (300_000).to_bytes(4, "little") + bytes(range(250)) * 1200,
}


@pytest.mark.parametrize("lengths", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("behind", CHUNKS.values(), ids=CHUNKS)
def test_chunks_behind_a_streamed_sound_are_no_sound(tmp_path: Path, lengths: tuple[int, int], behind: bytes) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    whole = read_audio(path, RATE)
    content = bytearray(path.read_bytes()) + behind
    content[4:8], content[40:44] = (number.to_bytes(4, "little") for number in lengths)
    path.write_bytes(content)
    assert np.array_equal(read_audio(path, RATE), whole)


@pytest.mark.parametrize("promised", [0, 0xFFFF_FFFF, 2_000_000_000])
def test_a_streamed_wav_of_chunks_alone_is_empty(tmp_path: Path, promised: int) -> None:
    path = write(tmp_path / "a.wav", np.zeros(0))
    content = bytearray(path.read_bytes()) + CHUNKS["a list"]
    content[40:44] = promised.to_bytes(4, "little")
    path.write_bytes(content)
    assert refused(path).startswith("empty: no samples")


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("W64", "PCM_16"), ("NIST", "PCM_16"), ("PAF", "PCM_16"), ("SVX", "PCM_16"), ("IRCAM", "PCM_16"),
        ("VOC", "PCM_16"), ("MAT4", "PCM_16"), ("MAT5", "PCM_16"), ("AVR", "PCM_16"), ("PVF", "PCM_16"),
        ("MPC2K", "PCM_16"), ("SDS", "PCM_16"), ("XI", "DPCM_16"), ("WVE", "ALAW"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_kinds_whose_length_cannot_be_checked_are_refused(tmp_path: Path, kind: str, subtype: str, kept: float) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, speech(), RATE, format=kind, subtype=subtype)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    said = refused(path)
    assert "half a file looks like a whole one; convert it to WAV or FLAC: ffmpeg -i a.wav converted.wav" in said


@pytest.mark.parametrize("kind", ["CAF", "OGG", "MP3"])
@pytest.mark.parametrize("kept", [0.97, 0.75, 0.5, 0.25])
def test_half_a_file_of_the_other_kinds_is_never_read_as_a_whole(tmp_path: Path, kind: str, kept: float) -> None:
    path = tmp_path / "a.sound"
    soundfile.write(path, speech(4.0), RATE, format=kind)
    assert len(read_audio(path, RATE)) == 4 * RATE
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "truncated" in refused(path)


def test_an_ogg_that_ends_with_a_whole_page_that_is_not_its_last_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, speech(9.0), RATE)
    content = path.read_bytes()
    starts = [found.start() for found in re.finditer(b"OggS", content)]
    assert len(starts) > 4
    for start in starts[3:]:
        path.write_bytes(content[:start])
        assert refused(path).startswith("truncated: its last page is missing; fetch it again")


def test_what_is_there_in_place_of_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    assert refused(tmp_path / "a.wav").startswith("a folder, not a file; fetch it")
    os.mkfifo(tmp_path / "b.wav")
    assert refused(tmp_path / "b.wav").startswith("a pipe, a socket or a device, not a file; fetch it")
    (tmp_path / "c.wav").symlink_to(tmp_path / "gone")
    assert refused(tmp_path / "c.wav").startswith("a link to a file that is not there; fetch it")


def test_times_are_told_with_the_digits_that_make_the_difference(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    assert refused(path, start=0.5, seconds=1e-7).startswith("its segment of 0.5 to 0.5000001 s ends after its 0.5 s")
    assert refused(path, start=0.5).startswith("its segment from 0.5 s on starts after its 0.5 s")


@pytest.mark.parametrize("ending", [".FLAC", ".Flac", ".WAV", ".Wav", ".wav", ".Ogg"])
def test_an_audio_file_lies_there_with_any_name_of_its_kind(tmp_path: Path, ending: str) -> None:
    write(tmp_path / f"a.b{ending}", speech())
    for told in ("a.b.flac", "a.b.wav", "a.b", f"a.b{ending}"):
        assert len(AudioFile(tmp_path / told)(RATE)) == 8000
    with pytest.raises(InvalidItemError, match=r"a\.mp3: no such file"):
        AudioFile(tmp_path / "a.mp3")(RATE)


def test_a_wav_without_sound_stays_empty_whatever_stands_behind_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(0))
    path.write_bytes(path.read_bytes() + b"LIST" + (4).to_bytes(4, "little") + b"INFO")
    assert refused(path).startswith("empty: no samples")


def test_a_header_that_was_written_for_the_first_block_alone_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = (36 + 2048).to_bytes(4, "little"), (2048).to_bytes(4, "little")
    path.write_bytes(content)
    assert refused(path).startswith("its header tells of 2048 bytes of sound, and 13952 more stand behind; write")


@pytest.mark.parametrize(
    "behind", [b"LIST" + (20_000).to_bytes(4, "little") + bytes(20_000), b"TAG" + bytes(125), b"\0"]
)
def test_what_programs_put_behind_the_sound_is_no_fault(tmp_path: Path, behind: bytes) -> None:
    path = write(tmp_path / "a.wav", speech(0.5))
    path.write_bytes(path.read_bytes() + behind)
    assert len(read_audio(path, RATE)) == 8000


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "AIFF", "AU", "RIFX"])
def test_a_shorter_length_is_believed_in_every_kind_of_header(tmp_path: Path, kind: str) -> None:
    path, endian = tmp_path / "a.sound", "BIG" if kind == "RIFX" else None
    soundfile.write(path, speech(), RATE, format="WAV" if endian else kind, subtype="PCM_16", endian=endian)
    assert len(read_audio(path, RATE)) == 8000
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert re.match(r"truncated: \d+ of 1600[08] bytes of sound are there", refused(path))


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ULAW"])
def test_old_codings_are_read_and_cut_into_segments(tmp_path: Path, subtype: str) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 220 * np.arange(8000) / RATE)
    path = write(tmp_path / "a.wav", tone, subtype=subtype)
    whole = read_audio(path, RATE)
    assert np.corrcoef(whole[:8000], tone)[0, 1] > 0.8
    assert np.array_equal(read_audio(path, RATE, start=0.1, seconds=0.25), whole[1600:5600])


def test_a_flac_that_tells_no_length_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", speech())
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO keeps the number of samples in the 36 bits from here
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert refused(path).startswith("its header tells no length")


def test_a_file_that_is_no_audio_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_text("no sound at all" * 50)
    said = refused(path)
    assert said.startswith("damaged, truncated or no audio")
    assert "Error opening" not in said


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "a git-lfs pointer, not the sound; run",
        ),
        (b"/annex/objects/SHA256E-s1--00.flac\n", "a git-annex pointer, not the sound; run git annex get"),
        (b"<html>404</html>", "an HTML page, not audio; fetch it again"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html><html>", "an HTML page, not audio; fetch it again"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document, not audio"),
        (b'{"error": "not found"}', "a JSON document, not audio"),
        (b"PK\x03\x04" + bytes(40), "a zip archive; unpack it"),
        (b"\0\0\0\x20ftypM4A " + bytes(40), "MP4 or M4A, which is not read; convert it"),
        (b"\x1aE\xdf\xa3" + bytes(40), "WebM or Matroska, which is not read; convert it"),
    ],
)
def test_what_lies_in_place_of_a_sound_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert refused(path).startswith(told)


def test_a_name_that_no_file_can_have_is_missing(tmp_path: Path) -> None:
    assert refused(tmp_path / ("x" * 300 + ".flac")).startswith("no such file")


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


@pytest.mark.parametrize(
    "asked",
    [
        {"start": -0.1, "seconds": 0.2},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"start": float("nan")},
        {"start": float("nan"), "seconds": 0.1},
        {"start": float("inf")},
    ],
)
def test_a_segment_of_impossible_times_is_refused(tmp_path: Path, asked: dict[str, float]) -> None:
    assert refused(write(tmp_path / "a.wav", speech()), **asked).startswith("no segment starts at")


@pytest.mark.parametrize("asked", [{"start": 1e308}, {"start": 1e308, "seconds": 1.0}, {"seconds": 1e308}])
def test_a_segment_of_times_beyond_counting_lies_outside(tmp_path: Path, asked: dict[str, float]) -> None:
    assert "s after its 0.5 s; fetch it again" in refused(write(tmp_path / "a.wav", speech()), **asked)
