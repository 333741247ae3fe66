"""What counts as an error between two transcripts, and what only looks like one."""

import random
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.errors import InvalidCardError
from earwitness.scoring.columns import choices, read_columns
from earwitness.scoring.measured import measured
from earwitness.scoring.speech import normalisers
from earwitness.scoring.speech.english_spellings import AMERICAN
from earwitness.scoring.speech.normalisers import NORMALISERS, Normaliser, words
from earwitness.scoring.speech.transcripts import Comparison
from earwitness.task import Task, read_task
from earwitness.worlds.commands import TRANSLATIONS, vocabulary

ENGLISH, ANY = Comparison("english"), Comparison("unicode")
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
APOSTROPHES = "'’‘ʼ＇`′"
HYPHENS = ("-", "‐", "‑", "–", "—", " — ", "−", " ")


def errors(by: Comparison, wanted: str, found: str) -> int:
    return by.errors(by.words_of(wanted), by.words_of(found))


@pytest.mark.parametrize(
    ("by", "wanted", "found", "count"),
    [
        (ENGLISH, "mister quilter is here", "Mr. Quilter is here.", 0),
        (ENGLISH, "the coil has fifty turns", "The coil has 50 turns.", 0),
        (ENGLISH, "the coil has fifteen turns", "The coil has 50 turns.", 1),
        (ENGLISH, "fifty percent", "50%", 0),
        (ENGLISH, "the colour of the centre", "The color of the center.", 0),
        (ENGLISH, "i do not know", "I don’t know…", 0),
        (ENGLISH, "a well known man", "A well-known man.", 0),
        (ENGLISH, "he came but too late", "He came—but too late.", 0),
        (ENGLISH, "he said go", "[music] He said, um, go", 0),
        (ENGLISH, "the word is किताब", "The word is कतब", 1),
        (ANY, "das Mädchen für Élan", unicodedata.normalize("NFD", "das Mädchen für Élan"), 0),
        (ANY, "das Madchen fur Elan", "das Mädchen für Élan", 3),
        (ANY, "strasse", "Straße", 0),
        (ANY, "fifty", "50", 1),
        (ANY, "की किताब", "को कतब", 2),
        (ANY, "ที่ นี้", "ทั น้", 2),
        (ANY, "كَتَبَ", "كتب", 0),
        (ANY, "كَتَبَ", "كُتِبَ", 1),
        (ANY, "שָׁלוֹם", "שלום", 0),
        (ANY, "hello world", "hello\u200bworld", 0),
        (ANY, "co\u00adoperate", "cooperate", 0),
        (ANY, "今天天气很好", "今天天气不好", 1),
        (ENGLISH, "5 µà", "5 \u03bcà", 0),
        (ENGLISH, "archaeology is old", "Archeology is old", 0),
        (ENGLISH, "50 percent of 5 dollars", "50 % of $ 5", 0),
        (ENGLISH, "10² m", "102 m", 2),
        (ANY, "2½ liter", "21 2 liter", 2),
        (ANY, "κόσμος ἀλλ᾽", "κόσμος ἀλλ'", 0),
        (ANY, "x\u1ffdy", "x\u00b4y", 0),
        (ANY, "25 ˚ heiß 1️⃣", "25 heiß 1", 0),
        (ANY, "٣ كتب २०", "3 كتب 20", 0),
        (ANY, "İstanbul Windows™", "istanbul windows", 0),
        (ANY, "שָׁלוֹם עולם", "שלום עוֹלם", 0),
        (ANY, "ŉ", "'n", 0),
        (ANY, "", "now", 1),
        (ANY, "now", "", 1),
        (Comparison("unicode", "character"), "今天 天气很好。", "今天天气不好", 1),
        (Comparison("unicode", "character"), "日本語を話す", "日本を話す", 1),
        (Comparison("unicode", "character"), "open", "opens", 1),
    ],
)
def test_errors_are_those_that_a_listener_would_count(by: Comparison, wanted: str, found: str, count: int) -> None:
    assert errors(by, wanted, found) == count


def as_written(text: str, draw: random.Random) -> str:
    """A text in another Unicode form, with other apostrophes, hyphens and marks that cannot be seen."""
    text = "".join(draw.choice(APOSTROPHES) if letter == "'" else letter for letter in text)
    text = "".join(draw.choice(HYPHENS) if letter == "-" else letter for letter in text)
    text = "".join(letter + draw.choice(("", "", "", "\u00ad", "\u2060")) for letter in text)
    return unicodedata.normalize(draw.choice(FORMS), text)


