"""Everything of a state that training changes: networks, buffers, optimizers, EMA."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lossagent.errors import Damaged
from lossagent.losses.base import Opponent
from lossagent.training.checkpoints import load_optimizer, optimizer_tensors, tensors_sha256
from lossagent.training.settings import TrainingSettings


def adam(parameters: list[nn.Parameter], rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Fused Adam: it can skip a step by a flag on the device, without waiting for it."""
    return torch.optim.Adam(parameters, lr=rate, betas=betas, fused=True)


class Networks:
    """The restorer with its average, and the discriminators, each with its optimizer.

    Args:
        restorer: the network that is trained, on its device.
        opponents: loss name -> adversarial loss that brings a discriminator.
        settings: rates, betas, EMA, memory format.
    """

    def __init__(self, restorer: nn.Module, opponents: Mapping[str, Opponent], settings: TrainingSettings) -> None:
        self.restorer = restorer
        self.opponents = dict(opponents)
        self.settings = settings
        if settings.channels_last:
            for network in (restorer, *(o.discriminator for o in opponents.values())):
                network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(restorer).requires_grad_(False).eval() if settings.ema is not None else None
        trainable = [p for p in restorer.parameters() if p.requires_grad]
        self.optimizer = adam(trainable, settings.learning_rate, settings.betas)
        self.discriminator_optimizers = {
            name: adam(list(o.discriminator.parameters()), settings.discriminator_learning_rate, settings.betas)
            for name, o in opponents.items()
        }
        self.averaged = 0

    @property
    def scored(self) -> nn.Module:
        """The network whose images are scored."""
        return self.average if self.average is not None and self.settings.score == "ema" else self.restorer

    @torch.no_grad()
    def update_average(self) -> None:
        """EMA <- decay * EMA + (1 - decay) * weights; buffers are copied."""
        if self.average is None or self.settings.ema is None:
            return
        ours: list[Tensor] = list(self.average.parameters())
        theirs: list[Tensor] = list(self.restorer.parameters())
        # All tensors in one call: a loop over them costs more than the arithmetic.
        torch._foreach_lerp_(ours, theirs, 1 - self.settings.ema)  # pyright: ignore[reportCallIssue, reportPrivateImportUsage, reportPrivateUsage]
        for mean, current in zip(self.average.buffers(), self.restorer.buffers(), strict=True):
            mean.copy_(current)
        self.averaged += 1

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Every tensor, by file."""
        files = {"restorer": dict(self.restorer.state_dict()), "optimizer": optimizer_tensors(self.optimizer)}
        if self.average is not None:
            files["ema"] = dict(self.average.state_dict())
        for name, opponent in self.opponents.items():
            files[f"discriminator-{name}"] = dict(opponent.discriminator.state_dict())
            files[f"optimizer-{name}"] = optimizer_tensors(self.discriminator_optimizers[name])
        return files

    def state(self) -> dict[str, Any]:
        """What of the state is no tensor."""
        return {"averaged": self.averaged}

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
        """Restores all of it; values are copied into place, so memory formats stay.

        Raises:
            Damaged: a file of another experiment.
        """
        try:
            self.restorer.load_state_dict(tensors["restorer"])
            load_optimizer(self.optimizer, tensors.get("optimizer", {}))
            if self.average is not None:
                self.average.load_state_dict(tensors["ema"])
            for name, opponent in self.opponents.items():
                opponent.discriminator.load_state_dict(tensors[f"discriminator-{name}"])
                load_optimizer(self.discriminator_optimizers[name], tensors.get(f"optimizer-{name}", {}))
            self.averaged = int(state["averaged"])
        except (KeyError, RuntimeError) as error:
            raise Damaged(f"a checkpoint does not belong to this experiment: {error}") from error

    def sha256(self) -> str:
        """Hash of the restorer's weights, the averaged ones included."""
        average = self.average.state_dict() if self.average is not None else {}
        both = {f"restorer.{n}": t for n, t in self.restorer.state_dict().items()}
        return tensors_sha256(both | {f"ema.{n}": t for n, t in average.items()})

    def finite_buffers(self) -> bool:
        """Whether no running statistic caught a NaN."""
        networks = [self.restorer, *(o.discriminator for o in self.opponents.values())]
        return all(bool(torch.isfinite(b).all()) for n in networks for b in n.buffers() if b.is_floating_point())
