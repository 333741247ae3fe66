"""Reading an AudioLDM2 pipeline from the hub or from a folder in its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from earwitness.errors import ModelError
from earwitness.models.cache_argument import take_either_name
from earwitness.models.pipeline_files import quiet_diffusers, read_index, read_pipeline, settled
from earwitness.models.pretrained_files import attempt, named, quiet
from earwitness.models.prompt_tokens import require_fast
from earwitness.tracks.band import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES = 8
"""That the language model generates where its configuration does not say: diffusers' default."""


def load_pipeline(source: str, revision: str, device: str) -> Any:
    """The pipeline in float32; raises ModelError, in one line, where it cannot be read or is of another kind."""
    from diffusers import AudioLDM2Pipeline

    index = read_index(source, revision, AudioLDM2Pipeline)
    _require_classes(source, index)
    pipeline = read_pipeline(source, revision, AudioLDM2Pipeline, index)
    require_fast(pipeline.tokenizer_2, f"T5 tokenizer of {source}")
    pipeline.register_modules(language_model=_with_head(pipeline.language_model))
    settled(source, pipeline, device)
    _require_prompts(source, pipeline, torch.device(device))
    return pipeline


def _require_classes(source: str, index: Mapping[str, tuple[str, str]]) -> None:
    """Raise ModelError where the prompt's words do not go through a T5 encoder, or no GPT-2 follows."""
    words, states = index["text_encoder_2"][1], index["language_model"][1]
    if words != "T5EncoderModel":
        raise ModelError(
            f"the second text encoder of {source} is {named(words)}, not a T5EncoderModel; take an AudioLDM2 for sound "
            "or music, such as cvssp/audioldm2"
        )
    if states not in ("GPT2LMHeadModel", "GPT2Model"):
        raise ModelError(
            f"the language model of {source} is {named(states)}, not a GPT2LMHeadModel or a GPT2Model; save the "
            "pipeline with one of them"
        )


def _with_head(model: Any) -> nn.Module:
    """The language model as diffusers generates with it, a GPT2LMHeadModel.

    Published indices name the bare GPT2Model, whose output head is its embedding. Generation reads hidden states alone,
    so that the head is never run; what the bare class lacks is the generation interface. Diffusers calls the cache
    by its name of before.
    """
    from transformers import GPT2LMHeadModel, GPT2Model

    headed: nn.Module = model
    if isinstance(model, GPT2Model):
        with torch.device("meta"):
            headed = GPT2LMHeadModel(model.config)
        headed.transformer = model
        headed.lm_head.weight = model.wte.weight
    whole: Any = headed
    if getattr(whole.config, "max_new_tokens", None) is None:
        whole.config.max_new_tokens = whole.generation_config.max_new_tokens or STATES
    take_either_name(whole)
    return headed


def _require_prompts(source: str, pipeline: Any, device: torch.device) -> None:
    """Raise ModelError where the text encoders, the projection and the language model do not work on a prompt."""
    with torch.no_grad(), quiet(), quiet_diffusers():
        states, _, other = attempt("text encoders", source, lambda: pipeline.encode_prompt("a bell", device, 1, False))
    if not (states.isfinite().all() and other.isfinite().all()):
        raise ModelError(f"the text encoders of {source} give states that are not finite; take other weights")


def word_layers(denoiser: Any) -> list[nn.Module]:
    """The cross-attention layers of an AudioLDM2 denoiser over its T5 stream, in the order of a pass.

    A block hands its third attention and those after it the second stream, which is T5's; the first two have the
    language model's, or none.
    """
    blocks = [*denoiser.down_blocks, denoiser.mid_block, *denoiser.up_blocks]
    found: list[nn.Module] = []
    for block in blocks:
        attentions = getattr(block, "attentions", None)
        if attentions is None:
            continue
        widths = block.cross_attention_dim
        for number, transformer in enumerate(attentions):
            place = number % len(widths)
            if place > 1 and widths[place] is not None:
                found += [layer.attn2 for layer in transformer.transformer_blocks]
    return found


def empty_prompt(pipeline: Any, tokens: int, device: torch.device) -> Text:
    """The empty prompt with its T5 tokens padded to a number, through both text streams."""
    clap, t5 = (
        tokenizer("", padding="max_length", max_length=length, truncation=True, return_tensors="pt").to(device)
        for tokenizer, length in (
            (pipeline.tokenizer, pipeline.tokenizer.model_max_length),
            (pipeline.tokenizer_2, tokens),
        )
    )
    heard = pipeline.text_encoder.get_text_features(clap.input_ids, attention_mask=clap.attention_mask)
    heard = getattr(heard, "pooler_output", heard)[:, None]
    states = pipeline.text_encoder_2(t5.input_ids, attention_mask=t5.attention_mask)[0]
    joined = pipeline.projection_model(
        hidden_states=heard,
        hidden_states_1=states,
        attention_mask=clap.attention_mask.new_ones((1, 1)),
        attention_mask_1=t5.attention_mask,
    )
    other = pipeline.generate_language_model(
        joined.hidden_states, attention_mask=joined.attention_mask, max_new_tokens=None
    )
    return Text(states, t5.attention_mask.bool(), other)
