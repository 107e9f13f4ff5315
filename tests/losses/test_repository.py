"""Eqs. (1) and (3): the weighted sum, its gradient, and what is not computed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lossagent.errors import Refused, UnknownName
from lossagent.losses import (
    L1,
    LDL,
    LOSSES,
    MSE,
    Adversarial,
    Charbonnier,
    LossOptions,
    LossRepository,
    Perceptual,
    TotalVariation,
)
from lossagent.weights import Weights
from losses import kit


class Spy:
    """A loss that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, restored, target):
        self.calls += 1
        return (restored - target).abs().mean()


def repository() -> LossRepository:
    discriminator = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))
    perceptual = Perceptual("squeezenet1_1", {"relu1": 1.0}, weights="random", shift=1)
    losses = {"l1": L1(), "perceptual": perceptual, "gan": Adversarial(discriminator)}
    for loss in losses.values():
        if isinstance(loss, nn.Module):
            loss.double()
    return LossRepository(losses)


def test_gradient_of_the_composite_is_the_weighted_sum_of_gradients():
    losses = repository()
    weights = Weights.of({"l1": 1.3, "perceptual": 0.17, "gan": 0.029})
    source, target = kit.images(dtype=torch.float64)
    restorer = nn.Conv2d(3, 3, 3, padding=1).double()
    total, raw = losses.weigh(restorer(source), target, weights)
    composite = torch.autograd.grad(total, restorer.weight)[0]
    expected = torch.zeros_like(composite)
    for name, loss in losses.losses.items():
        expected += weights[name] * torch.autograd.grad(loss(restorer(source), target), restorer.weight)[0]
    assert (composite - expected).norm() <= 1e-6 * expected.norm()
    assert float(total.detach()) == pytest.approx(sum(weights[n] * float(v) for n, v in raw.items()), rel=1e-12)
    assert list(raw) == ["l1", "perceptual", "gan"]
    assert not any(v.requires_grad for v in raw.values())


def test_a_loss_of_weight_zero_costs_nothing():
    spies = {"a": Spy(), "b": Spy()}
    _, raw = LossRepository(spies).weigh(*kit.images(), Weights.of({"a": 0.0, "b": 1.0}))
    assert (spies["a"].calls, spies["b"].calls) == (0, 1)
    assert list(raw) == ["b"]


def test_order_is_that_of_the_repository():
    losses = LossRepository({"a": L1(), "b": MSE()})
    _, raw = losses.weigh(*kit.images(), Weights.of({"b": 1.0, "a": 1.0}))
    assert list(raw) == list(losses.names) == ["a", "b"]


def test_sharpened_targets_are_for_those_that_ask():
    restored, target = kit.images()
    losses = LossRepository({"l1": L1(), "mse": MSE()}, sharpened={"l1"})
    weights = Weights.of({"l1": 1.0, "mse": 1.0})
    _, raw = losses.weigh(restored, target, weights, sharpened=1 - target)
    assert torch.equal(raw["l1"], L1()(restored, 1 - target))
    assert torch.equal(raw["mse"], MSE()(restored, target))
    _, plain = losses.weigh(restored, target, weights)
    assert torch.equal(plain["l1"], L1()(restored, target))
    with pytest.raises(Refused, match="sharpened must name losses of l1; found perceptual"):
        LossRepository({"l1": L1()}, sharpened={"l1", "perceptual"})


def test_the_average_is_made_once_and_only_when_it_is_wanted():
    restored, target = kit.images()
    calls = []

    def average():
        calls.append(torch.is_grad_enabled())
        return target

    losses = LossRepository({"l1": L1(), "ldl": LDL(), "twin": LDL(), "plain": LDL(refine=False)})
    assert losses.want_average == ("ldl", "twin")
    total, raw = losses.weigh(restored, target, Weights.of(dict.fromkeys(losses.names, 1.0)), average=average)
    assert calls == [False]
    assert torch.equal(raw["ldl"], LDL().compare(restored, target, target))
    assert float(total) == pytest.approx(sum(map(float, raw.values())))
    off = Weights.of({"l1": 1.0, "ldl": 0.0, "twin": 0.0, "plain": 1.0})
    losses.weigh(restored, target, off, average=average)
    losses.weigh(restored, target, off)
    assert calls == [False]
    with pytest.raises(Refused, match=r"loss 'ldl' compares .*training\.ema"):
        losses.weigh(restored, target, Weights.of(dict.fromkeys(losses.names, 1.0)))


def test_refusals():
    with pytest.raises(Refused, match="at least one loss"):
        LossRepository({})
    losses = LossRepository({"l1": L1()})
    with pytest.raises(Refused, match="must name the losses l1; found mse"):
        losses.weigh(*kit.images(), Weights.of({"mse": 1.0}))


def test_table():
    assert isinstance(LOSSES.create("charbonnier"), Charbonnier)
    options = LossOptions(backbone="squeezenet1_1", weights="random", layers={"relu1": 2.0})
    assert LOSSES.create("perceptual", options).layer_weights == {"relu1": 2.0}
    assert LOSSES.create("lpips", LossOptions(backbone="alex", weights="random")).name == "alex"
    assert LOSSES.create("tv", LossOptions(isotropic=True)) == TotalVariation(isotropic=True)
    assert LOSSES.create("ldl", LossOptions(refine=False)) == LDL(refine=False)
    assert LOSSES.create("dists", LossOptions(weights="random")).backbone.weights == "random"
    network = nn.Conv2d(3, 1, 1)
    assert LOSSES.create("adversarial", LossOptions(adversarial="ragan", discriminator=network)).kind == "ragan"
    assert LOSSES.create("adversarial", LossOptions(discriminator=network)).discriminator is network
    assert all(row.facts == LOSSES.facts(name) and len(row.facts) < 120 for name, row in LOSSES.items())


def test_table_refusals():
    with pytest.raises(UnknownName, match="loss 'l2'"):
        LOSSES.create("l2")
    with pytest.raises(Refused, match="takes no option backbone"):
        LOSSES.create("l1", LossOptions(backbone="vgg19"))
    with pytest.raises(Refused, match="takes no option refine"):
        LOSSES.create("tv", LossOptions(refine=False))
    with pytest.raises(Refused, match="needs the option discriminator"):
        LOSSES.create("adversarial")
    with pytest.raises(UnknownName, match="LPIPS backbone 'vgg19'"):
        LOSSES.create("lpips", LossOptions(backbone="vgg19"))
