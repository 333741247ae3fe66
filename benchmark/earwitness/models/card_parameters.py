"""What the parameters that several adapters take may be; `earwitness.parameters` holds a card's values against them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Steps = Annotated[int, Field(ge=1, le=1000)]
"""Of a diffusion: schedules are trained on 1000."""
Guidance = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
"""How far the prompt's prediction is pushed from the null one; 1 is no guidance, 0 asks the null prompt alone."""
Strength = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
"""Share of a diffusion that a clip is sent back through."""
LONGEST = 300
"""Seconds of a generation. Models of this kind were trained on 10 s to 50 s, and what they make beyond is no claim of
theirs; five minutes are a bound of memory."""
Seconds = Annotated[float, Field(gt=0, le=LONGEST, allow_inf_nan=False)]
"""Of a generation."""
Temperature = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
"""What logits are divided by; 0 is greedy."""
Dtype = Literal["float32", "bfloat16"]
"""What weights and activations are held in."""
TopK = Annotated[int, Field(ge=0, le=10_000_000)]
"""How many of the likeliest codes may be drawn; 0, and any number beyond the codebook, leaves all."""
