from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from earwitness.models.transcript_tokens import TranscriptTokens
from tiny_speech import whisper_tokenizer, word_tokenizer


def byte_tokens(*tokens):
    """Ids of byte-level tokens and a tokenizer of just these."""
    inner = Tokenizer(WordLevel({token: i for i, token in enumerate(dict.fromkeys(tokens))}, unk_token=tokens[0]))
    inner.decoder = ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner)
    return TranscriptTokens(tokenizer), tokenizer.convert_tokens_to_ids(list(tokens))


def test_a_word_level_token_is_a_word():
    tokenizer = word_tokenizer()
    tokens, ids = TranscriptTokens(tokenizer), tokenizer("turn the lamp on").input_ids
    assert tokens.text(ids) == "turn the lamp on"
    assert tokens.pieces(ids) == ["turn", "the", "lamp", "on"]
    assert tokens.words(ids).tolist() == [0, 1, 2, 3]


def test_subwords_belong_to_the_word_that_they_are_part_of():
    tokenizer = whisper_tokenizer()
    tokens, ids = TranscriptTokens(tokenizer), tokenizer.convert_tokens_to_ids(["Ġtur", "n", "Ġlamp"])
    assert tokens.text(ids) == "turn lamp"
    assert tokens.pieces(ids) == ["tur", "n", "lamp"]
    assert tokens.words(ids).tolist() == [0, 0, 1]


def test_a_space_belongs_to_the_word_after_it():
    tokens, ids = byte_tokens("on", "Ġ", "off", ".")
    assert tokens.pieces(ids) == ["on", "Ġ", "off", "."]
    assert tokens.words(ids).tolist() == [0, 1, 1, 1]


def test_a_space_at_the_end_belongs_to_the_last_word():
    tokens, ids = byte_tokens("on", "Ġ")
    assert tokens.text(ids) == "on"
    assert tokens.words(ids).tolist() == [0, 0]


def test_the_bytes_of_one_letter_share_its_word():
    tokens, ids = byte_tokens("Ġan", "Ġcaf", "Ã", "©", "s")  # UTF-8 of é is C3 A9, byte-level Ã and ©
    assert tokens.text(ids) == "an cafés"
    assert tokens.pieces(ids)[3:] == ["é", "s"]
    assert tokens.words(ids).tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("special", ["<s>", "</s>"])
def test_a_special_token_says_nothing_and_shows_its_name(special):
    tokenizer = word_tokenizer()
    ids = tokenizer.convert_tokens_to_ids([special])
    assert TranscriptTokens(tokenizer).text(ids) == ""
    assert TranscriptTokens(tokenizer).pieces(ids) == [special]
    assert TranscriptTokens(tokenizer).words(ids).tolist() == [0]
