"""When words of LibriSpeech's layout are said, from what aligners write; and what is said of what is no use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from aligner_writers import Interval, ctm, filled, long_textgrid, mfa_json, short_textgrid
from earwitness.datasets import SpeechRecord, Stretch, librispeech
from earwitness.datasets.aligner_files import AlignedSpeech
from earwitness.datasets.forced_alignment import truth_of
from earwitness.errors import EarwitnessError, InvalidItemError

SECONDS = 2.0
TEXTS = {"12-3-0": "HE HOPED THERE'D BE STEW", "12-3-1": "STUFF IT", "45-6-0": "ALSO A CONTRIVANCE"}
WORDS: dict[str, list[Interval]] = {
    "12-3-0": [(0.1, 0.3, "he"), (0.3, 0.7, "hoped"), (0.8, 1.1, "there'd"), (1.1, 1.3, "be"), (1.3, 1.9, "stew")],
    "12-3-1": [(0.2, 0.9, "stuff"), (0.9, 1.5, "it")],
    "45-6-0": [(0.0, 0.5, "also"), (0.5, 0.6, "a"), (0.6, 2.0, "contrivance")],
}
FIRST, PHONES = "12-3-0", [(0.1, 0.2, "HH"), (0.2, 0.3, "IY1")]
Write = Callable[[Path, str], None]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three utterances of 2 s, of two speakers."""
    for name, text in TEXTS.items():
        folder = folder_of(tmp_path / "test-clean", name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name.rpartition('-')[0]}.trans.txt").open("a") as file:
            file.write(f"{name} {text}\n")
        soundfile.write(folder / f"{name}.flac", np.sin(np.arange(int(SECONDS * 16000)) / 9) / 2, 16000)
    return tmp_path


def folder_of(root: Path, name: str) -> Path:
    speaker, chapter, _ = name.split("-")
    return root / speaker / chapter


def place(root: Path, name: str, ending: str) -> Path:
    """Where an utterance's own file lies, as the Montreal Forced Aligner lays it."""
    folder = folder_of(root, name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}{ending}"


def as_textgrids(root: Path, form: Callable[..., str] = long_textgrid) -> None:
    for name, words in WORDS.items():
        tiers = {"words": filled(words, SECONDS), "phones": filled(PHONES if name == FIRST else [], SECONDS)}
        place(root, name, ".TextGrid").write_text(form(tiers, SECONDS), encoding="utf-8")


def as_jsons(root: Path) -> None:
    for name, words in WORDS.items():
        tiers = {"words": words, "phones": PHONES if name == FIRST else []}
        place(root, name, ".json").write_text(mfa_json(tiers, SECONDS), encoding="utf-8")


def as_ctms(root: Path) -> None:
    for name, words in WORDS.items():
        place(root, name, ".ctm").write_text(ctm(name, words))


def as_ctms_of_chapters(root: Path) -> None:
    root.mkdir(parents=True)
    for chapter in ("12-3", "45-6"):
        own = [ctm(name, words) for name, words in WORDS.items() if name.startswith(chapter)]
        (root / f"{chapter}.ctm").write_text("".join(own))


def as_one_ctm(root: Path) -> None:
    root.mkdir(parents=True)
    (root / "ctm.CTM").write_text("".join(ctm(name, words) for name, words in WORDS.items()))


def as_one_json(root: Path) -> None:
    root.mkdir(parents=True)
    told = {name: [(label, start, stop) for start, stop, label in words] for name, words in WORDS.items()}
    (root / "words.json").write_text(json.dumps(told, indent=1))


LAYOUTS = {
    "long TextGrids": as_textgrids,
    "short TextGrids": lambda root: as_textgrids(root, short_textgrid),
    "JSON as the Montreal Forced Aligner's": as_jsons,
    "a CTM an utterance": as_ctms,
    "a CTM a chapter": as_ctms_of_chapters,
    "one CTM": as_one_ctm,
    "one JSON": as_one_json,
}


