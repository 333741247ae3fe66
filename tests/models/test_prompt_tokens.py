from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from earwitness.models.prompt_tokens import PromptTokens


@pytest.fixture(scope="module")
def prompts() -> PromptTokens:
    """Sentence pieces that carry the space before their word, or a lone space before a piece without one."""
    pieces = ["<pad>", "</s>", "<unk>", "▁a", "▁dog", "▁bark", "ing", "▁", "siren"]
    tokenizer = Tokenizer(Unigram([(piece, -1.0) for piece in pieces], unk_id=2))
    tokenizer.pre_tokenizer = Metaspace()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PromptTokens(
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    )


def test_sentence_pieces_belong_to_the_word_that_they_spell(prompts):
    assert prompts.texts("a dog barking siren") == ["a", "dog", "bark", "ing", "▁", "siren", "</s>"]
    assert prompts.words("a dog barking siren").tolist() == [0, 1, 2, 2, 3, 3, -1]


def test_an_unknown_word_keeps_its_text_and_its_place(prompts):
    texts, words = prompts.texts("a XYZ dog"), prompts.words("a XYZ dog").tolist()
    assert "XYZ" in texts
    assert words[texts.index("XYZ")] == 1
    assert words[texts.index("dog")] == 2


def test_prompts_are_padded_at_the_right_to_the_longest(prompts):
    ids, mask = prompts.padded(["a dog", "a"])
    assert ids.tolist() == [[3, 4, 1], [3, 1, 0]]
    assert mask.tolist() == [[True, True, True], [True, True, False]]
