"""The mean of gradients over processes, taken once after the backward pass.

Why not ``DistributedDataParallel``: it must know in advance which parameters get a gradient (PromptIR leaves six
without, SPAN forty, and that changes when a loss is switched), it sends buffers before every forward pass (a
discriminator has two in a step, and the second would lose what the first left), and each micro-batch of an
accumulated step needs a flag. After the backward pass all of that is plain arithmetic. What it costs: DDP sends the
first buckets while the rest of the backward pass still runs, here they are sent when it is over. For 12 million
parameters (48 MB) that is about a millisecond between GPUs of one node, and tens of milliseconds over 25 Gbit/s
Ethernet, beside steps of hundreds of milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lossagent.errors import Failed
from lossagent.training.ranks import Ranks

BUCKET = 25 << 20
"""Bytes that are sent at once: large enough to use the line, small enough for a copy beside the networks."""


class GradientMean:
    """Averages gradients over processes.

    Which parameters have a gradient is agreed on in the first step after :meth:`renew`: one without a gradient
    anywhere stays without, so that the optimizer leaves it alone, as it does in a single process.

    Args:
        ranks: the processes.
        bucket: bytes that are sent at once.
    """

    def __init__(self, ranks: Ranks, bucket: int = BUCKET) -> None:
        self.ranks, self.bucket = ranks, bucket
        self._agreed: dict[str, list[bool]] = {}

    def renew(self) -> None:
        """Forgets which parameters have gradients: other losses may be on from here."""
        self._agreed.clear()

    def __call__(self, who: str, parameters: Sequence[nn.Parameter]) -> None:
        """Replaces the gradients of a network by their means over the processes, in place.

        Args:
            who: names the network.
            parameters: its parameters, in the same order on every process.

        Raises:
            Failed: a parameter has a gradient that had none anywhere when it was agreed on.
        """
        if self.ranks.size == 1:
            return
        gradients = [p.grad for p in self._with_gradient(who, parameters)]
        sent: list[tuple[dist.Work, Tensor, list[Tensor]]] = []
        for part in _buckets([g for g in gradients if g is not None], self.bucket):
            flat = torch.cat([g.reshape(-1) for g in part])
            work = dist.all_reduce(flat, async_op=True)
            assert work is not None
            sent.append((work, flat, part))
        for work, flat, part in sent:
            work.wait()
            flat.div_(self.ranks.size)
            start = 0
            for gradient in part:
                gradient.copy_(flat[start : start + gradient.numel()].view(gradient.shape))
                start += gradient.numel()

    def _with_gradient(self, who: str, parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
        mine = [p.grad is not None for p in parameters]
        if who not in self._agreed:
            self._agreed[who] = [any(column) for column in zip(*self.ranks.gather(mine), strict=True)]
        chosen: list[nn.Parameter] = []
        for parameter, has, wanted in zip(parameters, mine, self._agreed[who], strict=True):
            if has and not wanted:
                raise Failed(f"a parameter of {who} has a gradient that no process had at the start of the stage.")
            if wanted:
                if not has:  # another process has one: here it is zero
                    parameter.grad = torch.zeros_like(parameter)
                chosen.append(parameter)
        return chosen


def _buckets(gradients: Sequence[Tensor], limit: int) -> Iterator[list[Tensor]]:
    """Neighbouring gradients of one type, up to a limit of bytes."""
    part: list[Tensor] = []
    size = 0
    for gradient in gradients:
        bytes_of = gradient.numel() * gradient.element_size()
        if part and (size + bytes_of > limit or gradient.dtype != part[0].dtype):
            yield part
            part, size = [], 0
        part.append(gradient)
        size += bytes_of
    if part:
        yield part
