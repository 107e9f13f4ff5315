"""One optimizer step of the restorer under the weighted composite, and one of each discriminator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lossagent.data import Batch
from lossagent.losses import Example, LossRepository
from lossagent.training.gradients import GradientMean
from lossagent.training.memory import keep_freed_memory
from lossagent.training.networks import Networks
from lossagent.training.settings import TrainingSettings
from lossagent.weights import Weights


def prepared(images: Tensor, device: torch.device, settings: TrainingSettings) -> Tensor:
    """A batch of images on the device, in the memory format of the networks."""
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    return images.to(device, non_blocking=True, memory_format=layout)


@dataclass(frozen=True)
class Micro:
    """A micro-batch on the device: what one forward and backward pass sees.

    Attributes:
        degraded: inputs of the restorer.
        target: ground truth.
        sharpened: sharpened ground truth, where there is one.
    """

    degraded: Tensor
    target: Tensor
    sharpened: Tensor | None


class Stepper:
    """Carries out steps; holds no state beside the networks.

    With several processes each brings its share of the batch, and gradients are averaged over them before the step:
    every process then makes the same step, and comes to the same decision to skip it.

    Args:
        networks: what is trained, and the processes that train it.
        repository: the losses.
        settings: precision, accumulation, clipping, memory format.
        device: where the networks are.
    """

    def __init__(
        self, networks: Networks, repository: LossRepository, settings: TrainingSettings, device: torch.device
    ) -> None:
        self.networks, self.repository, self.settings, self.device = networks, repository, settings, device
        if device.type == "cpu":
            keep_freed_memory()
        self.mean_gradients = GradientMean(networks.ranks)
        self._parameters = [p for p in networks.restorer.parameters() if p.requires_grad]

    def autocast(self) -> torch.autocast:
        """bf16 autocast where it is asked for."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16")

    def example(self, batch: Batch) -> Example:
        """A whole batch on the device, with what the averaged restorer makes of it."""
        whole = self._micro(batch, 1)[0]
        return Example(whole.degraded, whole.target, whole.sharpened, self._average(whole.degraded))

    def restorer_step(self, batch: Batch, weights: Weights) -> dict[str, Tensor]:
        """One step of everything under L = sum_m w_m L_m, eq. (1).

        Returns the detached scalars of the step, of this process's share: ``raw/NAME``, ``total``,
        ``discriminator/NAME`` and the flags ``bad``, ``bad/NAME`` (a non-finite gradient of the restorer or of a
        discriminator, which made no step) and ``clipped``.
        """
        networks = self.networks
        parts = self._micro(batch, self.settings.accumulate)
        networks.optimizer.zero_grad()
        found: list[dict[str, Tensor]] = []
        images: list[tuple[Tensor, Tensor]] = []
        for part in parts:
            with self.autocast():
                restored = networks.restorer(part.degraded)
                total, raw = self.repository.weigh(
                    restored,
                    part.target,
                    weights,
                    sharpened=part.sharpened,
                    average=self._average(part.degraded),
                )
            _shared(total, len(parts)).backward()
            found.append({f"raw/{name}": value for name, value in raw.items()} | {"total": total.detach()})
            images.append((restored.detach(), part.target))
        self.mean_gradients("the restorer", self._parameters)
        values = _means(found)
        values["bad"], clipped = self._apply(networks.optimizer, self._parameters, self.settings.clip)
        if clipped is not None:
            values["clipped"] = clipped
        networks.update_average()
        for name in networks.opponents:
            if weights[name] > 0 or self.settings.idle_discriminator == "train":
                values |= self.discriminator_step(name, images)
        return values

    def warmup_step(self, batch: Batch, names: tuple[str, ...]) -> dict[str, Tensor]:
        """One step of discriminators alone."""
        images: list[tuple[Tensor, Tensor]] = []
        for part in self._micro(batch, self.settings.accumulate):
            with torch.no_grad(), self.autocast():
                images.append((self.networks.restorer(part.degraded), part.target))
        values: dict[str, Tensor] = {}
        for name in names:
            values |= self.discriminator_step(name, images)
        return values

    def discriminator_step(self, name: str, images: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """One step of one discriminator on detached images; no weight of the restorer multiplies its loss.

        Args:
            name: its loss.
            images: (restored, target) of each micro-batch.
        """
        opponent = self.networks.opponents[name]
        optimizer = self.networks.discriminator_optimizers[name]
        optimizer.zero_grad()
        found: list[dict[str, Tensor]] = []
        for restored, target in images:
            with self.autocast():
                loss = opponent.discriminator_loss(restored, target)
            _shared(loss, len(images)).backward()
            found.append({f"discriminator/{name}": loss.detach()})
        parameters = list(opponent.discriminator.parameters())
        self.mean_gradients(f"discriminator {name}", parameters)
        bad, _ = self._apply(optimizer, parameters, None)
        return _means(found) | {f"bad/{name}": bad}

    def _micro(self, batch: Batch, count: int) -> list[Micro]:
        """The batch on the device, cut into micro-batches of equal size."""
        degraded, target = (prepared(i, self.device, self.settings) for i in (batch.lq, batch.hq))
        sharpened = prepared(batch.sharpened, self.device, self.settings) if batch.sharpened is not None else None
        if count == 1:
            return [Micro(degraded, target, sharpened)]
        size = len(degraded) // count
        cuts = [slice(start, start + size) for start in range(0, len(degraded), size)]
        return [Micro(degraded[c], target[c], sharpened[c] if sharpened is not None else None) for c in cuts]

    def _average(self, degraded: Tensor) -> Callable[[], Tensor] | None:
        """Gives the averaged restorer's output when it is wanted."""
        average = self.networks.average
        if average is None:
            return None

        def output() -> Tensor:
            with torch.no_grad(), self.autocast():
                return average(degraded)

        return output

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


def _shared(loss: Tensor, parts: int) -> Tensor:
    """A micro-batch's part in the mean over micro-batches."""
    return loss if parts == 1 else loss / parts


def _means(found: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Means over micro-batches, on the device."""
    if len(found) == 1:
        return found[0]
    return {name: torch.stack([values[name] for values in found]).mean() for name in found[0]}
