"""Every loss against the kit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lossagent.losses import (
    DISTS,
    FFT,
    KINDS,
    L1,
    LDL,
    LOSSES,
    LPIPS,
    MSE,
    MSSSIM,
    SSIM,
    Adversarial,
    Charbonnier,
    Compares,
    Edge,
    FocalFrequency,
    Loss,
    Opponent,
    Perceptual,
    TotalVariation,
)
from losses import kit
from losses.kit import Case


def tiny_discriminator() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))


def perceptual(name: str, **options) -> Callable[[], Perceptual]:
    return lambda: Perceptual(name, weights="random", **options)


def adversarial(kind: str) -> Case:
    return Case(
        lambda: Adversarial(tiny_discriminator(), kind), floor=None, signed=kind == "hinge", coupled=kind == "ragan"
    )


class Refined:
    """LDL with an average that is better in the upper half of the image and worse in the lower one."""

    def __call__(self, restored: Tensor, target: Tensor) -> Tensor:
        factor = torch.ones_like(restored)
        factor[..., : restored.shape[-2] // 2, :] = 0.5
        factor[..., restored.shape[-2] // 2 :, :] = 1.5
        return LDL().compare(restored, target, target + factor * (restored - target))


CASES = {
    "l1": Case(L1),
    "mse": Case(MSE),
    "charbonnier": Case(Charbonnier, floor=1e-3),
    "ssim": Case(SSIM),
    "ms-ssim": Case(MSSSIM, side=176),
    "tv": Case(TotalVariation, floor=None),
    "tv-isotropic": Case(lambda: TotalVariation(isotropic=True), floor=None),
    "fft": Case(FFT),
    "fft-ortho": Case(lambda: FFT("ortho")),
    "focal-frequency": Case(FocalFrequency),
    "edge": Case(Edge, floor=1e-3),
    "ldl": Case(lambda: LDL(refine=False)),
    "ldl-refined": Case(Refined),
    "perceptual-vgg19": Case(perceptual("vgg19", layer_weights={"conv1_2": 0.1, "conv3_1": 1.0})),
    "perceptual-efficientnet-lite0": Case(perceptual("efficientnet-lite0"), symmetric=False),
    "perceptual-upsampled": Case(
        perceptual("efficientnet-lite0", layer_weights={"stage2": 1.0}, upsample=2), symmetric=False
    ),
    "perceptual-squeezenet-mse": Case(perceptual("squeezenet1_1", criterion="mse")),
    "lpips-alex": Case(lambda: LPIPS("alex", "random")),
    "lpips-squeeze": Case(lambda: LPIPS("squeeze", "random")),
    "dists": Case(lambda: DISTS("random"), side=32),
    **{f"adversarial-{kind}": adversarial(kind) for kind in KINDS},
}
PAIRS = [
    pytest.param(case, check, id=f"{name}-{check.__name__}")
    for name, case in CASES.items()
    for check in kit.checks(case)
]


@pytest.mark.parametrize(("case", "check"), PAIRS)
def test_kit(case, check):
    check(case)


def test_every_kind_of_the_table_is_tried():
    tried = {name.split("-")[0] for name in CASES} | set(CASES) | {"metric"}  # test_metric_loss.py
    assert set(LOSSES) <= tried


def test_ports():
    for case in CASES.values():
        assert isinstance(case.make(), Loss)
    assert isinstance(Adversarial(tiny_discriminator()), Opponent)
    assert not isinstance(L1(), Opponent)
    assert [name for name, case in CASES.items() if isinstance(case.make(), Compares)] == ["ldl"]