def load(corpus: Path, alignments: str = "aligned") -> dict[str, SpeechRecord]:
    return {record.id: record for record in librispeech.load(str(corpus), items=9, alignments=alignments)}


def times(record: SpeechRecord) -> list[tuple[float, float, str]]:
    assert record.truth is not None
    return [(word.start, word.stop, word.text) for word in record.truth.words]


def invalid(corpus: Path, name: str = FIRST) -> str:
    """What the sound of one utterance raises; the others are as they were."""
    found = load(corpus)
    with pytest.raises(InvalidItemError) as caught:
        found[name].audio(16000)
    assert found[name].truth is None
    for other in found.keys() - {name}:
        assert len(found[other].audio(16000)) == SECONDS * 16000
        assert times(found[other]) == WORDS[other]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused(corpus: Path, alignments: str = "aligned") -> str:
    with pytest.raises(EarwitnessError) as caught:
        load(corpus, alignments)
    assert not isinstance(caught.value, InvalidItemError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_words_have_the_times_that_an_aligner_wrote(corpus: Path, layout: str) -> None:
    LAYOUTS[layout](corpus / "aligned")
    found = load(corpus)
    assert {name: times(record) for name, record in found.items()} == WORDS
    assert all(len(record.audio(16000)) == SECONDS * 16000 for record in found.values())
    truth = found[FIRST].truth
    assert truth is not None
    assert (truth.source_of, truth.distinct, truth.follows) == ((0, 1, 2, 3, 4), (), ())
    phones = [[(phone.start, phone.stop, phone.text) for phone in own] for own in truth.phonemes]
    assert phones == ([PHONES, [], [], [], []] if "TextGrid" in layout or "Montreal" in layout else [])


def test_without_alignments_nothing_is_known(corpus: Path) -> None:
    as_textgrids(corpus / "aligned")
    assert all(record.truth is None for record in librispeech.load(str(corpus), items=9))


@pytest.mark.parametrize("where", ["aligned/test-clean", "test-clean", "aligned"])
def test_a_folder_may_hold_other_splits_and_lie_in_the_corpus(corpus: Path, where: str) -> None:
    as_textgrids(corpus / where)
    (corpus / "aligned" / "dev-clean").mkdir(parents=True, exist_ok=True)
    if where == "aligned/test-clean":
        (corpus / "aligned" / "dev-clean" / f"{FIRST}.TextGrid").write_text("of another split")
    found = load(corpus, where.partition("/")[0])
    assert {name: times(record) for name, record in found.items()} == WORDS


def test_a_single_file_and_a_place_elsewhere_may_be_named(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    as_one_json(corpus / "aligned")
    other = tmp_path_factory.mktemp("elsewhere") / "all"
    as_one_ctm(other)
    for name in ("aligned/words.json", str(other), str(other / "ctm.CTM")):
        assert {each: times(record) for each, record in load(corpus, name).items()} == WORDS


def test_the_drawn_utterances_alone_are_looked_for(corpus: Path) -> None:
    as_textgrids(corpus / "aligned")
    (only,) = librispeech.load(str(corpus), items=1, alignments="aligned")
    for name in WORDS.keys() - {only.id}:
        place(corpus / "aligned", name, ".TextGrid").write_text("broken")
    (again,) = librispeech.load(str(corpus), items=1, alignments="aligned")
    assert again.truth == only.truth


@pytest.mark.parametrize("hidden", [".old", "__MACOSX"])
def test_hidden_files_and_other_kinds_cost_nothing(corpus: Path, hidden: str) -> None:
    as_textgrids(corpus / "aligned")
    (corpus / "aligned" / hidden).mkdir()
    for name in (f"{FIRST}.TextGrid", "all.ctm", "all.json"):
        (corpus / "aligned" / hidden / name).write_bytes(b"\xff")
    (corpus / "aligned" / "oov_counts.txt").write_text("2 there'd\n")
    (corpus / "aligned" / "9-9-9.TextGrid").write_text("of an utterance that the split lacks")
    (corpus / "aligned" / "9-9-8.json").write_text(mfa_json({"words": []}, 1.0))
    assert {name: times(record) for name, record in load(corpus).items()} == WORDS


# What words of an alignment stand for which of the transcript's.


def told(*words: Interval, phones: tuple[Interval, ...] = ()) -> AlignedSpeech:
    def made(intervals: tuple[Interval, ...]) -> list[Stretch]:
        return [Stretch(label, start, stop) for start, stop, label in intervals]

    return AlignedSpeech("a.ctm", made(words), made(phones))


def matched(words: list[Interval], transcript: str) -> list[tuple[float, float, str]]:
    truth = truth_of(told(*words), transcript, SECONDS)
    return [(word.start, word.stop, word.text) for word in truth.words]


@pytest.mark.parametrize(
    ("labels", "transcript"),
    [
        (["Don’t,", "GO!"], "don't go"),
        (["DONT", "go"], "don't go"),
        (["<unk>", "go"], "brobdingnag go"),
        (["<UNK>", "<unk>"], "brobdingnag lilliput"),
        (["cafe\u0301", "go"], "café go"),
        (["Straße", "go"], "strasse go"),
    ],
)
def test_case_punctuation_encoding_and_unknown_words_say_nothing(labels: list[str], transcript: str) -> None:
    words = [(0.1, 0.5, labels[0]), (0.6, 1.0, labels[1])]
    one, two = transcript.split()
    assert matched(words, transcript) == [(0.1, 0.5, one), (0.6, 1.0, two)]


def test_a_word_may_be_several_of_the_aligners(corpus: Path) -> None:
    words = [(0.1, 0.4, "captain"), (0.4, 0.5, "'s"), (0.6, 0.8, "well"), (0.8, 1.0, "known"), (1.0, 1.2, "man")]
    assert matched(words, "captain's well-known man") == [
        (0.1, 0.5, "captain's"),
        (0.6, 1.0, "well-known"),
        (1.0, 1.2, "man"),
    ]
    words[1] = (0.4, 0.5, "<unk>")
    assert matched(words, "captain's well-known man")[0] == (0.1, 0.5, "captain's")


@pytest.mark.parametrize("label", ["", "sil", "SIL", "sp", "spn", "<eps>", "<sil>", "--", " "])
def test_silences_are_no_words(label: str) -> None:
    words = [(0.0, 0.1, label), (0.1, 0.5, "he"), (0.5, 0.6, label), (0.6, 1.0, "hoped"), (1.0, 2.0, label)]
    assert matched(words, "he hoped") == [(0.1, 0.5, "he"), (0.6, 1.0, "hoped")]


def test_what_has_no_letters_in_the_transcript_goes_with_the_word_before() -> None:
    truth = truth_of(told((0.1, 0.5, "he"), (0.6, 1.0, "hoped")), "- he -- hoped .", SECONDS)
    assert truth.source_of == (0, 0, 0, 1, 1)


def test_words_that_overlap_by_a_frame_are_cut_where_the_next_begins() -> None:
    assert matched([(0.1, 0.51, "he"), (0.5, 2.01, "hoped")], "he hoped") == [(0.1, 0.5, "he"), (0.5, 2.0, "hoped")]
    with pytest.raises(EarwitnessError, match=r"word 2 'hoped' .* overlaps 'he', which stops at 0\.520 s"):
        matched([(0.1, 0.52, "he"), (0.5, 1.0, "hoped")], "he hoped")


def test_phones_go_to_the_word_around_them_and_silent_ones_nowhere() -> None:
    phones = ((0.0, 0.1, "sil"), (0.1, 0.3, "HH"), (0.3, 0.5, "IY"), (0.5, 0.6, "sp"), (0.6, 1.0, "spn"))
    truth = truth_of(told((0.1, 0.5, "he"), (0.6, 1.0, "<unk>"), phones=phones), "he hoped", SECONDS)
    assert [[phone.text for phone in own] for own in truth.phonemes] == [["HH", "IY"], []]
    stray = told((0.1, 0.5, "he"), (0.6, 1.0, "hoped"), phones=((1.2, 1.4, "P"),))
    with pytest.raises(EarwitnessError) as caught:
        truth_of(stray, "he hoped", SECONDS)
    assert str(caught.value) == "a.ctm: the phone 'P' (1.200-1.400 s) lies in no word; align it again"


# What is no use.


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (WORDS[FIRST][:3], "ends before the transcript's word 4, 'be'; align its own words again"),
        (
            [*WORDS[FIRST], (1.9, 2.0, "again")],
            "'again' at 1.900 s comes after the transcript's 5 words; align its own words again",
        ),
        (
            [*WORDS[FIRST][:4], (1.3, 1.9, "soup")],
            "'soup' at 1.300 s, where the transcript's word 5 is 'stew'; align its own words again",
        ),
        (
            [WORDS[FIRST][1], WORDS[FIRST][0], *WORDS[FIRST][2:]],
            "'hoped' at 0.300 s, where the transcript's word 1 is 'he'; align its own words again",
        ),
        (
            [(0.1, 0.5, "he"), *WORDS[FIRST][1:]],
            "the alignment's word 2 'hoped' (0.300-0.700 s) overlaps 'he', which stops at 0.500 s; align it again",
        ),
        (
            [*WORDS[FIRST][:4], (1.3, 2.5, "stew")],
            "the alignment's word 5 'stew' (1.300-2.500 s) ends after the audio of 2.000 s; align it again",
        ),
        (
            [(-0.1, 0.3, "he"), *WORDS[FIRST][1:]],
            "the alignment's word 1 'he' (-0.100-0.300 s) starts before the audio; align it again",
        ),
        (
            [(0.3, 0.3, "he"), *WORDS[FIRST][1:]],
            "the alignment's word 1 'he' (0.300-0.300 s) does not stop after it starts; align it again",
        ),
        (
            [(round(16000 * start), round(16000 * stop), label) for start, stop, label in WORDS[FIRST]],
            "its words end at 30400, and the sound lasts 2.000 s; times in seconds were expected, not in samples, "
            "frames or milliseconds",
        ),
        ([], "no words, and the transcript has some; align it again"),
    ],
    ids=["fewer", "more", "other", "order", "overlap", "after", "negative", "nothing", "samples", "none"],
)
def test_an_alignment_that_is_none_of_its_utterance_costs_its_item_alone(
    corpus: Path, words: list[Interval], says: str
) -> None:
    as_textgrids(corpus / "aligned")
    path = place(corpus / "aligned", FIRST, ".TextGrid")
    path.write_text(long_textgrid({"words": words}, SECONDS))
    assert invalid(corpus) == f"{path}: {says}"
    path.unlink()
    path = place(corpus / "aligned", FIRST, ".json")
    path.write_text(mfa_json({"words": words}, SECONDS))
    assert invalid(corpus) == f"{path}: {says}"


