"""PSNR, SSIM, colour."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.errors import Refused
from lossagent.metrics import PSNR, SSIM, full_luma, limited_luma, psnr, ssim
from lossagent.metrics._filters import filter_valid, gaussian_taps, reduce, reduction_taps


def photo(height=64, width=72, batch=1):
    """Smooth structure with some texture, in [0.1, 0.9]."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(batch, 3, height // 8, width // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return 0.1 + 0.7 * smooth + 0.1 * torch.rand(batch, 3, height, width, generator=generator)


def colour(red, green, blue):
    return torch.tensor([red, green, blue]).reshape(1, 3, 1, 1) / 255


@pytest.mark.parametrize(
    ("rgb", "y"),
    [((0, 0, 0), 16), ((255, 255, 255), 235), ((255, 0, 0), 81), ((0, 255, 0), 145), ((0, 0, 255), 41)],
)
def test_limited_luma_has_the_values_of_bt601(rgb, y):
    assert limited_luma(colour(*rgb), rounded=True).item() == y
    assert limited_luma(colour(*rgb)).item() == pytest.approx(y, abs=0.5)


def test_rounded_luma_rounds_exact_halves_up_whatever_float32_does():
    levels = torch.cartesian_prod(*[torch.arange(0, 256, 5)] * 3)
    red, green, blue = levels.T
    exact = (65481 * red + 128553 * green + 24966 * blue + 16 * 255000 + 127500) // 255000
    images = (levels.float() / 255).T.reshape(1, 3, 1, -1)
    assert torch.equal(limited_luma(images, rounded=True).flatten().long(), exact)


def test_full_luma_spans_0_to_255():
    assert full_luma(colour(255, 255, 255)).item() == pytest.approx(255)
    assert full_luma(colour(0, 255, 0)).item() == pytest.approx(0.587 * 255)


def test_psnr_of_a_known_error():
    x = torch.full((2, 3, 8, 8), 0.5)
    y = x.clone()
    y[1] += 0.1
    values = psnr(x, y)
    assert values.dtype == torch.float64
    assert values[0] == math.inf
    assert values[1] == pytest.approx(20, abs=1e-4)
    assert PSNR().facts.options["identical_images"] == "inf"


def test_psnr_y_of_gray_is_higher_by_the_limited_range():
    x = torch.full((1, 3, 8, 8), 0.5)
    gap = psnr(x, x + 0.1, space="y") - psnr(x, x + 0.1)
    assert gap.item() == pytest.approx(20 * math.log10(255 / 219), abs=1e-4)


@pytest.mark.parametrize("metric", [PSNR(), PSNR("y", 4), SSIM(), SSIM("y", 4)])
def test_fidelity_is_symmetric_and_batches_equal_singles(metric):
    x = photo(batch=3)
    y = (x + 0.05 * torch.randn(x.shape)).clamp(0, 1)
    together = metric(x, y)
    assert together.dtype == torch.float64
    assert torch.allclose(together, metric(y, x), rtol=1e-12)
    assert torch.allclose(together, torch.cat([metric(a[None], b[None]) for a, b in zip(x, y, strict=True)]))


@pytest.mark.parametrize("metric", [PSNR(), SSIM(), SSIM("y")])
def test_fidelity_falls_as_noise_grows(metric):
    x = photo()
    noise = torch.randn(x.shape)
    values = [metric(x, (x + s * noise).clamp(0, 1)).item() for s in (0.01, 0.03, 0.1)]
    assert values == sorted(values, reverse=True)
    assert metric.facts.direction == "higher"


def test_border_leaves_out_the_frame():
    x, y = photo(), photo()
    y[..., :2, :] = 0
    assert psnr(x, y).item() < 30
    assert psnr(x, y, border=2).item() == math.inf
    assert ssim(x, y, border=2).item() == pytest.approx(1, abs=1e-12)


def test_ssim_of_an_image_with_itself_is_one():
    x = photo(batch=2)
    assert torch.allclose(ssim(x, x), torch.ones(2, dtype=torch.float64), atol=1e-12)
    flat = torch.full((1, 3, 16, 16), 0.3)
    assert ssim(flat, flat).item() == pytest.approx(1, abs=1e-12)


