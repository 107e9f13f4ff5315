"""Everything of a state that training changes: networks, buffers, optimizers, EMA."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lossagent.errors import Damaged
from lossagent.losses.base import Opponent
from lossagent.training.checkpoints import load_optimizer, optimizer_tensors, tensors_sha256
from lossagent.training.optimizers import of_discriminator, of_restorer, set_rate
from lossagent.training.ranks import Ranks
from lossagent.training.settings import TrainingSettings
from lossagent.training.shared_norm import share_statistics


class Networks:
    """The restorer with its average, and the discriminators, each with its optimizer.

    Args:
        restorer: the network that is trained, on its device.
        opponents: loss name -> adversarial loss that brings a discriminator.
        settings: optimizers, rates, EMA, memory format.
        ranks: the processes of the run, those joined by default. With several, batch norms take their statistics from
            the batch of all.
    """

    def __init__(
        self,
        restorer: nn.Module,
        opponents: Mapping[str, Opponent],
        settings: TrainingSettings,
        ranks: Ranks | None = None,
    ) -> None:
        self.restorer = restorer
        self.opponents = dict(opponents)
        self.settings = settings
        self.ranks = ranks if ranks is not None else Ranks.here()
        if self.ranks.size > 1:
            for network in (restorer, *(o.discriminator for o in opponents.values())):
                share_statistics(network)
        if settings.channels_last:
            for network in (restorer, *(o.discriminator for o in opponents.values())):
                network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(restorer).requires_grad_(False).eval() if settings.ema is not None else None
        trainable = [p for p in restorer.parameters() if p.requires_grad]
        self.optimizer = of_restorer(trainable, settings)
        self.discriminator_optimizers = {
            name: of_discriminator(list(o.discriminator.parameters()), settings) for name, o in opponents.items()
        }
        self.averaged = 0

    @property
    def scored(self) -> nn.Module:
        """The network whose images are scored."""
        return self.average if self.average is not None and self.settings.score == "ema" else self.restorer

    def set_rates(self, iteration: int, warming_up: bool) -> float:
        """Sets the learning rates of an iteration counted from S_0; returns the restorer's.

        While discriminators warm up alone the restorer rests, and they learn at their full rate.
        """
        rate, other = self.settings.rates(iteration)
        if warming_up:
            rate, other = 0.0, self.settings.discriminator_learning_rate
        set_rate(self.optimizer, rate)
        for optimizer in self.discriminator_optimizers.values():
            set_rate(optimizer, other)
        return rate

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

    def rest(self) -> None:
        """Takes everything off the accelerator; optimizers forget their state, which :meth:`load` brings back."""
        for network in self._all():
            network.to("cpu")
        for optimizer in (self.optimizer, *self.discriminator_optimizers.values()):
            optimizer.state.clear()
            optimizer.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def wake(self, device: torch.device) -> None:
        """Puts the networks where they train."""
        for network in self._all():
            network.to(device)

    def _all(self) -> list[nn.Module]:
        networks = [self.restorer, *(o.discriminator for o in self.opponents.values())]
        return [*networks, self.average] if self.average is not None else networks

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

    def everything_sha256(self) -> str:
        """Hash of the weights and buffers of all networks, to be compared between processes."""
        discriminators = {
            f"{name}.{n}": t for name, o in self.opponents.items() for n, t in o.discriminator.state_dict().items()
        }
        return tensors_sha256(
            {"restorer": torch.frombuffer(bytearray(self.sha256(), "ascii"), dtype=torch.uint8)} | discriminators
        )

    @torch.no_grad()
    def take_buffers(self) -> None:
        """Process 0's buffers, on every process: what a network of somebody's own keeps may differ between them."""
        if self.ranks.size == 1:
            return
        for buffer in (b for network in self._all() for b in network.buffers()):
            value = buffer.detach().clone(memory_format=torch.contiguous_format)
            dist.broadcast(value, src=0)
            buffer.copy_(value)

    def finite_buffers(self) -> bool:
        """Whether no running statistic caught a NaN."""
        networks = [self.restorer, *(o.discriminator for o in self.opponents.values())]
        return all(bool(torch.isfinite(b).all()) for n in networks for b in n.buffers() if b.is_floating_point())