def test_a_ctm_names_its_utterance(corpus: Path) -> None:
    as_one_ctm(corpus / "aligned")
    path = corpus / "aligned" / "ctm.CTM"
    text = path.read_text()
    path.write_text(text.replace("stew", "soup"))
    assert invalid(corpus) == (
        f"{path}, 12-3-0: 'soup' at 1.300 s, where the transcript's word 5 is 'stew'; align its own words again"
    )
    path.write_text(text.replace("12-3-1 1 0.90 0.60", "12-3-1 1 0.90"))
    assert invalid(corpus, "12-3-1").startswith(f"{path}, line 7: an utterance, a channel, a start and a duration in")
    path.write_text(text[: text.index("45-6-0 1 0.60")])
    assert invalid(corpus, "45-6-0") == (
        f"{path}, 45-6-0: ends before the transcript's word 3, 'contrivance'; align its own words again"
    )
    path.write_text(text[: text.index("45-6-0")])
    assert invalid(corpus, "45-6-0") == (
        f"{corpus / 'aligned'}: no alignment of '45-6-0'; 45-6-0.TextGrid, .json, or a CTM or JSON file that names it "
        "was expected; align it, or leave its row invalid"
    )


def test_an_utterance_without_an_alignment_costs_its_item_alone(corpus: Path) -> None:
    as_textgrids(corpus / "aligned")
    place(corpus / "aligned", FIRST, ".TextGrid").unlink()
    assert invalid(corpus).startswith(f"{corpus / 'aligned'}: no alignment of '12-3-0'; 12-3-0.TextGrid, .json, or")


