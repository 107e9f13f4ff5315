"""Gradients are measured right, and measuring changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from lossagent.errors import Refused
from lossagent.losses import L1, LDL, MSE, Adversarial, Example, LossRepository, Perceptual, evidence, last_layer
from lossagent.weights import Weights
from losses import kit


def restorer() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.Dropout(0.5),
        nn.ReLU(),
        nn.Conv2d(6, 3, 3, padding=1),
    )


def losses() -> LossRepository:
    torch.manual_seed(5)
    discriminator = nn.Sequential(
        spectral_norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3)
    )
    perceptual = Perceptual("squeezenet1_1", {"relu1": 1.0}, weights="random")
    return LossRepository({"l1": L1(), "perceptual": perceptual, "gan": Adversarial(discriminator)})


def batches(count: int = 2):
    return [Example(*kit.images(seed=seed)) for seed in range(count)]


def snapshot(networks: list[nn.Module]) -> dict:
    found = {}
    for number, network in enumerate(networks):
        found |= {f"{number}.{k}": v.clone() for k, v in network.state_dict().items()}
        found |= {f"{number}.mode.{n}": m.training for n, m in network.named_modules()}
        found |= {f"{number}.flag.{n}": p.requires_grad for n, p in network.named_parameters()}
        found |= {
            f"{number}.grad.{n}": None if p.grad is None else p.grad.clone() for n, p in network.named_parameters()
        }
    return found


def equal(a, b) -> bool:
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_measuring_changes_nothing():
    network, repository = restorer(), losses()
    gan, perceptual = repository.losses["gan"], repository.losses["perceptual"]
    networks = [network, gan.discriminator, perceptual]
    network[0].weight.requires_grad_(False)
    network[4].weight.grad = torch.ones_like(network[4].weight)
    gan.discriminator[1].eval()
    before, state = snapshot(networks), torch.get_rng_state()
    evidence(network, repository, batches())
    after = snapshot(networks)
    assert before.keys() == after.keys()
    assert all(equal(before[k], after[k]) for k in before)
    assert torch.equal(torch.get_rng_state(), state)


def test_measuring_changes_nothing_after_an_error():
    network, repository = restorer(), losses()
    unfit = [Example(torch.rand(1, 5, 8, 8), torch.rand(1, 3, 8, 8))]
    before, state = snapshot([network]), torch.get_rng_state()
    with pytest.raises(RuntimeError):
        evidence(network, repository, unfit)
    assert all(equal(v, snapshot([network])[k]) for k, v in before.items())
    assert torch.equal(torch.get_rng_state(), state)


def test_values_are_those_of_plain_autograd():
    network, repository = restorer(), losses()
    (example,) = batches(1)
    source, target = example.degraded, example.target
    found = evidence(network, repository, [example])
    twin = copy.deepcopy(network).eval()
    gradients = {}
    for name, loss in repository.losses.items():
        if isinstance(loss, nn.Module):
            loss.eval()
        restored = twin(source)
        value = loss(restored, target)
        side, layer = torch.autograd.grad(value, [restored, twin[4].weight])
        gradients[name] = side
        assert found.raw[name] == pytest.approx(value.item(), rel=1e-6)
        assert found.image_norms[name] == pytest.approx(side.double().norm().item(), rel=1e-5)
        assert found.layer_norms[name] == pytest.approx(layer.double().norm().item(), rel=1e-4)
    cosine = torch.cosine_similarity(gradients["l1"].flatten(), gradients["gan"].flatten(), dim=0)
    assert found.cosines["l1|gan"] == pytest.approx(cosine.item(), abs=1e-5)
    assert set(found.cosines) == {"l1|perceptual", "l1|gan", "perceptual|gan"}


def test_means_over_batches_and_repeatable():
    network, repository = restorer(), losses()
    both = evidence(network, repository, batches(2))
    assert both == evidence(network, repository, batches(2))
    each = [evidence(network, repository, [example]) for example in batches(2)]
    assert both.image_norms["gan"] == pytest.approx(sum(e.image_norms["gan"] for e in each) / 2)


def test_norm_of_l1_is_known():
    """|d mean|x - y| / dx| = sqrt(n) / n: constant by construction, which is why the layer side is measured too."""
    found = evidence(nn.Conv2d(3, 3, 1), LossRepository({"l1": L1()}), batches(1))
    assert found.image_norms["l1"] == pytest.approx((3 * 3 * 48 * 48) ** -0.5, rel=1e-5)


def test_shares_follow_the_weights():
    found = evidence(restorer(), LossRepository({"l1": L1(), "mse": MSE()}), batches(1))
    shares = found.shares(Weights.of({"l1": 1.0, "mse": 0.0}))
    assert shares == {"l1": 1.0, "mse": 0.0}


def test_a_cut_gradient_shows_as_zero():
    def cut(restored, target):
        return (restored.detach() - target).abs().mean()

    found = evidence(restorer(), LossRepository({"l1": L1(), "cut": cut}), batches(1))
    assert found.raw["cut"] > 0
    assert found.image_norms["cut"] == found.layer_norms["cut"] == found.cosines["l1|cut"] == 0.0


def test_last_layer():
    network = restorer()
    assert last_layer(network) is network[4].weight
    network.last_layer = network[0]
    assert last_layer(network) is network[0].weight
    with pytest.raises(Refused, match="no weight"):
        last_layer(nn.BatchNorm2d(3))


def test_sharpened_targets_and_the_average_reach_the_losses_that_want_them():
    restored, target = kit.images()
    network, calls = nn.Conv2d(3, 3, 1), []

    def average():
        calls.append(torch.is_grad_enabled())
        return target + 0.5 * (restored - target)

    repository = LossRepository({"a": L1(), "b": L1(), "ldl": LDL(), "again": LDL()}, sharpened={"a"})
    found = evidence(network, repository, [Example(restored, target, sharpened=target + 0.5, average=average)])
    assert found.raw["b"] == pytest.approx((network(restored) - target).abs().mean().item(), rel=1e-5)
    assert found.raw["a"] == pytest.approx((network(restored) - target - 0.5).abs().mean().item(), rel=1e-5)
    assert found.image_norms["ldl"] == found.image_norms["again"] > 0
    assert calls == [False]
    with pytest.raises(Refused, match=r"loss 'ldl' .*training\.ema"):
        evidence(network, repository, [Example(restored, target)])


def test_refuses_no_batches():
    with pytest.raises(Refused, match="examples"):
        evidence(restorer(), losses(), [])
