"""Judges with the architecture of the Audio Spectrogram Transformer (Gong, Chung and Glass, arXiv 2104.01778)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

from earwitness.judges.features import class_names, kaldi_fbank
from earwitness.models.pretrained_files import attempt, quiet, read_config, require_all, settle


class ASTJudge(nn.Module):
    """transformers' ASTForAudioClassification behind its feature extractor, both batched."""

    def __init__(self, model: ASTForAudioClassification, extractor: ASTFeatureExtractor) -> None:
        super().__init__()
        self.model = model
        self.extractor = extractor
        self.labels = class_names(model.config)
        self.sample_rate: int = extractor.sampling_rate

    @classmethod
    def from_pretrained(cls, source: str | Path, revision: str = "main", device: str = "cpu") -> ASTJudge:
        """The judge of a hub id or folder; raises ModelError where it cannot be read."""
        place = str(source)
        with quiet():
            read_config(place, revision, ASTConfig.model_type)
            model, report = attempt(
                "weights",
                place,
                lambda: ASTForAudioClassification.from_pretrained(
                    source, revision=revision, dtype=torch.float32, output_loading_info=True
                ),
            )
            extractor = attempt(
                "feature extractor", place, lambda: ASTFeatureExtractor.from_pretrained(source, revision=revision)
            )
        require_all(place, model, report)
        settle(place, model)
        return cls(model, extractor).eval().to(device)

    def features(self, audio: Tensor) -> Tensor:
        """Normalised log-mel features [B, T, M] of audio [B, S], padded or cut to the model's length."""
        extractor = self.extractor
        mel = kaldi_fbank(audio, extractor.num_mel_bins, self.sample_rate)[:, : extractor.max_length]
        mel = nn.functional.pad(mel, (0, 0, 0, extractor.max_length - mel.shape[1]))
        features: Tensor = (mel - extractor.mean) / (2 * extractor.std)
        return features

    def forward(self, audio: Tensor) -> Tensor:
        """Logits [B, C] of audio [B, S], differentiable."""
        logits: Tensor = self.model(self.features(audio)).logits
        return logits

    @torch.inference_mode()
    def logits(self, audio: Tensor) -> Tensor:
        """Logits [B, C] of audio [B, S]."""
        result: Tensor = self(audio)
        return result

    def probabilities(self, audio: Tensor) -> Tensor:
        """Softmax of the logits, [B, C], of audio [B, S]."""
        return self.logits(audio).softmax(-1)

    def presence(self, audio: Tensor) -> Tensor:
        """Sigmoid of the logits, [B, C], of audio [B, S]."""
        return self.logits(audio).sigmoid()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write model and feature extractor, weights in half precision, to be read in single precision."""
        from earwitness.models.storage import save_half

        save_half(self.model, folder)
        self.extractor.save_pretrained(folder)


def small_ast(labels: tuple[str, ...], **overrides: Any) -> ASTJudge:
    """An untrained judge of about 0.3 M parameters for clips of 2 s at 16 kHz."""
    config = ASTConfig(
        hidden_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=192,
        num_mel_bins=64,
        max_length=208,
        frequency_stride=16,
        time_stride=16,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        problem_type="multi_label_classification",
        **overrides,
    )
    extractor = ASTFeatureExtractor(  # type: ignore[no-untyped-call]
        num_mel_bins=64, max_length=208, mean=-10.0, std=3.0
    )
    return ASTJudge(ASTForAudioClassification(config), extractor)


def load(source: str | Path, revision: str = "main", device: str = "cpu") -> ASTJudge:
    """The judge of a hub id or folder; raises ModelError where it cannot be read."""
    return ASTJudge.from_pretrained(source, revision, device)