@pytest.mark.parametrize("other", [as_jsons, as_ctms, as_one_json])
def test_two_alignments_of_an_utterance_are_told_apart_by_nobody(corpus: Path, other: Callable[[Path], None]) -> None:
    as_textgrids(corpus / "aligned")
    other(corpus / "aligned" / "more")
    kept = {path.name for path in (corpus / "aligned" / "more").rglob("*.*")}
    assert kept
    found = load(corpus)
    for name, record in found.items():
        with pytest.raises(InvalidItemError, match=rf"and .*: two alignments of '{name}'; take one out"):
            record.audio(16000)


@pytest.mark.parametrize(
    ("tiers", "says"),
    [
        ({"phones": PHONES}, "no tier of words; one named 'words' was expected; found 'phones'"),
        ({}, "no tier of words; one named 'words' was expected; found none"),
        (
            {"a - words": WORDS[FIRST], "b - words": WORDS[FIRST]},
            "2 tiers of words: 'a - words' and 'b - words'; keep that of the speaker",
        ),
        ({"words": [(0.0, 2.0, ""), (2.0, 2.0, "sil")]}, "no words, and the transcript has some; align it again"),
    ],
)
def test_tiers_that_do_not_tell_of_words_are_named(corpus: Path, tiers: dict[str, list[Interval]], says: str) -> None:
    as_textgrids(corpus / "aligned")
    path = place(corpus / "aligned", FIRST, ".TextGrid")
    path.write_text(short_textgrid(tiers, SECONDS))
    assert invalid(corpus) == f"{path}: {says}"


