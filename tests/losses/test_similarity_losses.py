"""SSIM and MS-SSIM against torchmetrics and where they are delicate."""

from __future__ import annotations

import pytest
import torch

from lossagent.errors import Refused
from lossagent.losses import MSSSIM, SSIM
from lossagent.losses.ms_ssim import SMALLEST, multi_scale_similarity
from losses import kit


def maps(restored: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[B] of SSIM and of contrast times structure by torchmetrics, where the window fits.

    Its own mean of SSIM takes in a frame of five reflected pixels, which the papers do not have.
    """
    theirs = pytest.importorskip("torchmetrics.functional.image").structural_similarity_index_measure
    _, whole = theirs(restored, target, data_range=1.0, reduction="none", return_full_image=True)
    _, contrast = theirs(restored, target, data_range=1.0, reduction="none", return_contrast_sensitivity=True)
    return whole[..., 5:-5, 5:-5].mean((1, 2, 3)), contrast


def test_ssim_and_its_gradient_equal_torchmetrics():
    restored, target = kit.images(batch=2, side=40, dtype=torch.float64)
    leaves = [restored.clone().requires_grad_() for _ in range(2)]
    ours, expected = SSIM()(leaves[0], target), 1 - maps(leaves[1], target)[0].mean()
    assert expected > 0.1
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)
    ours.backward()
    expected.backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("side", [176, 189])
def test_ms_ssim_equals_torchmetrics_scale_by_scale(side):
    restored, target = (t[..., :side, :side] for t in kit.images(batch=2, side=192, dtype=torch.float64))
    product, x, y = torch.ones(2, dtype=torch.float64), restored, target
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        whole, contrast = maps(x, y)
        product *= (whole if scale == 4 else contrast) ** exponent
        x, y = (torch.nn.functional.avg_pool2d(t, 2) for t in (x, y))
    assert (product < 0.99).all()
    torch.testing.assert_close(multi_scale_similarity(restored, target), product, rtol=0, atol=1e-9)
    torch.testing.assert_close(MSSSIM()(restored, target), 1 - product.mean(), rtol=0, atol=1e-9)


def test_float32_is_good_enough():
    restored, target = kit.images(batch=1, side=SMALLEST)
    for loss in (SSIM(), MSSSIM()):
        exact = loss(restored.double(), target.double())
        torch.testing.assert_close(loss(restored, target).double(), exact, rtol=0, atol=1e-5)


def test_by_hand():
    """Flat images: all but the luminance term is 1."""
    x, y = torch.full((1, 3, 11, 11), 0.5, dtype=torch.float64), torch.full((1, 3, 11, 11), 0.25, dtype=torch.float64)
    expected = (2 * 0.5 * 0.25 + 1e-4) / (0.5**2 + 0.25**2 + 1e-4)
    assert SSIM()(x, y).item() == pytest.approx(1 - expected, abs=1e-12)


def test_images_that_oppose_each_other_keep_a_gradient():
    target = torch.rand(1, 3, SMALLEST, SMALLEST)
    restored = (1 - target).requires_grad_()
    loss = MSSSIM()(restored, target)
    loss.backward()
    assert restored.grad is not None
    assert torch.isfinite(restored.grad).all()
    assert 0.9 < loss < 1


def test_the_smallest_patches():
    small = torch.rand(1, 3, SMALLEST, SMALLEST - 1)
    with pytest.raises(Refused, match="MS-SSIM need sides of at least 176 px; found 176x175"):
        MSSSIM()(small, small)
    with pytest.raises(Refused, match="SSIM need sides of at least 11 px; found 10x12"):
        SSIM()(torch.rand(1, 3, 10, 12), torch.rand(1, 3, 10, 12))
    assert multi_scale_similarity(torch.rand(2, 3, 176, 180), torch.rand(2, 3, 176, 180)).shape == (2,)
