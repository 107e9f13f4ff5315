"""Optimizers that can skip a step by a flag on the device, without waiting for it."""

from __future__ import annotations

import torch
from torch import nn

from lossagent.training.settings import TrainingSettings


def of_restorer(parameters: list[nn.Parameter], settings: TrainingSettings) -> torch.optim.Adam:
    """The restorer's optimizer: fused Adam [Kingma & Ba, arXiv 1412.6980] or AdamW [Loshchilov & Hutter, 1711.05101].

    Args:
        parameters: what it moves.
        settings: kind, rate, betas, weight decay (L2 in the gradient for Adam, decoupled for AdamW).
    """
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[settings.optimizer](
        parameters, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay, fused=True
    )


def of_discriminator(parameters: list[nn.Parameter], settings: TrainingSettings) -> torch.optim.Adam:
    """A discriminator's: fused Adam without weight decay, whatever the restorer's is."""
    return torch.optim.Adam(parameters, lr=settings.discriminator_learning_rate, betas=settings.betas, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
