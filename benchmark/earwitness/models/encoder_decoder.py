"""What speech-to-text encoder-decoders of transformers share behind the speech track's interface."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from transformers import GenerationMixin
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from earwitness.errors import InvalidItemError
from earwitness.explaining.batches import in_passes
from earwitness.explaining.memory import peak_bytes, rows_of
from earwitness.models.beam_search import SearchRules, search
from earwitness.models.cache_argument import cached
from earwitness.models.cached_decoder import CachedDecoder, bytes_of_utterance
from earwitness.models.pass_tally import PassTally, Rates, encoder_share
from earwitness.models.pretrained_files import attempt, quiet
from earwitness.models.shared_states import NAME, cross_cache
from earwitness.models.transcript_search import as_list, search_settings
from earwitness.models.transcript_tokens import TranscriptTokens
from earwitness.tracks.speech import Attention

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from earwitness.models.encoder_decoder_files import Parts


class EncoderDecoder(ABC):
    """A `SpeechModel` (see `earwitness.tracks.speech`) around an encoder-decoder of transformers.

    A leading dimension of 1 (one spectrogram, many prefix masks; one transcript, many spectrograms) is broadcast.
    Tokens that open every transcript (`prompt`) are forced, and no special token is generated but the end.
    """

    frame_rate: float
    bins: int
    longest: float
    stride: int
    """Frames of the spectrogram that an encoder step covers."""

    def __init__(self, parts: Parts, prompt: Sequence[int], unsaid: Sequence[int], max_tokens: int | None) -> None:
        """Freeze the module; `unsaid` are the ids that a transcript never holds, its end apart."""
        module: Any = parts.module.eval().requires_grad_(False)
        # Speech2Text does not claim this kernel, but its attention runs through the same switch as Whisper's.
        module.config._attn_implementation = "sdpa"
        self.module: nn.Module = module
        held = next(module.parameters())
        self.device: torch.device = held.device
        self._dtype = held.dtype
        self._encoding_bytes: dict[int, int] = {}
        self.sample_rate = int(parts.extractor.sampling_rate)
        self.prompt = tuple(int(token) for token in prompt)
        self._tokens = TranscriptTokens(parts.tokenizer)
        self._encoder, self._decoder = module.model.encoder, module.model.decoder
        self._head: nn.Module = module.get_output_embeddings()
        self._most = int(module.config.max_target_positions) - len(self.prompt)
        self._search = search_settings(module, len(self.prompt), unsaid, max_tokens)
        self._ends = as_list(self._search.eos_token_id)
        rates = Rates(frames=self.frame_rate, steps=self.frame_rate / self.stride)
        share = encoder_share(self._encoder, self._decoder, self._head, rates)
        self.metered = PassTally(self._encoder, self._decoder, share, rates)

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one whole utterance a call of `metered` is worth; see `PassTally`."""
        return float(kwargs["worth"])

    def features(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel spectrogram [T, M] of mono audio [S] in [-1, 1], normalised as the model was trained.

        Raises InvalidItemError where the audio is not mono, not finite, too short for a frame, or longer than the
        model takes.
        """
        if audio.ndim != 1 or not np.isfinite(audio).all():
            raise InvalidItemError(f"the audio must be finite and mono; found {list(audio.shape)}; convert the file")
        seconds = len(audio) / self.sample_rate
        if seconds > self.longest:
            raise InvalidItemError(f"the audio lasts {seconds:.1f} s and the model takes {self.longest:g} s; cut it")
        return self._extract(np.asarray(audio, dtype=np.float32))

    def encode(self, features: Tensor) -> Tensor:
        """Encoder states [B, E, D] of spectrograms [B, T, M].

        Raises InvalidItemError where there are more frames than the model takes.
        """
        most = round(self.longest * self.frame_rate)
        if features.ndim != 3 or features.shape[2] != self.bins:
            raise ValueError(f"features must be [B, T, {self.bins}]; found {list(features.shape)}")
        if not 1 <= features.shape[1] <= most:
            raise InvalidItemError(f"the spectrogram has {features.shape[1]} frames and the model takes 1 to {most}")
        window = self._window(features.to(self.device, torch.float32)).to(self._dtype)
        states: Tensor = self._encoder(window).last_hidden_state
        return states

    def transcribe(self, features: Tensor, beams: int = 5, most: int | None = None) -> list[NDArray[np.int64]]:
        """Tokens [O] of each spectrogram [B, T, M], found by beam search; O is 0 where nothing is said.

        O is `most` at most, and what the model itself bounds transcripts by. The search is transformers' own, but that
        whose transcript is settled is searched no more. As many are encoded and searched at once as fit into memory.
        """
        with torch.inference_mode():
            encode, count = self.encode, len(features)
            states = torch.cat(
                list(in_passes(lambda part: encode(features[part]), count, self._rows_encoded(features)))
            )
            steps = len(self.prompt) + min(self._most, most or self._most)
            each = bytes_of_utterance(self._decoder, self._head, states, beams, steps)
            rows = rows_of(each, count, self.device)
            passes = in_passes(lambda part: self._search_through(states[part], beams, most), count, rows)
            return [tokens for found in passes for tokens in found]

    def _rows_encoded(self, features: Tensor) -> int:
        """How many of spectrograms [B, T, M] are encoded at once; a row of T frames is weighed when first asked for."""
        frames = features.shape[1]
        if frames not in self._encoding_bytes:
            self._encoding_bytes[frames] = peak_bytes(lambda: self.encode(features[:1]))
        return rows_of(self._encoding_bytes[frames], len(features), self.device)

    def tried(self, source: str) -> Self:
        """The model itself; raises ModelError where its generation settings do not work, by a search of one token."""
        states = torch.zeros(1, 2, int(cast("Any", self.module).config.d_model), device=self.device, dtype=self._dtype)
        with torch.inference_mode():
            attempt("generation settings", source, lambda: self._search_through(states, 2, 1))
        return self

    def _search_through(self, states: Tensor, beams: int, most: int | None) -> list[NDArray[np.int64]]:
        """Tokens [O] by beam search over encoder states [B, E, D]."""
        found: list[NDArray[np.int64]] = []

        def decode(module: Any, input_ids: Tensor, logits_processor: Any, generation_config: Any, **_: Any) -> Tensor:
            decoder = CachedDecoder(self._decoder, self._head, states, input_ids)
            rules = SearchRules(
                beams=beams,
                ends=tuple(self._ends),
                most=generation_config.max_length - input_ids.shape[1],
                length_penalty=generation_config.length_penalty,
                early_stopping=generation_config.early_stopping,
            )
            found.extend(search(decoder, input_ids, logits_processor, rules))
            return input_ids

        # Of transformers' `generate` only what it makes of the settings is wanted: one beam leaves the rows single.
        settings: Any = copy.deepcopy(self._search)
        settings.update(num_beams=1, max_new_tokens=min(self._search.max_new_tokens, most or self._most))
        with quiet(), _attending(self.module, NAME):
            # The mixin itself, since Whisper's own `generate` reads timestamps as places to start again from.
            GenerationMixin.generate(
                cast("Any", self.module),
                states,
                generation_config=settings,
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                decoder_input_ids=self._opening(len(states)),
                attention_mask=None,
                custom_generate=decode,
            )
        return found

    def logits(self, features: Tensor, tokens: Tensor, prefix_mask: Tensor | None = None) -> Tensor:
        """Logits [B, O, V] of token k after tokens 0 .. k - 1, teacher-forced, differentiable in features and mask.

        Features [B, T, M], tokens [B, O], mask [B, O]; one row of any of them serves all.
        """
        hidden = self._decode(self.encode(features), tokens, prefix_mask).last_hidden_state
        # A slice in its place would have each row multiplied with a copy of the whole vocabulary's matrix.
        logits: Tensor = self._head(self._said(hidden, tokens).contiguous())
        return logits.float()

    def attention(self, features: Tensor, tokens: Tensor) -> Attention:
        """Attention of a teacher-forced pass over features [B, T, M] and tokens [B, O], in the autograd graph.

        What a model with a fixed window pays to the silence after the utterance is left out.
        """
        states = self.encode(features)
        # The implementation that also returns its weights.
        output = self._decode(states, tokens, None, "eager", output_attentions=True)
        cross = torch.stack([self._said(layer, tokens) for layer in _by_query(output.cross_attentions)], dim=1).float()
        own = torch.stack([self._said(layer, tokens) for layer in _by_query(output.attentions)], dim=1).float()
        prefix = torch.nn.functional.pad(own.transpose(2, 3)[..., len(self.prompt) :], (0, 1))
        return Attention(self._over_frames(cross.transpose(2, 3), features.shape[1]), prefix)

    def text(self, tokens: Sequence[int]) -> str:
        """The transcript of tokens [O]."""
        return self._tokens.text(tokens)

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Text of each token."""
        return self._tokens.pieces(tokens)

    def words(self, tokens: Sequence[int]) -> NDArray[np.int64]:
        """[O]: index of the whitespace-separated word of `text(tokens)` that a token belongs to."""
        return self._tokens.words(tokens)

    @abstractmethod
    def _extract(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Spectrogram [T, M] of audio [S] that is no longer than the model takes."""

    @abstractmethod
    def _window(self, features: Tensor) -> Tensor:
        """Spectrograms [B, T, M] as the module's encoder takes them."""

    def _opening(self, rows: int) -> Tensor:
        return torch.tensor([self.prompt], device=self.device).expand(rows, -1)

    def _said(self, positions: Tensor, tokens: Tensor) -> Tensor:
        """Of decoder positions [B, P + O - 1, ...] those that predict the transcript's own tokens, [B, O, ...]."""
        first = len(self.prompt) - 1
        return positions[:, first : first + tokens.shape[1]]

    def _decode(
        self, states: Tensor, tokens: Tensor, prefix_mask: Tensor | None, attention: str = NAME, **kwargs: Any
    ) -> Any:
        """A teacher-forced pass of the decoder, whose position P - 1 + k, of a prompt of P, predicts token k.

        `attention` is an implementation of attention that transformers knows.
        """
        if tokens.shape[1] > self._most:
            raise InvalidItemError(f"the transcript has {tokens.shape[1]} tokens and the model takes {self._most}")
        rows = _rows(states, tokens, prefix_mask)
        ids = torch.cat([self._opening(rows), tokens[:, :-1].to(self.device).expand(rows, -1)], dim=1)
        mask = None if prefix_mask is None else prefix_mask[:, : tokens.shape[1] - 1].to(self.device)
        cross = cross_cache(self._decoder, states, rows, ids.shape[1]) if attention == NAME else None
        cache = None if cross is None else EncoderDecoderCache(DynamicCache(), cross)
        embedding = _scaled_embedding(self._decoder.embed_tokens, mask, len(self.prompt))
        with embedding, self.metered.teacher_forced(), _attending(self.module, attention):
            return self._decoder(
                input_ids=ids,
                encoder_hidden_states=states if cache is not None else states.expand(rows, -1, -1),
                **cached(self._decoder, cache),
                # Without it Whisper's layers are not handed the cache.
                use_cache=cache is not None,
                **kwargs,
            )

    def _over_frames(self, attention: Tensor, frames: int) -> Tensor:
        """Attention [..., E] to encoder steps as attention [..., T] to frames, a step's spread over those it covers."""
        step = (torch.arange(frames, device=attention.device) // self.stride).clamp_max(attention.shape[-1] - 1)
        return attention[..., step] / torch.bincount(step)[step]


def _rows(*batches: Tensor | None) -> int:
    """The common leading dimension, 1 being broadcast; raises ValueError where there is none."""
    sizes = {len(batch) for batch in batches if batch is not None}
    if len(sizes - {1}) > 1:
        raise ValueError(f"spectrograms, tokens and masks differ in number: {sorted(sizes)}; give one of each, or one")
    return max(sizes)


@contextmanager
def _scaled_embedding(embedding: nn.Module, mask: Tensor | None, opening: int) -> Iterator[None]:
    """Multiply the embeddings of the transcript's own tokens by `mask` [B, O - 1]; positions are left alone.

    Done by a hook, since Speech2Text cannot be given embeddings instead of tokens.
    """
    if mask is None:
        yield
        return
    factor = torch.nn.functional.pad(mask.to(torch.float32), (opening, 0), value=1.0)[..., None]
    handle = embedding.register_forward_hook(lambda module, args, output: output * factor.to(output.dtype))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _attending(module: Any, implementation: str) -> Iterator[None]:
    """Attention by an implementation that transformers knows by this name."""
    usual = module.config._attn_implementation
    module.config._attn_implementation = implementation
    try:
        yield
    finally:
        module.config._attn_implementation = usual


def _by_query(layers: Sequence[Tensor]) -> list[Tensor]:
    return [layer.transpose(1, 2) for layer in layers]
