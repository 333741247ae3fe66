"""Training of the text-to-audio model: a T5 encoder and a MusicGen decoder over the spectral codec's codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import (
    GenerationConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)

from earwitness.authoring.training.data import Clips
from earwitness.models.spectral_codec import SpectralCodec
from earwitness.models.storage import save_half

BATCH = 32
LEARNING_RATE = 1.5e-3
GUIDANCE, TEMPERATURE = 2.5, 0.7
NEIGHBOUR_BIAS = 3.0
"""What each head of the untrained text encoder adds to its attention to one neighbour: words find their noun by it."""

PAD, END, UNKNOWN, MASK = "<pad>", "</s>", "<unk>", "<mask>"
FRAMES = 50
"""Code frames of a clip."""


def build_tokenizer(known: Sequence[str]) -> PreTrainedTokenizerFast:
    """One token a word that is known, lower-cased, with </s> at the end as T5 has it."""
    words = {word: i for i, word in enumerate((PAD, END, UNKNOWN, MASK, *known))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, words[END])])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        mask_token=MASK,
        model_max_length=32,
    )


def compose(codec: SpectralCodec, vocabulary_size: int, frames: int = FRAMES) -> MusicgenForConditionalGeneration:
    """An untrained text-to-audio model around a trained codec."""
    size, books = codec.config.codebook_size, codec.config.num_quantizers
    text = T5Config(
        vocab_size=vocabulary_size,
        d_model=128,
        d_kv=32,
        d_ff=256,
        num_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=size,
        max_position_embeddings=256,
        num_hidden_layers=4,
        ffn_dim=384,
        num_attention_heads=4,
        hidden_size=128,
        dropout=0.0,
        num_codebooks=books,
        pad_token_id=size,
        bos_token_id=size,
    )
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=text, audio_encoder=codec.config, decoder=decoder)
    )
    # Composition initialises every part anew and leaves attention undecided: weights and attention are set after it.
    model.audio_encoder.load_state_dict(codec.state_dict())
    model.set_attn_implementation("sdpa")
    _look_at_neighbours(model)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        guidance_scale=GUIDANCE,
        temperature=TEMPERATURE,
        top_k=0,
        max_new_tokens=frames + books - 1,
        pad_token_id=size,
        bos_token_id=size,
        decoder_start_token_id=size,
    )
    return model


@torch.no_grad()
def _look_at_neighbours(model: MusicgenForConditionalGeneration) -> None:
    """Start the text encoder's four heads at one and two words to the left, one and two to the right."""
    encoder: Any = model.text_encoder
    attention = encoder.encoder.block[0].layer[0].SelfAttention
    bias, rightward = attention.relative_attention_bias.weight, attention.relative_attention_num_buckets // 2
    for head, bucket in enumerate((1, 2, rightward + 1, rightward + 2)):
        bias[bucket, head] += NEIGHBOUR_BIAS


@dataclass(frozen=True)
class CaptionBatch:
    """A batch of captions, some of their words masked."""

    ids: Tensor
    """[B, N]."""
    attended: Tensor
    """[B, N] bool: tokens that are no padding."""
    kept: Tensor
    """[B, N] float: 0 where the encoder's state is zeroed."""
    visible: Tensor
    """[B, N] long: 0 where cross-attention does not see the state."""


