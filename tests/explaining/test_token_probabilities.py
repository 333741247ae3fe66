from __future__ import annotations

import numpy as np
import torch

from earwitness.explaining.token_probabilities import log_probabilities


def test_log_probabilities_are_read_at_the_tokens_of_one_transcript_for_every_row() -> None:
    shares = torch.tensor([[[0.25, 0.75], [0.5, 0.5]], [[0.1, 0.9], [0.2, 0.8]]])
    found = log_probabilities(shares.log(), torch.tensor([[1, 0]])).exp()
    np.testing.assert_allclose(found.numpy(), [[0.75, 0.5], [0.9, 0.2]], rtol=1e-6)
