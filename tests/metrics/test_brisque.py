"""BRISQUE, its regression, and the symmetric distribution inside it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import convolve2d
from scipy.special import gamma

from lossagent.errors import Refused
from lossagent.metrics import BRISQUE, correlated_noise
from lossagent.metrics.brisque import brisque_features, published, rgb2gray
from lossagent.metrics.ggd import fit_ggd

SHAPES = np.arange(200, 10001) / 1000
RATIOS = gamma(1 / SHAPES) * gamma(3 / SHAPES) / gamma(2 / SHAPES) ** 2


def natural(batch=1, height=192, width=240, seed=0, blur=0.3):
    """Images with about the spectrum of photographs and shapes with edges, 8-bit values."""
    rng = np.random.default_rng(seed)
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    distance[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((batch, 3, height, width))) / distance**1.2).real
    noise = noise / noise.std(axis=(2, 3), keepdims=True)
    soft = np.exp(-((distance / blur) ** 2))
    leaves = np.zeros((batch, 1, height, width))
    down, right = np.mgrid[:height, :width]
    for _ in range(250):
        radius = min(60, 2 / rng.random())
        inside = np.hypot(down - rng.uniform(0, height), right - rng.uniform(0, width)) < radius
        leaves[:, :, inside] = rng.uniform(-1.5, 1.5)
    image = np.fft.ifft2(np.fft.fft2(leaves) * soft).real + 0.25 * noise
    return torch.from_numpy(np.clip(np.round(128 + 55 * image), 0, 255) / 255).float()


def jpeg(image, quality):
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(stream))).permute(2, 0, 1)[None].float() / 255


def load(path):
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def plain_halved(grey):
    """Every output sample as a weighted sum over mirrored indices, one row after another."""

    def weights(centre, length):
        places = np.arange(np.floor(centre) - 5, np.floor(centre) + 6)
        x = np.abs(places - centre) / 2
        cubic = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
        cubic = np.where(x < 2, cubic, 0)
        row = np.zeros(length)
        for place, weight in zip(places.astype(int), cubic / cubic.sum(), strict=True):
            place = -1 - place if place < 0 else place
            row[2 * length - 1 - place if place >= length else place] += weight
        return row

    down, right = (np.stack([weights(2 * k + 0.5, n) for k in range((n + 1) // 2)]) for n in grey.shape)
    return down @ grey @ right.T


def plain_features(grey):
    """The paper's features, step by step."""
    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    features = []
    for _ in range(2):
        mean = np.round(convolve2d(grey, window, "same"), 9)
        square = np.round(convolve2d(grey**2, window, "same"), 9)
        values = (grey - mean) / (np.sqrt(np.abs(square - mean**2)) + 1)
        variance = np.mean(values**2)
        features += [SHAPES[np.argmin(np.abs(variance / np.abs(values).mean() ** 2 - RATIOS))], variance]
        for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
            products = values * np.roll(values, shift, (0, 1))
            left, right = (np.sqrt(np.mean(side**2)) for side in (products[products < 0], products[products > 0]))
            skew = left / right
            rho = np.abs(products).mean() ** 2 / np.mean(products**2)
            rho *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
            shape = SHAPES[np.argmin(np.abs(1 / RATIOS - rho))]
            mean = (right - left) * np.sqrt(gamma(1 / shape) / gamma(3 / shape)) * gamma(2 / shape) / gamma(1 / shape)
            features += [shape, mean, left**2, right**2]
        grey = plain_halved(grey)
    return np.array(features)


@pytest.mark.parametrize("size", [(96, 128), (97, 131), (33, 32)])
def test_features_equal_a_plain_loop_written_from_the_paper(size):
    grey = rgb2gray(natural(height=size[0], width=size[1]))
    assert np.allclose(brisque_features(grey)[0].numpy(), plain_features(grey[0, 0].numpy()), atol=1e-7, rtol=1e-6)


def test_regression_is_a_sum_of_kernels():
    model = published()
    assert model.vectors.shape == (774, 36)
    assert model.coefficients.sum().item() == pytest.approx(0, abs=1e-9)  # the constraint of the dual problem
    assert model.coefficients.abs().max() == 1024
    features = brisque_features(rgb2gray(natural(batch=2)))
    for row, score in zip(features, model(features), strict=True):
        scaled = -1 + 2 * (row - model.low) / (model.high - model.low)
        kernel = torch.exp(-0.05 * ((scaled - model.vectors) ** 2).sum(dim=1))
        assert score.item() == pytest.approx((kernel * model.coefficients).sum().item() + 153.591, abs=1e-8)


