"""MusicGen of transformers behind the prompt track's interface; also reads AudioGen weights in that format.

Published: Copet et al., Simple and Controllable Music Generation, arXiv 2306.05284 (delay pattern, guidance).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from earwitness.models.cache_argument import cached
from earwitness.models.card_parameters import Dtype, Guidance, Seconds, Temperature, TopK
from earwitness.models.delayed_codes import CodeShape, Conditioning, DelayedCodes, require_steps
from earwitness.models.kv_cache import decoding_cache
from earwitness.models.masked_attention import NAME
from earwitness.models.musicgen_files import generation_frames, load_parts
from earwitness.models.musicgen_sampling import Sampling, chosen_sampling
from earwitness.models.pretrained_files import adapter
from earwitness.models.prompt_tokens import PromptTokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from earwitness.models.delayed_codes import Step


class MusicgenModel(DelayedCodes):
    """A `PromptModel` (see `earwitness.tracks.prompt`) around transformers' MusicgenForConditionalGeneration.

    MusicGen projects values without bias, so the value of the null state is zero and the removal operators `null`
    and `scale` do the same; they differ in models whose values have a bias. A leading dimension of 1 (one prompt,
    many masks; one sound, many prompts) is broadcast.
    """

    def __init__(self, module: nn.Module, tokenizer: Any, frames: int, sampling: Sampling) -> None:
        """Freeze the module, set its decoder's attention function, and read sizes from its configuration."""
        config: Any = module.config
        config.decoder._attn_implementation = NAME
        decoder: Any = module.decoder
        shape = CodeShape(
            sample_rate=int(config.audio_encoder.sampling_rate),
            frame_rate=float(config.audio_encoder.frame_rate),
            frames=frames,
            codebooks=int(config.decoder.num_codebooks),
            codes=int(config.decoder.vocab_size),
            start=int(config.decoder.pad_token_id),
        )
        super().__init__(module, PromptTokens(tokenizer), sampling, shape)
        self.metered: nn.Module = decoder.model.decoder
        self._heads = decoder.lm_heads
        self._codec: Any = module.audio_encoder
        self._layers = int(config.decoder.num_hidden_layers)

    def sequences(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
        """How many passes over one whole sequence a call of `metered` with these arguments is worth."""
        ids = kwargs.get("input_ids", args[0] if args else None)
        if ids is not None:
            return float(ids.numel() / (self.codebooks * self.steps))
        rows, steps = kwargs["inputs_embeds"].shape[:2]
        return float(rows * steps / self.steps)

    def audio(self, codes: Tensor) -> Tensor:
        """Audio [B, S] of codes [B, K, F]."""
        with torch.no_grad():
            audio: Tensor = self._codec.decode(codes[None], [None]).audio_values
        return audio[:, 0]

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        module: Any = self.module
        states: Tensor = module.text_encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        if hasattr(module, "enc_to_dec_proj"):
            states = module.enc_to_dec_proj(states)
        return states

    def _whole(self, delayed: Tensor, given: Conditioning | None, record: list[Tensor] | None = None) -> Tensor:
        # States of the null branch are zero and values have no bias: its cross-attention adds nothing and is left out.
        conditioned: dict[str, Any] = {}
        if given is not None:
            conditioned = self._conditioned(given.states, given) | {"masking": given.throughout(record)}
        ids = delayed.flatten(0, 1)
        hidden: Tensor = self.metered(input_ids=ids, **conditioned, use_cache=False).last_hidden_state
        return hidden

    @contextmanager
    def _stepping(self, given: Conditioning, halves: int) -> Iterator[Step]:
        states = given.states if halves == 1 else torch.cat([given.states, torch.zeros_like(given.states)])
        kept = self._conditioned(states, given) | cached(self.metered, decoding_cache(self._layers, self.steps))

        def step_on(column: Tensor, step: int) -> Tensor:
            hidden: Tensor = self.metered(
                input_ids=column.reshape(-1, 1), **kept, masking=given.at(step), use_cache=True
            ).last_hidden_state
            return hidden[:, -1]

        yield step_on

    @staticmethod
    def _conditioned(states: Tensor, given: Conditioning) -> dict[str, Any]:
        return {"encoder_hidden_states": states, "encoder_attention_mask": given.bias}


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
) -> MusicgenModel:
    """The model of a hub id or a folder in the hub's format.

    Parameters left at None come from the folder's generation_config.json: codes are drawn unless its `do_sample` is
    false, which is a temperature of 0, so that the likeliest code is taken and seeds do not matter. What it leaves
    open, too, is transformers' default: no guidance, a temperature of 1, the 50 likeliest codes. `seconds` go to five
    minutes; the published checkpoints were trained on 30 s. `dtype` is what text encoder and decoder are held in
    and compute in; states, logits, attention and the codec are float32 in any case. Raises ModelError where the
    source cannot be read, is no mono MusicGen, does not say how long a generation is, asks for another way of
    drawing codes, or where a parameter is none that it takes.
    """
    module, tokenizer = load_parts(source, revision, device, dtype)
    given = {"guidance": guidance, "temperature": temperature, "top_k": top_k}
    sampling = chosen_sampling(source, module.generation_config, given)
    model = MusicgenModel(module, tokenizer, generation_frames(source, module, seconds), sampling)
    require_steps(source, model)
    return model
