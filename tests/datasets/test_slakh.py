import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.datasets import BandRecord, slakh
from earwitness.errors import EarwitnessError, InvalidItemError
from slakh_tracks import RATE, Part, make_track

BAND = [
    Part("Bass", 33, 100.0, (0.0, 6.0), level=0.1),
    Part("Guitar", 27, 800.0, (3.0, 6.0), level=0.3),
    Part("Guitar", 30, 1200.0, (4.0, 6.0), level=0.1),
    Part("Drums", 128, 2000.0, (0.0, 0.5), level=0.4),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two tracks: `BAND`, in which drums end at 0.5 s and guitars enter at 3 s; an organ and a choir from 1 s."""
    make_track(tmp_path / "test" / "Track01876", BAND)
    others = [Part("Organ", 19, 300.0, (1.0, 6.0)), Part("Strings (continued)", 52, 500.0, (1.0, 6.0), level=0.05)]
    make_track(tmp_path / "test" / "Track01877", others)
    return tmp_path


def load(corpus: Path, **changes: object) -> list[BandRecord]:
    return slakh.load(str(corpus), **{"items": 9, "seconds": 2.0, **changes})  # type: ignore[arg-type]


def first(corpus: Path, **changes: object) -> BandRecord:
    return load(corpus, **changes)[0]


def refused(record: BandRecord, words: tuple[str, ...] = ()) -> str:
    with pytest.raises(InvalidItemError) as caught:
        record.stems(RATE, words) if words else record.audio(RATE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_track_is_a_record_that_names_its_loudest_instruments(corpus: Path) -> None:
    one, other = load(corpus)
    assert (one.id, one.cluster, one.seconds) == ("Track01876", "Track01876", 2.0)
    assert one.known == ("bass", "drums", "guitar")
    assert one.prompt == "a recording of drums and bass"
    assert (other.known, other.prompt) == (("choir", "organ"), "a recording of organ and choir")


def test_a_template_and_the_number_of_names_are_parameters(corpus: Path) -> None:
    assert first(corpus, template="hear {instruments} play", most=1).prompt == "hear drums play"


def test_the_window_is_the_earliest_with_most_instruments(corpus: Path) -> None:
    assert first(corpus, seconds=2.0).prompt == "a recording of drums and bass", "no 2 s hold drums and guitar"
    later = first(corpus, seconds=2.8)
    assert later.prompt == "a recording of bass, drums and guitar"
    drums, guitar = (np.flatnonzero(np.abs(stem) > 0.01) / RATE for stem in later.stems(RATE, ("drums", "guitar")))
    assert drums.max() == pytest.approx(0.15, abs=0.01), "the window starts at 0.35 s, an eighth of 2.8 s"
    assert guitar.min() == pytest.approx(2.65, abs=0.01)


def test_stems_of_one_word_are_added_up_and_resampled_with_the_mix(corpus: Path) -> None:
    make_track(corpus / "train" / "Track00001", [Part(p.inst_class, p.program, p.hertz, (0, 6), 0.1) for p in BAND])
    record = first(corpus, split="train")
    stems = record.stems(4000, ("bass", "guitar"))
    assert stems.shape == (2, 8000)
    assert stems.dtype == np.float32
    peaks = [set(np.argsort(np.abs(np.fft.rfft(stem)))[-count:] / 2) for stem, count in zip(stems, (1, 2), strict=True)]
    assert peaks == [{100.0}, {800.0, 1200.0}]
    every = record.stems(RATE, record.known)
    assert every.sum(0) == pytest.approx(record.audio(RATE), abs=1e-3)


@pytest.mark.parametrize(
    ("inst_class", "program", "word"),
    [
        ("Strings", 40, "strings"), ("Strings", 47, "timpani"), ("Strings (continued)", 48, "strings"),
        ("Strings (continued)", 55, ""), ("Reed", 65, "saxophone"), ("Reed", 71, "clarinet"), ("Reed", 69, ""),
        ("Chromatic Percussion", 9, ""), ("Synth Pad", 88, "synthesizer"), ("Pipe", 73, "flute"), ("Bass", 33, "bass"),
    ],
)  # fmt: skip
def test_a_class_has_one_lower_case_word_or_none(inst_class: str, program: int, word: str) -> None:
    assert slakh._word({"inst_class": inst_class, "program_num": str(program), "is_drum": "false"}) == word


def test_drums_are_drums_whatever_their_program(corpus: Path) -> None:
    assert slakh._word({"inst_class": "Piano", "program_num": "0", "is_drum": "true"}) == "drums"


def test_a_stem_without_a_word_is_not_known_and_stays_in_the_mix(tmp_path: Path) -> None:
    bells, bass = Part("Chromatic Percussion", 14, 900.0, (0, 6)), Part("Bass", 33, 100.0, (0, 6))
    make_track(tmp_path / "test" / "Track1", [bells, bass])
    record = first(tmp_path)
    assert (record.known, record.prompt) == (("bass",), "a recording of bass")
    assert np.abs(record.audio(RATE)).max() > 1.5 * np.abs(record.stems(RATE, ("bass",))).max()


def test_a_stem_that_was_not_rendered_is_no_fault(tmp_path: Path) -> None:
    make_track(tmp_path / "test" / "Track1", [BAND[0], Part("Piano", 0, 300.0, (0, 6), rendered=False)])
    record = first(tmp_path)
    assert record.known == ("bass",)
    assert record.audio(RATE).shape == (2 * RATE,)


def test_a_stem_that_is_there_counts_whatever_its_flag_says(tmp_path: Path) -> None:
    folder = make_track(tmp_path / "test" / "Track1", BAND[:2])
    text = (folder / "metadata.yaml").read_text()
    (folder / "metadata.yaml").write_text(text.replace("audio_rendered: true", "audio_rendered: false"))
    assert first(tmp_path).known == ("bass", "guitar")


def test_prompts_of_the_folder_stand_and_choose_the_window(corpus: Path) -> None:
    (corpus / "prompts.csv").write_text("track,prompt\nTrack01876,Bass and a guitar.\nTrack01877,a kazoo\n")
    one, other = load(corpus)
    assert one.prompt == "Bass and a guitar."
    assert np.abs(one.stems(RATE, ("guitar",))).max() > 0.2, "both sound from 3 s on"
    assert (other.prompt, other.known) == ("a kazoo", ("choir", "organ")), "that it names nothing known is for scoring"


def test_a_stem_that_is_silent_in_the_window_is_said_to_be_so(corpus: Path) -> None:
    says = refused(first(corpus), ("guitar",))
    assert says.startswith(str(corpus / "test" / "Track01876" / "stems" / "S01.flac"))
    assert "S02.flac: silent from 0.00 to 2.00 s; name an instrument that sounds there in prompts.csv" in says


def spoil(name: str, text: bytes) -> Callable[[Path], None]:
    return lambda track: (track / name).write_bytes(text) and None


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing stem": (lambda track: (track / "stems/S01.flac").unlink(), "stems/S01.flac", "no such file"),
    "missing mix": (lambda track: (track / "mix.flac").unlink(), "mix.flac", "no such file"),
    "short stem": (
        lambda track: soundfile.write(track / "stems/S01.flac", np.ones(99) / 9, RATE),
        "stems/S01.flac",
        "99 samples long and the mix 48000; unpack the track again",
    ),
    "other rate": (
        lambda track: soundfile.write(track / "stems/S01.flac", np.ones(48000) / 9, 16000),
        "stems/S01.flac",
        "sampled at 16000 Hz and the mix at 8000 Hz; unpack the track again",
    ),
    "stereo": (
        lambda track: soundfile.write(track / "stems/S01.flac", np.ones((48000, 2)) / 9, RATE),
        "stems/S01.flac",
        "2 channels",
    ),
    "damaged": (
        lambda track: (track / "stems/S00.flac").write_bytes((track / "stems/S00.flac").read_bytes()[:900]),
        "stems/S00.flac",
        "damaged",
    ),
    "cut mix": (
        lambda track: waves(track) or (track / "mix.wav").write_bytes((track / "mix.wav").read_bytes()[:50_000]),
        "mix.wav",
        "truncated: 49956 of 96000 bytes of sound are there; fetch it again",
    ),
    "no metadata": (lambda track: (track / "metadata.yaml").unlink(), "metadata.yaml", "no such file; unpack"),
    "no YAML": (spoil("metadata.yaml", b"stems: [\n"), "metadata.yaml", "not YAML"),
    "no stems": (
        spoil("metadata.yaml", b"UUID: 1\n"),
        "metadata.yaml",
        "a mapping of stems was expected; found nothing",
    ),
    "a list": (spoil("metadata.yaml", b"stems: [S00]\n"), "metadata.yaml", "stems was expected; found a list"),
    "a text": (spoil("metadata.yaml", b"stems\n"), "metadata.yaml", "stems was expected; found 'stems'; unpack"),
    "no entry": (
        spoil("metadata.yaml", b"stems: {S00: 7}\n"),
        "metadata.yaml",
        "stem 'S00': inst_class, program_num and",
    ),
    "stems twice": (spoil("metadata.yaml", b"stems: {}\nstems: {}\n"), "metadata.yaml", "twice, in lines 1 and 2"),
    "latin": (spoil("metadata.yaml", b"stems: \xff\n"), "metadata.yaml", "not UTF-8"),
    "nothing with a word": (
        spoil("metadata.yaml", b"stems: {S00: {inst_class: Sound Effects, program_num: 127}}"),
        "metadata.yaml",
        "no stem of an instrument that has a word",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_track_that_is_no_use_costs_its_item_alone(corpus: Path, fault: str) -> None:
    spoiling, file, says = FAULTS[fault]
    spoiling(corpus / "test" / "Track01876")
    one, other = load(corpus)
    assert one.id == "Track01876"
    assert str(corpus / "test" / "Track01876" / file) in refused(one)
    assert says in refused(one)
    assert refused(one, ("bass",)) == refused(one)
    assert other.audio(RATE).shape == (2 * RATE,)


def test_a_track_of_silence_and_one_that_is_too_short_are_said_to_be_so(tmp_path: Path) -> None:
    make_track(tmp_path / "test" / "Track1", [Part("Bass", 33, 100.0, (0, 0)), Part("Piano", 0, 100.0, (0, 0))])
    assert "Track1: no stem of bass and piano sounds in it" in refused(first(tmp_path))
    make_track(tmp_path / "train" / "Track2", BAND, seconds=1.0)
    assert "1.00 s long, shorter than a window of 2 s" in refused(first(tmp_path, split="train"))


def test_a_track_of_exactly_one_window_is_read_whole(tmp_path: Path) -> None:
    make_track(tmp_path / "test" / "Track1", BAND, seconds=2.01)
    assert first(tmp_path, seconds=2.01).audio(RATE).shape == (round(2.01 * RATE),)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"split": "omitted"}, "omitted: no such folder; unpack Slakh2100's omitted there"),
        ({"seconds": 0.0}, "parameter seconds must be greater than 0, not 0.0"),
        ({"most": 0}, "parameter most must be greater than 0, not 0"),
        ({"template": "music"}, "parameter template String should match pattern"),
    ],
)
def test_a_dataset_that_cannot_be_read_is_one_line(corpus: Path, changes: dict[str, object], says: str) -> None:
    with pytest.raises(EarwitnessError) as caught:
        load(corpus, **changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_track_with_two_prompts_is_named_with_its_line(corpus: Path) -> None:
    (corpus / "prompts.csv").write_text("track,prompt\nTrack01876,bass\nTrack01876,drums\n")
    with pytest.raises(EarwitnessError, match=r"prompts\.csv, line 3: track 'Track01876' stands in line 2 already"):
        load(corpus)


def test_a_subset_is_drawn_by_the_seed(corpus: Path) -> None:
    assert {tuple(record.id for record in load(corpus, items=1, seed=seed)) for seed in range(9)} == {
        ("Track01876",),
        ("Track01877",),
    }


def table(corpus: Path, text: str) -> Path:
    (corpus / "prompts.csv").write_text("track,prompt\n" + text, encoding="utf-8")
    return corpus / "prompts.csv"


@pytest.mark.parametrize(
    "track", ["Track01876", " Track01876 ", "track01876", "Track01876.mid", "test/TRACK01876", "test\\\\Track01876.wav"]
)
def test_a_prompt_may_name_its_track_in_other_words(corpus: Path, track: str) -> None:
    table(corpus, f"{track},guitars\n")
    assert first(corpus).prompt == "guitars"


def test_a_prompt_of_a_track_that_is_not_there_is_named(corpus: Path) -> None:
    path = table(corpus, 'Track01876,"bass\nand drums"\nTrack99999,organ\n')
    with pytest.raises(EarwitnessError) as caught:
        load(corpus)
    assert str(caught.value) == (
        f"{path}, line 4: no folder of a track 'Track99999' in {corpus}; unpack it, or take the line out"
    )


@pytest.mark.parametrize("name", ["test", "stems", "MIDI", "test/Track01876/stems", "validation"])
def test_a_folder_that_is_no_track_has_no_prompt(corpus: Path, name: str) -> None:
    path = table(corpus, f"{name},bass\n")
    with pytest.raises(
        EarwitnessError, match=rf"prompts\.csv, line 2: no folder of a track '{name}' in {corpus}; unpack"
    ):
        load(corpus)
    path.rename(corpus / "test" / "prompts.csv")
    with pytest.raises(EarwitnessError, match=rf"line 2: no folder of a track '{name}'"):
        load(corpus / "test")


def test_prompts_that_are_a_link_to_nothing_are_named(corpus: Path) -> None:
    (corpus / "prompts.csv").symlink_to(corpus / "gone.csv")
    with pytest.raises(EarwitnessError, match=r"prompts\.csv: a link to a file that is not there"):
        load(corpus)


def test_hidden_folders_and_what_archives_leave_behind_are_no_tracks(corpus: Path) -> None:
    for place in (".cache", "__MACOSX", "test/.cache", "test/__MACOSX"):
        make_track(corpus / place, BAND)
    assert [record.id for record in load(corpus)] == ["Track01876", "Track01877"]
    assert [record.id for record in load(corpus / "test")] == ["Track01876", "Track01877"]


def test_the_folder_that_holds_the_tracks_is_named_where_its_parent_was_given(corpus: Path) -> None:
    (corpus / "test").rename(corpus / "babyslakh_16k")
    with pytest.raises(EarwitnessError) as caught:
        load(corpus)
    inner = corpus / "babyslakh_16k"
    assert str(caught.value) == f"{corpus / 'test'}: no such folder; name {inner} as the task's dataset source"
    make_track(corpus / "slakh2100" / "validation" / "Track1", BAND)
    inner.rename(corpus / "train")
    with pytest.raises(
        EarwitnessError, match=f"no such folder; name {corpus / 'slakh2100'} as the task's dataset source"
    ):
        load(corpus, split="validation")


def test_a_prompt_of_a_track_of_another_split_is_that_ones(corpus: Path) -> None:
    make_track(corpus / "train" / "Track00001", BAND)
    table(corpus, "Track00001,bass\n")
    assert first(corpus).prompt == "a recording of drums and bass"
    assert first(corpus, split="train").prompt == "bass"


def test_a_track_with_two_prompts_in_two_spellings_is_named(corpus: Path) -> None:
    table(corpus, "Track01876,bass\ntrack01876.mid,drums\n")
    with pytest.raises(EarwitnessError, match=r"line 3: track 'track01876.mid' stands in line 2 already; take one out"):
        load(corpus)


def test_a_prompt_without_words_stays_and_no_template_stands_in_its_place(corpus: Path) -> None:
    table(corpus, "Track01876,\n")
    assert [record.prompt for record in load(corpus)] == ["", "a recording of organ and choir"]


@pytest.mark.parametrize("prompt", ["two guitars…", "Guitars, drums/bass", "a “guitar”"])
def test_a_prompt_finds_its_instruments_and_its_window_as_people_write_them(corpus: Path, prompt: str) -> None:
    table(corpus, f'Track01876,"{prompt}"\n')
    record = first(corpus, seconds=1.0)
    assert "guitar" in slakh.named(prompt, record.known)
    if "drums" not in prompt:
        assert np.abs(record.stems(RATE, ("guitar",))).max() > 0.2, "the window is one in which guitars sound"


def waves(folder: Path) -> None:
    """Turn every FLAC below a folder into a WAV."""
    for path in sorted(folder.rglob("*.flac")):
        audio, rate = soundfile.read(path)
        soundfile.write(path.with_suffix(".wav"), audio, rate)
        path.unlink()


def test_tracks_of_wav_files_are_read_as_those_of_flac(corpus: Path) -> None:
    before = [(record.prompt, record.known, record.audio(RATE)) for record in load(corpus)]
    waves(corpus)
    for record, (prompt, known, audio) in zip(load(corpus), before, strict=True):
        assert (record.prompt, record.known) == (prompt, known)
        assert record.audio(RATE) == pytest.approx(audio, abs=1e-6)
        assert record.stems(RATE, (prompt.split()[-1],)).shape == (1, 2 * RATE)


def test_tracks_without_folders_of_splits_are_of_any_but_train(corpus: Path) -> None:
    waves(corpus)
    table(corpus / "test", "Track01877,organs\n")
    (corpus / "test" / "Track01877" / "metadata.yaml").unlink()
    for split in ("test", "validation"):
        found = load(corpus / "test", split=split)
        assert [record.id for record in found] == ["Track01876", "Track01877"], "one that is no use is shown to be none"
    with pytest.raises(EarwitnessError, match="its tracks stand in no folder of a split, so that none are of train"):
        load(corpus / "test", split="train")


def test_a_folder_without_the_split_says_what_is_there(corpus: Path) -> None:
    with pytest.raises(EarwitnessError) as caught:
        load(corpus, split="validation")
    assert str(caught.value).endswith(f"as the task's dataset source: test in {corpus}")
    with pytest.raises(EarwitnessError, match="dataset source: no folder in "):
        load(corpus / "absent")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda audio: audio * 20, "samples up to 6.0 of full scale; scale it to lie in"),
        (lambda audio: np.where(audio > 0.29, np.nan, audio), "samples that are not finite"),
    ],
)
def test_a_float_stem_that_is_no_use_is_named(
    corpus: Path, change: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    path = corpus / "test" / "Track01877" / "stems" / "S00.flac"
    audio, rate = soundfile.read(path)
    soundfile.write(path.with_suffix(".wav"), change(audio * 1.5), rate, subtype="FLOAT")
    path.unlink()
    (corpus / "test" / "Track01876").rename(corpus / "Track01876")
    assert refused(first(corpus), ("organ",)).startswith(f"{path.with_suffix('.wav')}: {said}")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("is_drum: true", "is_drum: 'perhaps'", "'S03': is_drum: true or false was expected; found 'perhaps'; unpack"),
        ("is_drum: true", "is_drum: []", "'S03': is_drum: true or false was expected; found a list"),
        (
            "inst_class: Guitar",
            "inst_class: Kazoo",
            "'S01': inst_class: a class of instruments was expected; found 'Ka",
        ),
        ("inst_class: Guitar", "inst_class:", "'S01': inst_class: a class of instruments was expected; found nothing"),
        ("program_num: ", "program_num: .inf  # ", "'S00': program_num: a whole number was expected; found '.inf'"),
        ("program_num: ", "program_num: 3_3  # ", "'S00': program_num: a whole number was expected; found '3_3'"),
        ("  S01:", "  S00:", "'S00': inst_class, program_num and is_drum were expected; found written twice, in lines"),
        (
            "is_drum: true",
            "is_drum: true\n    is_drum: false",
            "'S03': is_drum: true or false was expected; found writ",
        ),
    ],
)
def test_what_a_stem_cannot_be_makes_its_track_invalid_and_no_other(
    corpus: Path, old: str, new: str, says: str
) -> None:
    path = corpus / "test" / "Track01876" / "metadata.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text, text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    one, other = load(corpus)
    assert says in refused(one)
    assert other.audio(RATE).size


@pytest.mark.parametrize(
    "place", ["inst_class: {}", "program_num: {}", "is_drum: {}", "audio_rendered: {}", "<<: {}", "{}: 1"]
)
def test_lists_of_lists_of_lists_cost_their_track_alone_and_no_time(corpus: Path, place: str) -> None:
    path = corpus / "test" / "Track01876" / "metadata.yaml"
    anchors = "".join(f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    entry = place.format("*a39 ")
    path.write_text(f"deep:\n  - &a0 {{x: y}}\n{anchors}stems:\n  S00:\n    {entry}\n", encoding="utf-8")
    started = time.monotonic()
    one, other = load(corpus)
    assert f"{path}: stem 'S00': " in refused(one)
    assert time.monotonic() - started < 2
    assert other.audio(RATE).size


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("is_drum: true", "is_drum: 'true'"), ("is_drum: false", "is_drum: 'false'"), ("is_drum: false", "is_drum: No"),
        ("audio_rendered: true", 'audio_rendered: "True"'), ("inst_class: Guitar", "inst_class: guitar"),
        ("inst_class: Drums", "inst_class: DRUMS"), ("program_num: 33", "program_num: '33'"),
        ("program_num: 33", "program_num: 33.0"),
    ],
)  # fmt: skip
def test_flags_and_classes_may_stand_in_quotes_or_other_letters(corpus: Path, old: str, new: str) -> None:
    before = [(record.known, record.prompt) for record in load(corpus)]
    path = corpus / "test" / "Track01876" / "metadata.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert [(record.known, record.prompt) for record in load(corpus)] == before


@pytest.mark.parametrize("ending", [".FLAC", ".Flac", ".WAV", ".Wav"])
def test_names_of_stems_may_end_in_capitals(corpus: Path, ending: str) -> None:
    before = [(record.known, record.audio(RATE)) for record in load(corpus)]
    for path in sorted(corpus.rglob("*.flac")):
        audio, rate = soundfile.read(path)
        path.unlink()
        soundfile.write(path.with_suffix(ending), audio, rate)
    for record, (known, audio) in zip(load(corpus), before, strict=True):
        assert record.known == known
        assert record.audio(RATE) == pytest.approx(audio, abs=1e-6)


def test_stems_of_one_word_may_exceed_full_scale_and_are_not_cut(tmp_path: Path) -> None:
    make_track(
        tmp_path / "test" / "Track1", [Part("Guitar", 27, 100.0, (0, 6), 0.8), Part("Guitar", 30, 100.0, (0, 6), 0.7)]
    )
    stem = first(tmp_path).stems(RATE, ("guitar",))[0]
    assert stem == pytest.approx(1.5 * np.sin(2 * np.pi * 100 * np.arange(len(stem)) / RATE), abs=1e-3)
