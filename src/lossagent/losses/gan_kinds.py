"""The criteria of adversarial losses: functions of a discriminator's logits.

Every criterion of a discriminator is the *sum* of a term of targets and a term of restored images, not their half,
unless its entry says otherwise. Means are over all logits of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lossagent.losses._ranks import mean_over_ranks


@dataclass(frozen=True)
class Kind:
    """A GAN criterion on logits.

    Attributes:
        restorer: logits of restored images, logits of targets (detached) -> what the restorer minimises.
        discriminator: logits of restored images, logits of targets -> what the discriminator minimises.
        relative: whether the restorer's half looks at the logits of targets; where it does not, ``restorer`` is given
            those of the restored images twice and targets are not judged.
    """

    restorer: Callable[[Tensor, Tensor], Tensor]
    discriminator: Callable[[Tensor, Tensor], Tensor]
    relative: bool = False


def _says(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of logits with one label everywhere, over all patches."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def _beyond(logits: Tensor, others: Tensor) -> Tensor:
    """How much more real each is than the mean of the others, over the batch of all ranks."""
    return logits - mean_over_ranks(others.mean())


def _relative(restored: Tensor, target: Tensor, restored_is_real: bool) -> Tensor:
    """Half of the cross-entropies of both kinds of images, each relative to the mean of the other."""
    first = _says(_beyond(target, restored), real=not restored_is_real)
    return (first + _says(_beyond(restored, target), real=restored_is_real)) / 2


KINDS: Mapping[str, Kind] = {
    # The non-saturating game of [Goodfellow et al., NeurIPS 2014, arXiv 1406.2661], on s = softplus:
    # restorer mean s(-fake); discriminator mean s(-real) + mean s(fake).
    "vanilla": Kind(
        restorer=lambda restored, _: _says(restored, real=True),
        discriminator=lambda restored, target: _says(target, real=True) + _says(restored, real=False),
    ),
    # [Mao et al., ICCV 2017, arXiv 1611.04076] with labels 0 and 1, without the paper's factor 1/2 on each term:
    # restorer mean (fake - 1)^2; discriminator mean (real - 1)^2 + mean fake^2.
    "lsgan": Kind(
        restorer=lambda restored, _: (restored - 1).square().mean(),
        discriminator=lambda restored, target: (target - 1).square().mean() + restored.square().mean(),
    ),
    # [Lim & Ye 2017, arXiv 1705.02894; Miyato et al., ICLR 2018, arXiv 1802.05957]:
    # restorer -mean fake, which may be negative; discriminator mean max(0, 1 - real) + mean max(0, 1 + fake).
    "hinge": Kind(
        restorer=lambda restored, _: -restored.mean(),
        discriminator=lambda restored, target: (1 - target).relu().mean() + (1 + restored).relu().mean(),
    ),
    # The relativistic average [Jolicoeur-Martineau, ICLR 2019, arXiv 1807.00734] as ESRGAN plays it [1809.00219]:
    # restorer (mean s(real - E fake) + mean s(E real - fake)) / 2, discriminator (mean s(E fake - real) +
    # mean s(fake - E real)) / 2. Both are halves of their two terms, as in its code; the paper states sums. Means E
    # are over the batch of all ranks, so it is not the mean of the losses of single images.
    "ragan": Kind(
        restorer=lambda restored, target: _relative(restored, target, restored_is_real=True),
        discriminator=lambda restored, target: _relative(restored, target, restored_is_real=False),
        relative=True,
    ),
    # The logistic loss of StyleGAN2 [Karras et al., CVPR 2020, arXiv 1912.04958] without its penalties, by the name it
    # has in BasicSR: restorer mean s(-fake); discriminator mean s(-real) + mean s(fake). It is no Wasserstein
    # distance, and equals "vanilla" up to rounding: a name for those who come from there.
    "wgan-softplus": Kind(
        restorer=lambda restored, _: F.softplus(-restored).mean(),
        discriminator=lambda restored, target: F.softplus(-target).mean() + F.softplus(restored).mean(),
    ),
}
"""Name -> criterion."""