SENTENCES = st.lists(
    st.text(st.characters(categories=("Ll", "Lo", "Mn", "Mc", "Nd"), exclude_characters="ʼ"), min_size=1, max_size=6)
    | st.sampled_from(
        ["don't", "well-known", "the dog's", "twenty-one", "l'élan", "Ångström", "o'clock", "हिन्दी", "ที่"]
    ),
    min_size=1,
    max_size=6,
).map(" ".join)


@pytest.mark.parametrize("normaliser", NORMALISERS)
@given(SENTENCES, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_how_a_text_is_encoded_is_no_error(normaliser: Normaliser, text: str, draw: random.Random) -> None:
    by = Comparison(normaliser)
    again = as_written(text, draw)
    assert errors(by, text, again) == 0
    assert by.bleu(text, unicodedata.normalize("NFD", text).replace("'", "’")) == by.bleu(text, text)
    assert by.agreeing(text, unicodedata.normalize("NFD", text)) == by.agreeing(text, text)


def vowel_signs() -> dict[str, list[str]]:
    """Vowel signs of every script that has some, by the first word of their names."""
    found: dict[str, list[str]] = {}
    for letter in map(chr, range(sys.maxunicode + 1)):
        name = unicodedata.name(letter, "")
        if "VOWEL SIGN" in name and unicodedata.category(letter)[0] == "M":
            found.setdefault(name.split()[0], []).append(letter)
    return found


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_a_changed_vowel_sign_is_an_error_in_every_script(normaliser: Normaliser) -> None:
    by, signs = Comparison(normaliser), vowel_signs()
    assert len(signs) > 40
    for script, marks in signs.items():
        base = next(
            letter
            for letter in map(chr, range(ord(marks[0]) - 0x100, ord(marks[0]) + 0x100))
            if unicodedata.category(letter) == "Lo" and unicodedata.name(letter, "").startswith(script)
        )
        for one, other in pairwise([*marks, ""]):
            if unicodedata.normalize("NFKD", base + one) != unicodedata.normalize("NFKD", base + other):
                assert errors(by, f"{base}{one}{base}", f"{base}{other}{base}") == 1, (script, one, other)


@given(st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_has_words_and_equals_itself(text: str) -> None:
    for by in (ENGLISH, ANY, Comparison("english", "character")):
        found = by.words_of(text)
        assert all(word and not regex.search(r"\s", word) for word in found)
        assert by.errors(found, found) == 0
    assert all(wanted == found for wanted, found in ANY.agreeing(text, text).items())


def test_a_digit_that_python_has_no_value_for_is_a_word_of_its_own() -> None:
    kawi_zero = "\U00011f50"  # of Unicode 15, which Python 3.11 does not know
    assert Comparison().words_of(f"{kawi_zero} dogs") in ([kawi_zero, "dogs"], ["0", "dogs"])


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_the_words_of_the_spoken_world_are_compared_as_they_are(normaliser: Normaliser) -> None:
    numerals = {"four": "4"} if normaliser == "english" else {}
    for word in (*vocabulary(), *TRANSLATIONS.values()):
        assert words(word, normaliser) == [numerals.get(word, word)]


def test_words_agree_where_the_same_is_said_whatever_is_typed() -> None:
    assert ENGLISH.agreeing("the colour — isn't grey", "The color isn’t gray.") == {0: 0, 1: 1, 2: 3, 3: 4}
    assert ANY.agreeing("das Mädchen", unicodedata.normalize("NFD", "das Mädchen")) == {0: 0, 1: 1}
    assert ENGLISH.agreeing("twenty one lamps", "21 lamps") == {1: 2}
    assert ANY.agreeing("", "now") == {}
    assert ANY.agreeing("كَتَبَ اليوم", "كتب اليوم") == {0: 0, 1: 1}


def test_the_spelling_table_is_of_words() -> None:
    assert all(british.isalpha() and american.isalpha() for british, american in AMERICAN.items())


def test_bleu_reads_scripts_without_spaces_by_their_own_tokeniser() -> None:
    wanted, found = "今天天气很好", "今天天气不好"
    assert ANY.bleu(wanted, found) == 0
    for tokeniser in ("zh", "char"):
        assert 0.4 < Comparison("unicode", bleu_tokeniser=tokeniser).bleu(wanted, found) < 0.9
    assert ANY.bleu("für", unicodedata.normalize("NFD", "für")) == pytest.approx(1)
    assert ANY.bleu("it's", "it’s") == pytest.approx(1)


def card(tmp_path: Path, scoring: str) -> Task:
    text = (
        'id = "said"\nversion = 1\ntrack = "speech"\ntitle = "t"\nlicence = "l"\nreference = "r"\n'
        'main_metric = "deletion_wer"\n[model]\nadapter = "whisper"\nsource = "m"\n[dataset]\nadapter = "spoken"\n'
        f'items = 1\n[budget]\nseconds = 1\nforwards = 1\n[[metrics]]\nmetric = "deletion_wer"\n{scoring}'
    )
    (tmp_path / "task.toml").write_text(text, encoding="utf-8")
    return read_task(tmp_path)


def test_a_card_names_how_transcripts_are_compared(tmp_path: Path) -> None:
    assert choices(card(tmp_path, ""), Comparison) == ANY
    stated = '[scoring]\nnormaliser = "english"\nunit = "character"\nbleu_tokeniser = "zh"\n'
    assert choices(card(tmp_path, stated), Comparison) == Comparison("english", "character", "zh")
    for wrong, says in (('normaliser = "englisch"', "scoring.normaliser"), ("units = 1", "did you mean 'unit'")):
        with pytest.raises(InvalidCardError, match=says):
            choices(card(tmp_path, f"[scoring]\n{wrong}\n"), Comparison)


def of_metrics(tmp_path: Path, scoring: str) -> dict[str, str]:
    """Identity of each of three metrics: one counts words, one reads BLEU, one compares no transcripts."""
    text = "".join(f'[[metrics]]\nmetric = "{name}"\n' for name in ("deletion_bleu", "deletion_token"))
    return measured(card(tmp_path, text + scoring))


@pytest.mark.parametrize(
    ("scoring", "moved"),
    [
        ('normaliser = "unicode"', set()),
        ('normaliser = "unicode"\nunit = "word"\nbleu_tokeniser = "13a"', set()),
        ('normaliser = "english"', {"deletion_wer"}),
        ('unit = "character"', {"deletion_wer"}),
        ('bleu_tokeniser = "char"', {"deletion_bleu"}),
    ],
)
def test_a_choice_moves_the_identities_of_the_metrics_that_go_by_it(
    tmp_path: Path, scoring: str, moved: set[str]
) -> None:
    plain, chosen = of_metrics(tmp_path, ""), of_metrics(tmp_path, f"[scoring]\n{scoring}\n")
    assert {name for name in plain if plain[name] != chosen[name]} == moved


def test_a_tokeniser_without_its_packages_is_a_fault_of_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "MeCab", None)
    chosen = '[scoring]\nbleu_tokeniser = "ja-mecab"\n'
    assert [column.metric.name for column in read_columns(card(tmp_path, chosen))] == ["deletion_wer"]
    bleu = card(tmp_path, '[[metrics]]\nmetric = "deletion_bleu"\n' + chosen)
    with pytest.raises(InvalidCardError, match=r"task.toml: scoring.bleu_tokeniser: .*pip install 'sacrebleu\[ja\]'"):
        read_columns(bleu)


@given(st.lists(st.sampled_from(["[", "]", "<", ">", "(", ")", "()", "a", "1", " ", "'s", ".", "$", "%"]), max_size=14))
def test_brackets_are_left_out_as_whispers_normaliser_does(parts: list[str]) -> None:
    text = "".join(parts)
    assert normalisers._american(text) == normalisers._whisper()(normalisers._UNITS.sub("", text)).split()


@pytest.mark.parametrize("text", ["[" * 100_000, "(" * 100_000, "< a" * 50_000, "<)>" + "(" * 100_000])
def test_a_text_of_brackets_is_compared_in_no_time(text: str) -> None:
    begun = process_time()
    ENGLISH.words_of(text)
    assert process_time() - begun < 5


def test_the_table_of_the_page_is_what_is_counted() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reading.md").read_text(encoding="utf-8")
    _, _, table = page.partition(
        "| reference | transcript | english | unicode | unicode, characters |\n|---|---|---|---|---|\n"
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.partition("\n\n")[0].splitlines()]
    assert len(rows) == 10
    for wanted, found, *shown in rows:
        for by, cell in zip((ENGLISH, ANY, Comparison("unicode", "character")), shown, strict=True):
            assert cell == f"{errors(by, wanted, found)} of {len(by.words_of(wanted))}", (wanted, by)