@pytest.mark.parametrize("name", ["words", "Words", "word", "12 - words", "a - b - words"])
def test_the_tier_of_words_may_name_its_speaker(corpus: Path, name: str) -> None:
    as_textgrids(corpus / "aligned")
    place(corpus / "aligned", FIRST, ".TextGrid").write_text(short_textgrid({name: WORDS[FIRST]}, SECONDS))
    assert times(load(corpus)[FIRST]) == WORDS[FIRST]


@pytest.mark.parametrize("ending", [".TextGrid", ".json"])
def test_half_a_file_and_other_encodings_cost_their_item_alone(corpus: Path, ending: str) -> None:
    (as_textgrids if ending == ".TextGrid" else as_jsons)(corpus / "aligned")
    path = place(corpus / "aligned", FIRST, ending)
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    said = invalid(corpus)
    assert said.startswith(str(path))
    assert "cut off" in said
    path.write_bytes(whole.encode("utf-16"))
    assert invalid(corpus) == f"{path}: UTF-16 or UTF-32, not UTF-8; save it as UTF-8"
    path.write_bytes(whole.replace("stew", "stéw").encode("latin-1"))
    assert "not UTF-8 (byte 0xe9); save it as UTF-8" in invalid(corpus)
    path.unlink()
    path.symlink_to("nowhere")
    assert "a link to a file that is not there" in invalid(corpus)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "no words, and the transcript has some"),
        ("7", "tiers, or a list of a word, its start and its end in seconds, was expected; found 7"),
        ('{"start": 0}', "tiers, or a list of a word, its start and its end in seconds, was expected; found {"),
        ('{"tiers": []}', "tiers, or a list of a word"),
        ('{"tiers": {"words": []}}', "tier 'words' has no list of entries; align it again"),
        ('[["he", 0.1]]', 'a word, its start and its end in seconds were expected; found ["he", 0.1]; align it again'),
        ('[["he", "0.1", "0.2"]]', "a word, its start and its end in seconds were expected"),
        ('[["he", true, 0.2]]', "a word, its start and its end in seconds were expected"),
        ('[["he", NaN, 0.2]]', "a word, its start and its end in seconds were expected"),
        ('[["he", 0.1, 1' + "0" * 400 + "]]", "a word, its start and its end in seconds were expected"),
        ('[["he", 0.1, 1' + "0" * 5000 + "]]", "not JSON that is read here"),
        ("[" * 100_000, "not JSON that is read here"),
        ('{"tiers": {}, "tiers": {}}', "'tiers' is written twice; take one out"),
    ],
)
def test_json_that_does_not_tell_of_words_is_named(corpus: Path, content: str, says: str) -> None:
    as_jsons(corpus / "aligned")
    path = place(corpus / "aligned", FIRST, ".json")
    path.write_text(content)
    said = invalid(corpus)
    assert said.startswith(f"{path}: {says}")