@pytest.mark.parametrize(
    ("image", "pyiqa"),
    [
        ("Set14/HR/baboon.png", 30.2420),
        ("Set14/HR/lenna.png", 2.7115),
        ("Set14/HR/zebra.png", 17.3918),
        ("Set14/HR/comic.png", 3.7146),
        ("Kodak24_part/kodim01.png", 14.4420),
        ("Set5/LR_bicubic_X4/womanx4.png", 8.8075),
        ("Set5/LR_bicubic_X4/butterflyx4.png", 89.6816),
    ],
)
def test_agrees_with_another_implementation(shared_data, image, pyiqa):
    """Values of pyiqa 0.1.16's function with this model, on images without flat areas (odd sides among them)."""
    assert BRISQUE()(load(shared_data / "bench" / image)).item() == pytest.approx(pyiqa, abs=0.1)


def test_rises_with_noise_blur_and_jpeg():
    image, score = natural(), BRISQUE()
    noise = torch.randn(image.shape)
    noisy = [score((image + sigma * noise).clamp(0, 1)).item() for sigma in (0.0, 0.04, 0.1, 0.25)]
    assert noisy == sorted(noisy)
    blurred = [score(torch.nn.functional.avg_pool2d(image, k, 1, k // 2)).item() for k in (1, 3, 5, 9)]
    assert blurred == sorted(blurred)
    blocky = [score(jpeg(image, quality)).item() for quality in (95, 40, 15, 5)]
    assert blocky == sorted(blocky)
    for worst in (noisy[-1], blurred[-1], blocky[-1]):
        assert worst > noisy[0] + 10


def test_fine_noise_games_it_on_a_blurred_image():
    blurred = torch.nn.functional.avg_pool2d(natural(), 5, 1, 2)
    assert BRISQUE()(correlated_noise(blurred, seed=0)).item() < BRISQUE()(blurred).item() - 10


def test_batches_equal_singles():
    images = natural(batch=3)
    together = BRISQUE()(images)
    assert together.dtype == torch.float64
    assert torch.allclose(together, torch.cat([BRISQUE()(image) for image in images.split(1)]), atol=1e-9)


def test_border_is_left_out():
    image = natural()
    assert BRISQUE(border=7)(image).item() == BRISQUE()(image[..., 7:-7, 7:-7]).item()
    assert BRISQUE(border=7).facts.options["border"] == 7


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 0.1234])
def test_flat_images_are_finite_and_bad(value):
    score = BRISQUE()(torch.full((1, 3, 64, 64), value)).item()
    assert 60 < score < 160
    if value == 0.0:
        assert score == pytest.approx(153.591)


def test_grey_is_matlabs():
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30], [1, 1, 1]]) / 255
    grey = rgb2gray(colours.T[None, :, :, None])
    assert grey.flatten().tolist() == [76, 150, 29, 255, 18, 1]


def test_too_small_images_are_refused():
    with pytest.raises(Refused, match="at least 32 px high and wide; found 31x200"):
        BRISQUE()(torch.rand(1, 3, 31, 200))
    with pytest.raises(Refused, match="border 4 leaves"):
        BRISQUE(border=4)(torch.rand(1, 3, 36, 200))
    with pytest.raises(Refused, match=r"\[0, 1\]"):
        BRISQUE()(torch.rand(1, 3, 64, 64) * 2)


@pytest.mark.parametrize("shape", [0.6, 1.0, 2.0, 4.0])
def test_symmetric_fit_recovers_the_distribution(shape):
    torch.manual_seed(0)
    magnitude = torch.distributions.Gamma(1 / shape, 1.0).sample((400_000,)).double() ** (1 / shape)
    samples = magnitude * torch.randn(magnitude.shape).sign()
    fit = fit_ggd(torch.stack([samples, torch.zeros_like(samples)]))
    assert fit.shape[0].item() == pytest.approx(shape, rel=0.02)
    assert fit.variance[0].item() == pytest.approx(gamma(3 / shape) / gamma(1 / shape), rel=0.02)
    assert (fit.shape[1].item(), fit.variance[1].item()) == (0.2, 0.0)


def test_facts_carry_the_hash_of_the_model():
    facts = BRISQUE().facts
    assert facts.options["sha256"] == published().sha256
    assert (facts.direction, facts.unit, facts.needs_reference) == ("lower", 1.0, False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu():
    image = natural()
    assert BRISQUE()(image.cuda()).item() == pytest.approx(BRISQUE()(image).item(), abs=1e-4)
