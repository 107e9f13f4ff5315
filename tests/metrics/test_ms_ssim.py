"""MS-SSIM as a metric."""

from __future__ import annotations

import pytest
import torch

from lossagent.errors import Refused
from lossagent.losses import MSSSIM as LOSS
from lossagent.losses.ms_ssim import multi_scale_similarity
from lossagent.metrics import MetricOptions, create, ssim
from lossagent.metrics.ms_ssim import MSSSIM, ms_ssim


def pair(side: int = 176, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.nn.functional.interpolate(torch.rand(batch, 3, 22, 22, generator=generator), (side, side))
    return (target + 0.1 * torch.randn(target.shape, generator=generator)).clamp(0, 1), target


def test_is_one_minus_the_loss_and_close_to_torchmetrics():
    """Not equal: at the coarsest scale torchmetrics also averages over a frame of reflected pixels."""
    theirs = pytest.importorskip("torchmetrics.functional.image").multiscale_structural_similarity_index_measure
    restored, target = pair()
    values = ms_ssim(restored, target)
    assert values.dtype == torch.float64
    exact = multi_scale_similarity(restored.double(), target.double())
    torch.testing.assert_close(values, exact, rtol=0, atol=1e-9)
    expected = theirs(restored.double(), target.double(), data_range=1.0, reduction="none")
    torch.testing.assert_close(values, expected, rtol=0, atol=5e-4)
    assert LOSS()(restored, target).item() == pytest.approx(1 - values.mean().item(), abs=1e-5)


def test_is_one_for_equal_images_and_more_lenient_than_one_scale():
    restored, target = pair()
    torch.testing.assert_close(ms_ssim(target, target), torch.ones(2, dtype=torch.float64))
    assert (ms_ssim(restored, target) > ssim(restored, target)).all()


def test_options_and_refusals():
    restored, target = pair(184, batch=1)
    y = create("ms_ssim", MetricOptions(space="y", border=4))
    assert y.facts.name == "ms_ssim_y"
    torch.testing.assert_close(y(restored, target), MSSSIM("y")(restored[..., 4:-4, 4:-4], target[..., 4:-4, 4:-4]))
    assert create("ms_ssim_y").facts.options["space"] == "y"
    with pytest.raises(Refused, match="'ms_ssim_y' is of space 'y'"):
        create("ms_ssim_y", MetricOptions(space="rgb"))
    with pytest.raises(Refused, match="at least 176 px"):
        ms_ssim(restored[..., :175, :], target[..., :175, :])
