"""AudioGen behind the prompt track's interface: of audiocraft itself, or converted to transformers' MusicGen.

Published: Kreuk et al., AudioGen, arXiv 2209.15352; facebook/audiogen-medium is its form of arXiv 2306.05284.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.errors import ModelError, short
from earwitness.models import musicgen
from earwitness.models.audiogen_attention import CrossAttention, CrossPass, CrossPasses
from earwitness.models.audiogen_files import CODEC, LANGUAGE, MONO, SAMPLING, SECONDS, find, read_checkpoint
from earwitness.models.audiogen_parts import build
from earwitness.models.card_parameters import Dtype, Guidance, Seconds, Temperature, TopK
from earwitness.models.delayed_codes import CodeShape, Conditioning, DelayedCodes, require_steps
from earwitness.models.masked_attention import Masking
from earwitness.models.musicgen_files import frames_of
from earwitness.models.musicgen_sampling import Sampling
from earwitness.models.pretrained_files import adapter
from earwitness.models.prompt_tokens import PromptTokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from earwitness.models.audiogen_parts import AudioGenParts
    from earwitness.models.delayed_codes import Step

CONFIG = "config.json"


class AudioGenModel(DelayedCodes):
    """A `PromptModel` (see `earwitness.tracks.prompt`) around audiocraft's LMModel, its conditioner and its codec.

    audiocraft lets cross-attention look at padding, whose states are zero, so that a prompt beside a longer one is
    diluted; here it never does. Where values have a bias (the published ones have none), that is what the null branch
    takes from its prompt, and the removal operators `null` and `scale` differ.
    """

    def __init__(self, parts: AudioGenParts, prompts: PromptTokens, frames: int, sampling: Sampling) -> None:
        """Freeze the parts and put our own cross-attention into the language model."""
        lm, codec = parts.lm, parts.codec
        shape = CodeShape(
            sample_rate=codec.sample_rate,
            frame_rate=codec.frame_rate,
            frames=frames,
            codebooks=int(lm.n_q),
            codes=int(lm.card),
            start=int(lm.special_token_id),
        )
        super().__init__(parts, prompts, sampling, shape)
        self.metered: nn.Module = lm.transformer
        self._parts, self._lm, self._heads = parts, lm, lm.linears
        ((self._condition, self._conditioner),) = lm.condition_provider.conditioners.items()
        self._passes = CrossPasses()
        for layer in lm.transformer.layers:
            layer.cross_attention = CrossAttention(layer.cross_attention, self._passes)

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one whole sequence a call of `metered` with these arguments is worth."""
        rows, steps = (args[0] if args else kwargs["x"]).shape[:2]
        return float(rows * steps / self.steps)

    def audio(self, codes: Tensor) -> Tensor:
        """Audio [B, S] of codes [B, K, F]."""
        with torch.no_grad():
            return self._parts.audio(codes)[:, 0]

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self._conditioner({"input_ids": ids, "attention_mask": mask.long()})[0]
        return states

    def _whole(self, delayed: Tensor, given: Conditioning | None, record: list[Tensor] | None = None) -> Tensor:
        if given is None:
            # Of the null branch, whose states are zero, nothing of the states is read.
            states = self._heads[0].weight.new_zeros(len(delayed), 1, self._lm.dim)
            one = CrossPass(None, Masking())
        else:
            states, one = given.states, CrossPass(given.bias, given.throughout(record))
        with self._passes.during(one):
            return self._hidden(delayed, states)

    @contextmanager
    def _stepping(self, given: Conditioning, halves: int) -> Iterator[Step]:
        one = CrossPass(given.bias, Masking())

        def step_on(column: Tensor, step: int) -> Tensor:
            one.masking = given.at(step)
            return self._hidden(column[:, :, None], given.states)[:, -1]

        with self._lm.streaming(), self._passes.during(one):
            yield step_on

    def _hidden(self, codes: Tensor, states: Tensor) -> Tensor:
        """Final hidden states [R, T, D] of decoder input [R, K, T], as LMModel's pass has them before its heads."""
        lm = self._lm
        read = sum(embedding(codes[:, k]) for k, embedding in enumerate(lm.emb))
        read, source = lm.fuser(read, {self._condition: (states, None)})
        hidden: Tensor = lm.transformer(read, cross_attention_src=source)
        return hidden if lm.out_norm is None else lm.out_norm(hidden)


@adapter
def from_pretrained(
    source: str,
    revision: str = "main",
    device: str = "cpu",
    *,
    seconds: Seconds | None = None,
    guidance: Guidance | None = None,
    temperature: Temperature | None = None,
    top_k: TopK | None = None,
    dtype: Dtype = "float32",
) -> DelayedCodes:
    """The model of a hub id or a folder: of audiocraft's two files, or as MusicGen of transformers.

    audiocraft's files (state_dict.bin, compression_state_dict.bin) are read through audiocraft, which must be
    installed; its text encoder is a hub id or a folder, also one of that name beside the files. A folder that
    `earwitness.models.audiogen_conversion` wrote is read as the adapter `musicgen` does. Parameters left at None are
    those of audiocraft's AudioGen, 5 s, a guidance of 3, a temperature of 1 and the 250 likeliest codes, or those of
    the folder's generation_config.json, where they are the same unless changed. `dtype` is as `musicgen` has it.
    Raises ModelError where the source is neither, cannot be read, or is stereo, conditioned on sound, not
    autoregressive or of another pattern of codes.
    """
    if find(source, LANGUAGE, revision) is None:
        if find(source, CONFIG, revision) is None:
            raise ModelError(_neither(source))
        return musicgen.from_pretrained(
            source, revision, device, seconds=seconds, guidance=guidance, temperature=temperature, top_k=top_k,
            dtype=dtype,
        )  # fmt: skip
    parts, tokenizer = build(read_checkpoint(source, revision))
    frames = frames_of(source, SECONDS if seconds is None else seconds, parts.codec.frame_rate)
    sampling = Sampling(
        guidance=SAMPLING.guidance if guidance is None else guidance,
        temperature=SAMPLING.temperature if temperature is None else temperature,
        top_k=SAMPLING.top_k if top_k is None else top_k,
    )
    parts.lm.to(getattr(torch, dtype))
    parts.text_encoder.to(getattr(torch, dtype))
    model = AudioGenModel(parts.to(device), PromptTokens(tokenizer), frames, sampling)
    require_steps(source, model)
    return model


def _neither(source: str) -> str:
    there = sorted(path.name for path in Path(source).iterdir())[:5] if Path(source).is_dir() else []
    found = f"it has {', '.join(there)}" if there else "it has none of them"
    return short(
        f"{source} is no AudioGen: {found}; give a folder or a hub id with audiocraft's {LANGUAGE} and {CODEC}, as "
        f"{MONO} has, or a folder that python -m earwitness.models.audiogen_conversion wrote"
    )
