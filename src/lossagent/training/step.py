"""One optimizer step of the restorer under the weighted composite, and one of each discriminator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lossagent.data import Batch
from lossagent.losses import LossRepository
from lossagent.training.memory import keep_freed_memory
from lossagent.training.networks import Networks
from lossagent.training.settings import TrainingSettings
from lossagent.weights import Weights


def prepared(images: Tensor, device: torch.device, settings: TrainingSettings) -> Tensor:
    """A batch of images on the device, in the memory format of the networks."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    return images.to(device, non_blocking=True, memory_format=layout)


class Stepper:
    """Carries out steps; holds no state beside the networks.

    Args:
        networks: what is trained.
        repository: the losses.
        settings: precision, clipping, memory format.
        device: where the networks are.
    """

    def __init__(
        self, networks: Networks, repository: LossRepository, settings: TrainingSettings, device: torch.device
    ) -> None:
        self.networks, self.repository, self.settings, self.device = networks, repository, settings, device
        if device.type == "cpu":
            keep_freed_memory()
        self._parameters = [p for p in networks.restorer.parameters() if p.requires_grad]

    def autocast(self) -> torch.autocast:
        """bf16 autocast where it is asked for."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16")

    def restorer_step(self, batch: Batch, weights: Weights) -> dict[str, Tensor]:
        """One step of everything under L = sum_m w_m L_m, eq. (1).

        Returns the detached scalars of the step: ``raw/NAME``, ``total``, ``discriminator/NAME`` and the flags
        ``bad``, ``bad/NAME`` (a non-finite gradient of the restorer or of a discriminator, which made no step) and
        ``clipped``.
        """
        networks = self.networks
        degraded, target = (
            prepared(batch.lq, self.device, self.settings),
            prepared(batch.hq, self.device, self.settings),
        )
        with self.autocast():
            restored = networks.restorer(degraded)
            total, raw = self.repository.weigh(restored, target, weights)
        networks.optimizer.zero_grad()
        total.backward()
        values = {f"raw/{name}": value for name, value in raw.items()} | {"total": total.detach()}
        values["bad"], clipped = self._apply(networks.optimizer, self._parameters, self.settings.clip)
        if clipped is not None:
            values["clipped"] = clipped
        networks.update_average()
        for name in networks.opponents:
            if weights[name] > 0 or self.settings.idle_discriminator == "train":
                values |= self.discriminator_step(name, restored.detach(), target)
        return values

    def warmup_step(self, batch: Batch, names: tuple[str, ...]) -> dict[str, Tensor]:
        """One step of discriminators alone."""
        degraded, target = (
            prepared(batch.lq, self.device, self.settings),
            prepared(batch.hq, self.device, self.settings),
        )
        with torch.no_grad(), self.autocast():
            restored = self.networks.restorer(degraded)
        values: dict[str, Tensor] = {}
        for name in names:
            values |= self.discriminator_step(name, restored, target)
        return values

    def discriminator_step(self, name: str, restored: Tensor, target: Tensor) -> dict[str, Tensor]:
        """One step of one discriminator on detached images; no weight of the restorer multiplies its loss."""
        opponent = self.networks.opponents[name]
        with self.autocast():
            loss = opponent.discriminator_loss(restored, target)
        optimizer = self.networks.discriminator_optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        bad, _ = self._apply(optimizer, list(opponent.discriminator.parameters()), None)
        return {f"discriminator/{name}": loss.detach(), f"bad/{name}": bad}

    def _apply(
        self, optimizer: torch.optim.Adam, parameters: list[nn.Parameter], clip: float | None
    ) -> tuple[Tensor, Tensor | None]:
        """Steps unless the gradient is not finite; the decision stays on the device."""
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        bad = (~torch.isfinite(norm)).float()
        clipped = None
        if clip is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
            clipped = (norm > clip).float()
        optimizer.found_inf = bad  # pyright: ignore[reportAttributeAccessIssue]  (read by fused Adam: skip the step)
        optimizer.step()
        return bad, clipped