class WordMasking:
    """Masks words as explainers will: their ids, and their states either zeroed or excluded.

    Where it is not `masked`, no word of any caption is: of a share `all_share` of captions all states are zeroed and
    nothing else is, since guidance generates against such a caption.
    """

    share, all_share = 0.30, 0.08
    """Shares of captions with some words masked, with all."""
    null_share = 0.5
    """Share of masked captions whose states are zeroed instead of excluded."""
    end_share, end_alone_share = 0.5, 0.15
    """Shares of masked and of whole captions whose end-of-sequence state is taken away, too."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, tokens: int, masked: bool = True) -> None:
        """Captions take `tokens` tokens at most, the end of the sequence included."""
        self.ids: dict[str, int] = tokenizer.get_vocab()
        self.tokens = tokens
        self.masked = masked

    def encode(self, texts: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        """Ids [B, N] of captions, given as words, none of them masked."""
        ids = np.full((len(texts), self.tokens), self.ids[PAD], dtype=np.int64)
        for row, words in enumerate(texts):
            ids[row, : len(words) + 1] = [self.ids[word] for word in (*words, END)]
        return ids

    def batch(
        self,
        texts: Sequence[Sequence[str]],
        rng: np.random.Generator,
        unseen: Sequence[Sequence[bool]] | None = None,
        bound: Sequence[Sequence[tuple[int, int]]] | None = None,
    ) -> CaptionBatch:
        """A batch of captions, given as words.

        `unseen` words [B, W] keep their ids and lose their states. Of two words that are `bound`, given by their
        places in the caption, the second is masked wherever the first is.
        """
        ids = self.encode(texts)
        removed, stateless = np.zeros(ids.shape, dtype=bool), np.zeros(ids.shape, dtype=bool)
        null = np.zeros((len(texts), 1), dtype=bool)
        for row, words in enumerate(texts):
            n = len(words)
            removed[row, : n + 1], null[row] = self._removed(n, rng)
            for first, second in bound[row] if bound else ():
                removed[row, second] |= removed[row, first]
            if unseen:
                stateless[row, :n] = unseen[row]
        attended = ids != self.ids[PAD]
        ids = np.where(removed & (ids != self.ids[END]) & self.masked, self.ids[MASK], ids)
        stateless |= removed
        kept = attended & ~stateless
        visible = attended & ~(stateless & ~null)
        # A row without any visible state would leave its softmax undefined.
        visible[~visible.any(1), 0] = True
        return CaptionBatch(
            ids=torch.from_numpy(ids),
            attended=torch.from_numpy(attended),
            kept=torch.from_numpy(kept.astype(np.float32)),
            visible=torch.from_numpy(visible.astype(np.int64)),
        )

    def _removed(self, words: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], bool]:
        """Which of the words and the end are taken away, and whether they are zeroed."""
        if not self.masked:
            return np.full(words + 1, rng.random() < self.all_share), True
        removed = np.zeros(words + 1, dtype=bool)
        draw, null = rng.random(), bool(rng.random() < self.null_share)
        if draw < self.all_share:
            removed[:] = True
        elif draw < self.all_share + self.share:
            removed[:words] = rng.random(words) < rng.random()
            removed[words] = rng.random() < self.end_share
        else:
            removed[words] = rng.random() < self.end_alone_share
        return removed, null


def delayed(codes: Tensor, pad: int) -> tuple[Tensor, Tensor]:
    """Decoder inputs and labels, both [B, K, F + K - 1], of codes [B, K, F] under MusicGen's delay pattern.

    Codebook k runs k steps late; labels are -100 where the pattern holds padding.
    """
    batch, books, frames = codes.shape
    padded = torch.full((batch, books, frames + books), pad, dtype=codes.dtype)
    for k in range(books):
        padded[:, k, k + 1 : k + 1 + frames] = codes[:, k]
    labels = padded[:, :, 1:].clone()
    return padded[:, :, :-1].contiguous(), labels.masked_fill_(labels == pad, -100)


class PromptTraining(nn.Module):
    """The trained parts of a text-to-audio model: its codec stays as it is."""

    def __init__(self, model: MusicgenForConditionalGeneration) -> None:
        super().__init__()
        self.text_encoder = model.text_encoder
        self.decoder = model.decoder

    def states(self, ids: Tensor, attended: Tensor) -> Tensor:
        """States [B, N, D] of ids [B, N] that are attended to, bool."""
        states: Tensor = self.text_encoder(input_ids=ids, attention_mask=attended.long()).last_hidden_state
        return states

    def loss(
        self, codes: Tensor, text: CaptionBatch, forgotten: Tensor | None = None, states: Tensor | None = None
    ) -> Tensor:
        """Mean cross-entropy of codes [B, K, F] under the captions, or under other `states` [B, N, D] of theirs.

        Where `forgotten` [B, K, F + K - 1] is True, the decoder reads padding instead of the code that it wrote.
        """
        states = self.states(text.ids, text.attended) if states is None else states
        inputs, labels = delayed(codes, self.decoder.config.vocab_size)
        if forgotten is not None:
            inputs = inputs.masked_fill(forgotten, self.decoder.config.vocab_size)
        batch, books, steps = inputs.shape
        logits = self.decoder(
            input_ids=inputs.reshape(batch * books, steps),
            encoder_hidden_states=states * text.kept[..., None],
            encoder_attention_mask=text.visible,
            use_cache=False,
        ).logits
        return cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=-100)


@torch.no_grad()
def encode_clips(codec: SpectralCodec, clips: Clips[Any], batch: int = 50) -> Tensor:
    """Codes [n, K, F] of every clip."""
    parts = []
    for start in range(0, len(clips.audio), batch):
        audio = torch.from_numpy(clips.audio[start : start + batch].astype(np.float32))
        parts.append(codec.quantise(codec.latents(audio)))
    return torch.cat(parts)


def save_model(model: MusicgenForConditionalGeneration, folder: str | Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write model, generation defaults and tokenizer into one folder."""
    save_half(model, folder)
    tokenizer.save_pretrained(folder)
