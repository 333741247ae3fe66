"""A small convolutional judge over root-compressed mel spectra, registered with transformers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForAudioClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from earwitness.judges.features import class_names, mel_filters
from earwitness.models.pretrained_files import attempt, quiet, read_config, require_all, settle


class CNNJudgeConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Shape of a convolutional judge."""

    model_type = "cnn_judge"

    sampling_rate: int = 16_000
    n_fft: int = 1024
    hop_length: int = 320
    num_mel_bins: int = 48
    exponent: float = 0.3
    """Power that the mel magnitudes are compressed with."""
    widths: tuple[int, ...] | list[int] = (24, 48, 72, 72)


class CNNJudge(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Says which classes sound, by convolutions over time and frequency."""

    config_class = CNNJudgeConfig
    main_input_name = "input_values"

    def __init__(self, config: CNNJudgeConfig) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise((1, *config.widths))):
            kernel, stride = (3, 2) if number else (5, 2)
            layers += [
                nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.labels = class_names(config)
        self.classifier = nn.Linear(2 * config.widths[-1], len(self.labels))
        self.sample_rate = config.sampling_rate
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep torch's own initialisation."""

    def features(self, audio: Tensor) -> Tensor:
        """Compressed mel magnitudes [B, 1, T, M] of audio [B, S]."""
        config = self.config
        window = torch.hann_window(config.n_fft, device=audio.device)
        spectrum = torch.stft(audio, config.n_fft, config.hop_length, window=window, return_complex=True).abs()
        filters = mel_filters(config.n_fft, config.num_mel_bins, config.sampling_rate, "htk").to(audio.device)
        return (spectrum.transpose(1, 2) @ filters).clamp_min(1e-6).pow(config.exponent)[:, None]

    def forward(self, input_values: Tensor, **_: object) -> SequenceClassifierOutput:
        """Logits [B, C] of audio [B, S], differentiable."""
        maps = self.convolutions(self.features(input_values)).mean(3)
        pooled = torch.cat([maps.mean(2), maps.amax(2)], 1)
        return SequenceClassifierOutput(logits=self.classifier(pooled))

    @torch.inference_mode()
    def logits(self, audio: Tensor) -> Tensor:
        """Logits [B, C] of audio [B, S]."""
        result: Tensor = self(audio).logits
        return result

    def probabilities(self, audio: Tensor) -> Tensor:
        """Softmax of the logits, [B, C], of audio [B, S]."""
        return self.logits(audio).softmax(-1)

    def presence(self, audio: Tensor) -> Tensor:
        """Sigmoid of the logits, [B, C], of audio [B, S]."""
        return self.logits(audio).sigmoid()


def small_cnn(labels: tuple[str, ...]) -> CNNJudge:
    """An untrained judge of about 0.1 M parameters."""
    config = CNNJudgeConfig(id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)})
    return CNNJudge(config)


def load(source: str | Path, revision: str = "main", device: str = "cpu") -> CNNJudge:
    """The judge of a hub id or folder; raises ModelError where it cannot be read."""
    place = str(source)
    with quiet():
        read_config(place, revision, CNNJudgeConfig.model_type)
        judge, report = attempt(
            "weights",
            place,
            lambda: CNNJudge.from_pretrained(source, revision=revision, dtype=torch.float32, output_loading_info=True),
        )
    require_all(place, judge, report)
    settle(place, judge)
    judge.train(False)
    judge.to(device)
    return cast("CNNJudge", judge)


AutoConfig.register(CNNJudgeConfig.model_type, CNNJudgeConfig, exist_ok=True)
AutoModelForAudioClassification.register(CNNJudgeConfig, CNNJudge, exist_ok=True)
