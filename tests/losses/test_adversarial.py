"""The adversarial loss: where its gradients go and where they do not."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossagent.errors import UnknownName
from lossagent.losses import Adversarial
from losses import kit


@pytest.fixture
def discriminator() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))


def test_gradient_goes_through_the_discriminator_and_stays_out_of_it(discriminator):
    restorer = nn.Conv2d(3, 3, 1)
    source, target = kit.images()
    Adversarial(discriminator)(restorer(source), target).backward()
    assert restorer.weight.grad is not None
    assert restorer.weight.grad.norm() > 0
    assert all(p.grad is None for p in discriminator.parameters())
    assert all(p.requires_grad for p in discriminator.parameters())


def test_gradients_of_the_discriminator_that_are_there_stay_what_they_are(discriminator):
    source, target = kit.images()
    loss = Adversarial(discriminator)
    loss.discriminator_loss(source, target).backward()
    before = [p.grad.clone() for p in discriminator.parameters()]
    loss(source.requires_grad_(), target).backward()
    assert all(torch.equal(p.grad, b) for p, b in zip(discriminator.parameters(), before, strict=True))


def test_frozen_parameters_stay_frozen(discriminator):
    discriminator[0].weight.requires_grad_(False)
    Adversarial(discriminator)(*kit.images())
    assert not discriminator[0].weight.requires_grad
    assert discriminator[3].weight.requires_grad


def test_flags_come_back_after_an_error(discriminator):
    with pytest.raises(RuntimeError):
        Adversarial(discriminator)(torch.rand(1, 3, 2, 2), torch.rand(1, 3, 2, 2))
    assert all(p.requires_grad for p in discriminator.parameters())


def test_the_discriminators_loss_does_not_reach_the_restorer(discriminator):
    restorer = nn.Conv2d(3, 3, 1)
    source, target = kit.images()
    Adversarial(discriminator).discriminator_loss(restorer(source), target).backward()
    assert restorer.weight.grad is None
    assert all(p.grad is not None for p in discriminator.parameters())


def test_vanilla_values(discriminator):
    discriminator.eval()
    loss = Adversarial(discriminator)
    source, target = kit.images()
    fake, real = discriminator(source), discriminator(target)
    torch.testing.assert_close(loss(source, target), F.softplus(-fake).mean())
    expected = F.softplus(-real).mean() + F.softplus(fake).mean()
    torch.testing.assert_close(loss.discriminator_loss(source, target), expected)


def test_a_discriminator_that_cannot_tell():
    blind = nn.Conv2d(3, 1, 1)
    nn.init.zeros_(blind.weight)
    nn.init.zeros_(blind.bias)
    loss = Adversarial(blind)
    assert loss(*kit.images()).item() == pytest.approx(math.log(2))
    assert loss.discriminator_loss(*kit.images()).item() == pytest.approx(2 * math.log(2))


def test_unknown_kind(discriminator):
    with pytest.raises(UnknownName, match=r"adversarial loss 'vanila'\. Did you mean 'vanilla'"):
        Adversarial(discriminator, "vanila")