def test_a_file_of_many_utterances_that_cannot_be_read_is_refused(corpus: Path) -> None:
    as_one_json(corpus / "aligned")
    path = corpus / "aligned" / "words.json"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    assert refused(corpus).startswith(f"{path}, line ")
    assert "not JSON, or cut off" in refused(corpus)
    path.write_text("[1, 2]")
    assert refused(corpus) == f"{path}: utterances by their ids were expected; found [1, 2]; write it again"
    path.write_text(whole.replace("12-3-1", "12-3-0"))
    assert refused(corpus) == f"{path}: '12-3-0' is written twice; take one out"
    path.write_text(whole.replace('"stew"', "7"))
    assert invalid(corpus).startswith(f"{path}, 12-3-0: a word, its start and its end in seconds were expected; found")
    path.unlink()
    other = path.with_name("all.ctm")
    other.write_bytes(b"12-3-0 1 0.1 0.2 caf\xe9\n")
    assert refused(corpus) == f"{other}, line 1: not UTF-8 (byte 0xe9); save it as UTF-8"


def test_a_place_without_alignments_is_refused(corpus: Path) -> None:
    assert refused(corpus).startswith(
        f"{corpus / 'aligned'}: no such file or folder of alignments; lay TextGrid, CTM or"
    )
    (corpus / "aligned").mkdir()
    assert refused(corpus) == (
        f"{corpus / 'aligned'}: no alignment of any of 3 utterances; 12-3-0.TextGrid, .json, or a CTM or JSON file "
        "that names it was expected; align them, or name another place as the dataset's alignments"
    )
    (corpus / "aligned" / "all.ctm").write_text("another 1 0.0 0.1 he\n")
    assert "no alignment of any of 3 utterances" in refused(corpus)


def test_a_sound_that_is_no_use_says_so_itself(corpus: Path) -> None:
    as_textgrids(corpus / "aligned")
    folder = folder_of(corpus / "test-clean", FIRST)
    (folder / f"{FIRST}.flac").write_bytes(b"")
    assert invalid(corpus).endswith(f"{FIRST}.flac: empty: the file has no bytes; fetch it again")
    (folder / f"{FIRST}.flac").unlink()
    soundfile.write(folder / f"{FIRST}.wav", np.zeros(0), 16000)
    assert "empty: no samples" in invalid(corpus)