def test_ssim_agrees_with_scikit_image():
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    x = photo(batch=1)
    y = (x + 0.05 * torch.randn(x.shape)).clamp(0, 1)
    a, b = (t[0].double().permute(1, 2, 0).numpy() * 255 for t in (x, y))
    _, similarity = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2, full=True
    )
    assert ssim(x, y).item() == pytest.approx(similarity[5:-5, 5:-5].mean(), abs=1e-9)


@pytest.mark.parametrize("metric", [PSNR(), SSIM()])
def test_fidelity_refuses(metric):
    x = photo()
    with pytest.raises(Refused, match="compares with a reference"):
        metric(x)
    with pytest.raises(Refused, match=r"restored is 1 x 64x72 px, reference is 1 x 64x71 px"):
        metric(x, x[..., :-1])
    with pytest.raises(Refused, match=r"must lie in \[0, 1\]; found \[.*2"):
        metric(x, x * 0 + 2)
    with pytest.raises(Refused, match=r"must lie in \[0, 1\]"):
        metric(x * math.nan, x)


def test_borders_and_spaces_that_do_not_fit_are_refused():
    x = photo()
    with pytest.raises(Refused, match="border 32 leaves 0x8 px"):
        psnr(x, x, border=32)
    with pytest.raises(Refused, match="border must be >= 0"):
        psnr(x, x, border=-1)
    with pytest.raises(Refused, match="at least 11 px"):
        ssim(x, x, border=28)


def test_window_is_a_normalised_gaussian():
    taps = np.array(gaussian_taps(11, 1.5))
    assert taps.sum() == pytest.approx(1)
    assert taps[5] / taps[6] == pytest.approx(math.exp(1 / (2 * 1.5**2)))
    impulse = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    impulse[..., 10, 10] = 1
    assert np.allclose(filter_valid(impulse, gaussian_taps(11, 1.5))[0, 0].numpy(), np.outer(taps, taps))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_reduction_keeps_constants_and_ramps(scale):
    assert sum(reduction_taps(scale)) == pytest.approx(1)
    rows = torch.arange(24 * scale, dtype=torch.float64).expand(1, 1, 16 * scale, -1) / 100
    low = reduce(rows, scale)
    assert low.shape == (1, 1, 16, 24)
    middle = slice(4, -4)
    expected = (torch.arange(24, dtype=torch.float64) * scale + (scale - 1) / 2) / 100
    assert torch.allclose(low[0, 0, 8, middle], expected[middle], atol=1e-3)
    assert torch.allclose(reduce(torch.full_like(rows, 0.3), scale), torch.tensor(0.3, dtype=torch.float64))


def enlarge(pixels, scale):
    """MATLAB's bicubic imresize by a whole number, rounded to 8 bit after each pass."""

    def matrix(length):
        place = (np.arange(length * scale) + 0.5) / scale - 0.5
        weights = np.zeros((length * scale, length))
        for k in range(-1, 3):
            index = np.floor(place).astype(int) + k
            x = np.abs(place - index)
            value = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
            mirrored = np.where(index < 0, -1 - index, np.where(index >= length, 2 * length - 1 - index, index))
            np.add.at(weights, (np.arange(length * scale), mirrored), value)
        return weights

    def settle(values):
        return np.clip(np.floor(values + 0.5), 0, 255)

    height, width = pixels.shape[:2]
    rows = settle(np.einsum("oh,hwc->owc", matrix(height), pixels.astype(np.float64)))
    return settle(np.einsum("ow,hwc->hoc", matrix(width), rows))


def test_set5_bicubic_has_the_published_psnr_and_ssim(shared_data):
    high, low = shared_data / "bench" / "Set5" / "HR", shared_data / "bench" / "Set5" / "LR_bicubic_X4"
    scores = []
    for path in sorted(high.glob("*.png")):
        small = next(low.glob(f"**/{path.stem}x4.png"))
        restored = enlarge(np.asarray(Image.open(small).convert("RGB")), 4)
        reference = np.array(Image.open(path).convert("RGB"))[: restored.shape[0], : restored.shape[1]]
        x, y = (torch.from_numpy(a).permute(2, 0, 1)[None].float() / 255 for a in (restored, reference))
        scores.append((PSNR("y", 4)(x, y).item(), SSIM("y", 4)(x, y).item()))
    decibel, similarity = np.mean(scores, axis=0)
    assert decibel == pytest.approx(28.43, abs=0.01)
    assert similarity == pytest.approx(0.811, abs=0.001)
