"""Every loss against the kit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lossagent.losses import L1, LPIPS, MSE, Adversarial, Charbonnier, Loss, Opponent, Perceptual
from losses import kit


def tiny_discriminator() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))


def perceptual(name: str, **options) -> Perceptual:
    return Perceptual(name, weights="random", **options)


MAKERS = {
    "l1": L1,
    "mse": MSE,
    "charbonnier": Charbonnier,
    "perceptual-vgg19": lambda: perceptual("vgg19", layer_weights={"conv1_2": 0.1, "conv3_1": 1.0}),
    "perceptual-efficientnet-lite0": lambda: perceptual("efficientnet-lite0"),
    "perceptual-upsampled": lambda: perceptual("efficientnet-lite0", layer_weights={"stage2": 1.0}, upsample=2),
    "perceptual-squeezenet-mse": lambda: perceptual("squeezenet1_1", criterion="mse"),
    "lpips-alex": lambda: LPIPS("alex", "random"),
    "lpips-squeeze": lambda: LPIPS("squeeze", "random"),
    "adversarial": lambda: Adversarial(tiny_discriminator()),
}
REFERENCED = {name: make for name, make in MAKERS.items() if name != "adversarial"}


@pytest.mark.parametrize("check", kit.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_kit(check, make):
    check(make)


@pytest.mark.parametrize("name", REFERENCED)
def test_worse_images_cost_more(name):
    kit.assert_worse_images_cost_more(REFERENCED[name])


@pytest.mark.parametrize("name", REFERENCED)
def test_equal_images_give_the_floor(name):
    kit.assert_is_floor_on_equal_images(REFERENCED[name], 1e-3 if name == "charbonnier" else 0.0)


def test_ports():
    for make in MAKERS.values():
        assert isinstance(make(), Loss)
    assert isinstance(Adversarial(tiny_discriminator()), Opponent)
    assert not isinstance(L1(), Opponent)
