"""Each adversarial criterion by its equation, and who judges what in which order."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossagent.losses import KINDS, Adversarial
from losses import kit

FAKE, REAL = torch.tensor([[[[-2.0, 0.5]]], [[[1.5, 0.75]]]]), torch.tensor([[[[3.0, -0.5]]], [[[0.25, 1.0]]]])


def s(x):
    return F.softplus(x).mean()


EXPECTED = {
    "vanilla": (s(-FAKE), s(-REAL) + s(FAKE)),
    "wgan-softplus": (s(-FAKE), s(-REAL) + s(FAKE)),
    "lsgan": (((FAKE - 1) ** 2).mean(), ((REAL - 1) ** 2).mean() + (FAKE**2).mean()),
    "hinge": (-FAKE.mean(), F.relu(1 - REAL).mean() + F.relu(1 + FAKE).mean()),
    "ragan": (
        (s(REAL - FAKE.mean()) + s(REAL.mean() - FAKE)) / 2,
        (s(FAKE.mean() - REAL) + s(FAKE - REAL.mean())) / 2,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values(kind):
    restorer, discriminator = EXPECTED[kind]
    torch.testing.assert_close(KINDS[kind].restorer(FAKE, REAL), restorer)
    torch.testing.assert_close(KINDS[kind].discriminator(FAKE, REAL), discriminator)


@pytest.mark.parametrize("kind", KINDS)
def test_each_plays_against_the_other(kind):
    """The restorer wants higher logits of its images, the discriminator lower ones, and higher ones of targets."""
    fake, real = FAKE.clone().requires_grad_(), REAL.clone().requires_grad_()
    KINDS[kind].restorer(fake, real.detach()).backward()
    assert fake.grad is not None
    assert fake.grad.sum() < 0
    fake.grad = None
    KINDS[kind].discriminator(fake, real).backward()
    assert fake.grad.sum() > 0
    assert real.grad is not None
    assert real.grad.sum() < 0


def test_a_relative_discriminator_that_cannot_tell():
    logits = torch.full((2, 1, 3, 3), 5.0)
    assert KINDS["ragan"].restorer(logits, logits).item() == pytest.approx(math.log(2))
    assert KINDS["ragan"].discriminator(logits, logits).item() == pytest.approx(math.log(2))


class Watched(nn.Module):
    """A discriminator that notes whom it judges, and whether a gradient could come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 1)
        self.seen: list[tuple[str, bool]] = []

    def forward(self, images):
        logits = self.layer(images)
        self.seen.append(("target" if images.mean() > 0.5 else "restored", logits.requires_grad))
        return logits


@pytest.mark.parametrize("kind", KINDS)
def test_targets_first_and_only_where_they_count(kind):
    network = Watched()
    loss = Adversarial(network, kind)
    restored, target = torch.full((2, 3, 4, 4), 0.2, requires_grad=True), torch.full((2, 3, 4, 4), 0.8)
    loss(restored, target).backward()
    judged = [("restored", True)]
    assert network.seen == ([("target", False), *judged] if kind == "ragan" else judged)
    assert restored.grad is not None
    assert restored.grad.norm() > 0
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    network.seen.clear()
    restored.grad = None
    loss.discriminator_loss(restored, target).backward()
    assert network.seen == [("target", True), ("restored", True)]
    assert restored.grad is None
    assert all(p.grad is not None for p in network.parameters())


def test_vanilla_stays_what_it_was():
    """Bit for bit, and without a look at the target."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))
    restored, target = kit.images()
    loss = Adversarial(network.eval())
    fake, real = network(restored), network(target)
    one = F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    assert torch.equal(loss(restored, target), one)
    two = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    two = two + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    assert torch.equal(loss.discriminator_loss(restored, target), two)
