"""Training of the speech-to-text models: Speech2Text over the spoken world, for recognition and for translation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, ctc_loss
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Speech2TextConfig,
    Speech2TextForConditionalGeneration,
)

from earwitness.authoring.training.loop import TrainingCheckpoint, TrainingPlan, fit
from earwitness.authoring.training.utterances import BINS, Corpus, Variation, build_extractor, pad
from earwitness.models.storage import save_half
from earwitness.worlds.commands import TRANSLATIONS, vocabulary
from earwitness.worlds.spoken import Utterance

START, PAD, END, UNKNOWN = "<s>", "<pad>", "</s>", "<unk>"
SPECIAL = (START, PAD, END, UNKNOWN)
BATCH = 32
LEARNING_RATE = 1.5e-3
SHORT_FIRST = 1000
"""Steps in which only the shorter half of the utterances is heard."""
LABEL_SMOOTHING = 0.02
BEAMS = 5
MOST_TOKENS = 16
"""Tokens of the longest transcript that is decoded; commands have up to seven."""

Target = Literal["words", "translation"]


def reference(said: Utterance, target: Target) -> str:
    """What a model of a target is to write."""
    return said.text if target == "words" else said.translation


def build_tokenizer(target: Target) -> PreTrainedTokenizerFast:
    """One token a word of the language that is written, with </s> at the end."""
    words = vocabulary() if target == "words" else tuple(TRANSLATIONS[word] for word in vocabulary())
    ids = {word: i for i, word in enumerate((*SPECIAL, *words))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, ids[END])])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=START,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=64,
    )


def compose(vocabulary_size: int) -> Speech2TextForConditionalGeneration:
    """An untrained model of 1.2 million parameters: two convolutions of stride 2, four encoder layers, two decoder."""
    start, padding, end = (SPECIAL.index(token) for token in (START, PAD, END))
    config = Speech2TextConfig(
        vocab_size=vocabulary_size,
        d_model=128,
        encoder_layers=4,
        encoder_attention_heads=4,
        encoder_ffn_dim=384,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=384,
        conv_channels=128,
        input_feat_per_channel=BINS,
        max_source_positions=1024,
        max_target_positions=64,
        # Noise and removed patches do what dropout would, for less time.
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        bos_token_id=start,
        pad_token_id=padding,
        eos_token_id=end,
        # Speech2Text begins every transcript with the end token.
        decoder_start_token_id=end,
    )
    model = Speech2TextForConditionalGeneration(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=start,
        pad_token_id=padding,
        eos_token_id=end,
        decoder_start_token_id=end,
        num_beams=BEAMS,
        max_new_tokens=MOST_TOKENS,
    )
    return model


@dataclass(frozen=True)
class UtteranceBatch:
    """Varied utterances and what is to be written of them."""

    features: Tensor
    """[B, T, M]."""
    real: Tensor
    """[B, T] long: 0 where a frame is padding."""
    inputs: Tensor
    """[B, O + 1]: the start token and the tokens."""
    labels: Tensor
    """[B, O + 1]: the tokens and the end token; -100 where there is none."""
    kept: Tensor
    """[B, O + 1]: 0 where the embedding of an input is zeroed."""


class Dictation:
    """Makes batches of a corpus, in which sound and earlier tokens are removed as explainers will.

    Where it is not `masked`, no patch or cell of the sound is removed and no earlier token is zeroed; noise, and whole
    bands and stretches (SpecAugment), stay.
    """

    prefix_share = 0.15
    """Share of utterances of which a random share of the earlier tokens is zeroed."""

    def __init__(self, corpus: Corpus, target: Target, variation: Variation | None = None, masked: bool = True) -> None:
        self.corpus = corpus
        self.target = target
        self.variation = variation or Variation()
        if not masked:
            self.variation, self.prefix_share = replace(self.variation, patch_share=0.0), 0.0
        ids = build_tokenizer(target).get_vocab()
        self.tokens = [[ids[word] for word in reference(said, target).split()] for said in corpus.utterances]

    def batch(self, rng: np.random.Generator, size: int = BATCH, short: bool = False) -> UtteranceBatch:
        """Utterances of similar length, drawn and varied at random; with `short`, none of the longer half."""
        chosen = self.corpus.draw(rng, size, short)
        features, real = pad([self.variation.features(self.corpus.spectrogram(i), rng) for i in chosen])
        rows = [self.tokens[i] for i in chosen]
        padding, end = SPECIAL.index(PAD), SPECIAL.index(END)
        inputs = np.full((size, 1 + max(map(len, rows))), padding, dtype=np.int64)
        labels = np.full(inputs.shape, -100, dtype=np.int64)
        kept = np.ones(inputs.shape, dtype=np.float32)
        for row, tokens in enumerate(rows):
            inputs[row, : len(tokens) + 1] = [end, *tokens]
            labels[row, : len(tokens) + 1] = [*tokens, end]
            if rng.random() < self.prefix_share:
                kept[row, 1:] = rng.random(inputs.shape[1] - 1) >= rng.random()
        arrays = (features, real.astype(np.int64), inputs, labels, kept)
        return UtteranceBatch(*(torch.from_numpy(array) for array in arrays))


class SpeechTraining(nn.Module):
    """A model whose decoder reads embeddings of earlier tokens that may be zeroed.

    In recognition the encoder alone names the words, too, in their order: hybrid CTC/attention (Watanabe et al., IEEE
    JSTSP 2017), which tells the encoder where in the sound its words are. The head that does so is no
    part of the model.
    """

    ctc_share = 0.3
    """Weight of the encoder's loss beside the decoder's."""

    def __init__(self, model: Speech2TextForConditionalGeneration, target: Target) -> None:
        super().__init__()
        self.model = model
        monotone = target == "words"
        self.heard = nn.Linear(model.config.d_model, model.config.vocab_size) if monotone else None

    def loss(self, batch: UtteranceBatch) -> Tensor:
        """Mean cross-entropy of the tokens of a batch, and what the encoder alone makes of them."""

        def keep(_: nn.Module, __: Any, embedded: Tensor) -> Tensor:
            return embedded * batch.kept[..., None]

        hook = self.model.model.decoder.embed_tokens.register_forward_hook(keep)
        try:
            found = self.model(
                input_features=batch.features,
                attention_mask=batch.real,
                decoder_input_ids=batch.inputs,
                use_cache=False,
            )
        finally:
            hook.remove()
        written = cross_entropy(found.logits.flatten(0, 1), batch.labels.flatten(), label_smoothing=LABEL_SMOOTHING)
        if self.heard is None:
            return written
        return written + self.ctc_share * self._hearing(self.heard(found.encoder_last_hidden_state), batch)

    def _hearing(self, logits: Tensor, batch: UtteranceBatch) -> Tensor:
        """CTC loss of an encoder's logits [B, E, V]; padding stands for its blank."""
        steps = self.model.model.encoder._get_feat_extract_output_lengths(batch.real.sum(1))
        said = (batch.labels >= 0) & (batch.labels != SPECIAL.index(END))
        scores = logits.log_softmax(-1).transpose(0, 1)
        return ctc_loss(scores, batch.labels[said], steps, said.sum(1), blank=SPECIAL.index(PAD))


def train_speech(
    model: Speech2TextForConditionalGeneration,
    dictation: Dictation,
    plan: TrainingPlan,
    checkpoint: TrainingCheckpoint,
    visit: Callable[[TrainingCheckpoint], None] | None = None,
) -> float:
    """Train a composed model in place; the seconds it took."""
    training = SpeechTraining(model, dictation.target)

    def loss(step: int, rng: np.random.Generator) -> Tensor:
        return training.loss(dictation.batch(rng, short=step < SHORT_FIRST))

    seconds = fit(training, loss, plan, checkpoint, visit)
    model.train(False)
    return seconds


def save_model(model: Speech2TextForConditionalGeneration, target: Target, folder: str | Path) -> None:
    """Write model, generation defaults, feature extractor and tokenizer into one folder."""
    save_half(model, folder)
    build_extractor().save_pretrained(folder)
    build_tokenizer(target).save_pretrained(folder)
