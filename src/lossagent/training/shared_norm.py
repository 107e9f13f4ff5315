"""Batch normalisation over the batch of all processes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lossagent.losses._ranks import mean_over_ranks
from lossagent.training.ranks import Ranks

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class SharedBatchNorm(nn.Module):
    """Batch norm [Ioffe & Szegedy, ICML 2015, arXiv 1502.03167] whose statistics are those of all processes' images.

    Equal shares on every process are presumed. Parameters, buffers and their names are those of the layer it stands in
    for, so checkpoints fit both ways. PyTorch's own synchronised layer runs on GPUs alone; this one is the same code
    everywhere. Two means are sent forward and two backward, each of one number a channel.

    Args:
        plain: the layer it stands in for; parameters and buffers are taken over, not copied.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, plain: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) -> None:
        super().__init__()
        self.eps, self.momentum = plain.eps, plain.momentum
        self.register_parameter("weight", plain.weight)
        self.register_parameter("bias", plain.bias)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(plain, name))
        self.training = plain.training

    def forward(self, x: Float[Tensor, "batch channels *sides"]) -> Float[Tensor, "batch channels *sides"]:
        """Normalises: by the batch in training, by the running statistics in evaluation where there are any."""
        if not self.training and self.running_mean is not None:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        wide = x.float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        mean = mean_over_ranks(wide.mean(axes))
        centred = wide - mean.view(shape)
        variance = mean_over_ranks(centred.square().mean(axes))
        if self.training:
            self._remember(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            normal = normal * self.weight.view(shape)
        if self.bias is not None:
            normal = normal + self.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        factor = self.momentum
        if factor is None:
            assert self.num_batches_tracked is not None
            factor = 1.0 / float(self.num_batches_tracked)
        whole = count * Ranks.here().size
        self.running_mean.lerp_(mean, factor)
        self.running_var.lerp_(variance * whole / max(whole - 1, 1), factor)


def share_statistics(network: nn.Module) -> int:
    """Puts :class:`SharedBatchNorm` in the place of every batch norm of a network; returns how many there were."""
    count = 0
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            # A subclass has statistics of its own kind.
            if isinstance(child, PLAIN) and type(child) in PLAIN:
                setattr(parent, name, SharedBatchNorm(child))
                count += 1
    return count
