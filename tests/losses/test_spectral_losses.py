"""Fourier, focal frequency, edge and total-variation losses by their equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from lossagent.errors import Refused
from lossagent.losses import FFT, MSE, Edge, FocalFrequency, TotalVariation
from lossagent.losses.edge import laplacian
from losses import kit


def wave(height: int = 16, width: int = 24, amplitude: float = 0.2) -> torch.Tensor:
    """A cosine along the width: two coefficients of height * width * amplitude / 2."""
    phase = 2 * math.pi * 3 * torch.arange(width, dtype=torch.float64) / width
    return (amplitude * torch.cos(phase)).expand(1, 3, height, width).clone()


def test_fft_of_known_differences():
    zero = torch.zeros(1, 3, 16, 24, dtype=torch.float64)
    flat = torch.full_like(zero, 0.3)
    # One coefficient of H W d; over H W coefficients with two parts each.
    assert FFT()(flat, zero).item() == pytest.approx(0.3 / 2)
    assert FFT("ortho")(flat, zero).item() == pytest.approx(0.3 / 2 / math.sqrt(16 * 24))
    assert FFT()(wave(), zero).item() == pytest.approx(0.2 / 2)


def test_fft_sees_phase():
    moved = wave().roll(2, dims=-1)
    assert FFT()(moved, wave()) > 0.01


def test_fft_equals_numpy():
    restored, target = kit.images(dtype=torch.float64)
    a, b = (np.fft.fft2(t.numpy()) for t in (restored, target))
    expected = np.mean([np.abs(a.real - b.real), np.abs(a.imag - b.imag)])
    assert FFT()(restored, target).item() == pytest.approx(expected, rel=1e-10)


def test_fft_grows_with_the_side_unless_it_is_normalised():
    generator = torch.Generator().manual_seed(0)
    values = {}
    for side in (32, 64):
        noise, zero = torch.randn(1, 3, side, side, generator=generator), torch.zeros(1, 3, side, side)
        values[side] = FFT()(noise, zero).item(), FFT("ortho")(noise, zero).item()
    assert values[64][0] / values[32][0] == pytest.approx(2, rel=0.05)
    assert values[64][1] / values[32][1] == pytest.approx(1, rel=0.05)


def test_focal_frequency_without_focus_is_the_squared_error():
    pair = kit.images(dtype=torch.float64)
    torch.testing.assert_close(FocalFrequency(alpha=0.0)(*pair), MSE()(*pair))


def test_focal_frequency_by_its_equation():
    restored, target = kit.images(dtype=torch.float64)
    distance = np.abs(np.fft.fft2((restored - target).numpy(), norm="ortho"))
    weight = distance / distance.max(axis=(-2, -1), keepdims=True)
    assert FocalFrequency()(restored, target).item() == pytest.approx((weight * distance**2).mean(), rel=1e-10)
    assert FocalFrequency()(*kit.images()) < MSE()(*kit.images())


def test_no_gradient_goes_through_the_weights_of_focal_frequency():
    restored, target = kit.images(batch=1, side=16, dtype=torch.float64)
    leaf = restored.clone().requires_grad_()
    FocalFrequency()(leaf, target).backward()
    spectrum = torch.fft.fft2(restored - target, norm="ortho")
    weight = spectrum.abs() / spectrum.abs().amax((-2, -1), keepdim=True)
    expected = 2 * torch.fft.ifft2(weight * spectrum, norm="ortho").real / restored.numel()
    torch.testing.assert_close(leaf.grad, expected)


def test_edge_by_its_equation():
    """With scipy's filter: blur, drop every second pixel, fill with zeros times 4, blur."""
    restored, target = kit.images(batch=1, side=32, dtype=torch.float64)
    restored, target = restored[..., :31, :], target[..., :31, :]
    taps = np.array([0.05, 0.25, 0.4, 0.25, 0.05])

    def laplacian(plane):
        blurred = ndimage.correlate(plane, np.outer(taps, taps), mode="nearest")
        coarse = np.zeros_like(blurred)
        coarse[::2, ::2] = 4 * blurred[::2, ::2]
        return plane - ndimage.correlate(coarse, np.outer(taps, taps), mode="nearest")

    planes = [(laplacian(a), laplacian(b)) for a, b in zip(restored[0].numpy(), target[0].numpy(), strict=True)]
    expected = np.mean([np.sqrt((a - b) ** 2 + 1e-6) for a, b in planes])
    assert Edge()(restored, target).item() == pytest.approx(expected, rel=1e-10)


def test_edge_leaves_brightness_in_the_middle_alone():
    """Near the border the coarse grid has nothing to be filled from: there a constant leaves something."""
    flat = laplacian(torch.full((1, 3, 33, 40), 0.3))
    assert flat[..., 4:-4, 4:-4].abs().max() < 1e-6


def test_total_variation_of_a_ramp_and_a_step():
    zero = torch.zeros(1, 3, 8, 8)
    ramp = (0.03 * torch.arange(8)[:, None] + 0.04 * torch.arange(8)[None]).expand(2, 3, 8, 8)
    assert TotalVariation()(ramp, ramp).item() == pytest.approx(0.07)
    assert TotalVariation(isotropic=True)(ramp, ramp).item() == pytest.approx(0.05)
    assert TotalVariation()(torch.full((1, 3, 8, 8), 0.7), zero) == 0
    assert TotalVariation(isotropic=True)(torch.full((1, 3, 8, 8), 0.7), zero) == 0


@pytest.mark.parametrize("isotropic", [False, True])
def test_total_variation_does_not_look_at_the_target(isotropic):
    restored, target = kit.images()
    loss = TotalVariation(isotropic)
    assert torch.equal(loss(restored, target), loss(restored, 1 - target))
    assert loss(restored, target) > loss(target, restored)


def test_refusals():
    for alpha in (-1.0, math.nan, math.inf):
        with pytest.raises(Refused, match="alpha must be"):
            FocalFrequency(alpha)
    with pytest.raises(Refused, match="at least 2 px; found 1x8"):
        TotalVariation()(torch.zeros(1, 3, 1, 8), torch.zeros(1, 3, 1, 8))
