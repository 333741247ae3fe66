"""Faults planted in the checkout's submissions, and changes of them that change nothing, for the gate to tell apart."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earwitness.submission import load_explainer, read_submission

SUBMISSIONS = Path(__file__).parents[1] / "submissions"


@dataclass(frozen=True)
class Change:
    """An edit of a submission's code."""

    title: str
    submission: str
    before: str = ""
    after: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Other parameters than the card's, of the intact explainer too."""
    changed: dict[str, Any] = field(default_factory=dict)
    """Other parameters of the changed explainer alone."""


RANDOM_FALLS = (
    "likelihoods = [np.random.default_rng(item.explainer_seed).normal(size=(len(mask), item.codes.shape[1])) "
    "for item, mask in zip(items, masks, strict=True)]"
)
RANDOM_MAPS = (
    "drawn = np.random.default_rng(item.explainer_seed)\n"
    "        spectrogram = drawn.random((len(item.tokens), *item.features.shape))\n"
    "        prefix = np.tril(drawn.random((len(item.tokens), len(item.tokens))), -1)"
)
FAULTS = {
    "prompt": (
        Change(
            "attention averaged over tokens instead of frames",
            "chefer",
            "averaged(scores, item, self.average)",
            "np.where(scores.any(axis=0), scores.mean(axis=1, keepdims=True), 0.0).mean(axis=0)",
        ),
        Change(
            "a sign flipped in gradient_input",
            "gradient_input",
            "return state_attributions(",
            "return -state_attributions(",
            parameters={"absolute": False},
        ),
        Change(
            "occlusion off by one token", "occlusion", "likelihoods[1:], words)", "likelihoods[1:], np.roll(words, 1))"
        ),
        Change(
            "an explainer that ignores the model",
            "occlusion",
            "likelihoods = masked_likelihoods(model, items, masks, Removal(self.removal), self.batch)",
            RANDOM_FALLS,
        ),
    ),
    "speech": (
        Change(
            "attention averaged over the transcript's tokens, too",
            "attention",
            'heads.mean(0) if self.reduce == "mean"',
            'heads.mean((0, 1))[None].expand(heads.shape[1:]) if self.reduce == "mean"',
        ),
        Change(
            "a sign flipped in gradient_input",
            "gradient_input",
            "SpeechMap(spectrogram=to_unit(spectrogram)",
            "SpeechMap(spectrogram=to_unit(-spectrogram)",
        ),
        Change(
            "occlusion off by one token",
            "occlusion",
            "(whole - value)[:, None, None]",
            "np.roll(whole - value, 1)[:, None, None]",
        ),
        Change(
            "an explainer that ignores the model",
            "occlusion",
            "spectrogram, prefix = self.falls(model, item)",
            RANDOM_MAPS,
        ),
    ),
}
REFACTORINGS = {
    "prompt": (
        Change("another batch size", "occlusion", changed={"batch": 3}),
        Change(
            "items in another order",
            "occlusion",
            "words = model.words([item.prompt for item in items])",
            "if len(items) > 1:\n"
            "            return [self.explain(model, item) for item in items[::-1]][::-1]\n"
            "        words = model.words([item.prompt for item in items])",
        ),
        Change(
            "a sign flipped where sizes are taken",
            "gradient_input",
            "return state_attributions(",
            "return -state_attributions(",
        ),
    ),
    "speech": (
        Change("another batch size", "occlusion", changed={"batch": 5}),
        Change(
            "items in another order",
            "occlusion",
            "    @torch.no_grad()\n    def falls",
            "    def explain_batch(self, model, items):\n"
            "        return [self.explain(model, item) for item in items[::-1]][::-1]\n\n"
            "    @torch.no_grad()\n    def falls",
        ),
    ),
}


def intact(change: Change, track: str) -> Any:
    """The explainer as it is in the checkout, with the parameters of a change."""
    explainer = load_explainer(read_submission(SUBMISSIONS / change.submission), track)
    return type(explainer)(**{**vars(explainer), **change.parameters})


def changed(change: Change, track: str, folder: Path) -> Any:
    """The explainer with a change made to a copy of its code under `folder`."""
    copy = folder / change.submission
    shutil.copytree(SUBMISSIONS / change.submission, copy, dirs_exist_ok=True)
    submission = read_submission(copy)
    path = copy / submission.card.explainers[track].file
    code = path.read_text(encoding="utf-8")
    if change.before:
        assert code.count(change.before) == 1, f"{path} does not hold, once: {change.before}"
        path.write_text(code.replace(change.before, change.after), encoding="utf-8")
    explainer = load_explainer(submission, track)
    return type(explainer)(**{**vars(explainer), **change.parameters, **change.changed})
