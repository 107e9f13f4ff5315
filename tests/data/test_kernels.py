"""Blur kernels, filtering and resizing against closed forms, scipy and OpenCV."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, ndimage, special

from lossagent.data.degradations import (
    Blur,
    GaussianBlur,
    draw_gaussian_kernel,
    draw_kernel,
    filter2d,
    gaussian_kernel,
    generalised_gaussian_kernel,
    plateau_kernel,
    resize,
    sinc_kernel,
    usm_sharpen,
)
from lossagent.data.degradations.kernel_draws import SHAPES
from lossagent.data.degradations.kernels import padded
from lossagent.errors import Refused


def moments(kernel: np.ndarray) -> np.ndarray:
    """Covariance of (x, y), x to the right."""
    along = np.arange(len(kernel)) - (len(kernel) - 1) / 2
    x, y = np.meshgrid(along, along)
    x, y = x - (kernel * x).sum(), y - (kernel * y).sum()
    cross = (kernel * x * y).sum()
    return np.array([[(kernel * x * x).sum(), cross], [cross, (kernel * y * y).sum()]])


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


KERNELS = {
    "gaussian": gaussian_kernel(21, 2.0, 1.0, 0.4),
    "generalised": generalised_gaussian_kernel(21, 2.0, 1.0, 0.4, beta=0.6),
    "plateau": plateau_kernel(21, 2.0, 1.0, 0.4, beta=1.7),
    "sinc": sinc_kernel(1.3, 21),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_sum_to_one_and_do_not_change_when_turned_by_half_a_turn(name):
    kernel = KERNELS[name]
    assert kernel.dtype == np.float64
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-15)
    assert kernel.argmax() == kernel.size // 2


@pytest.mark.parametrize("make", [gaussian_kernel, generalised_gaussian_kernel, plateau_kernel])
def test_kernels_with_one_deviation_have_all_symmetries_of_the_square(make):
    kernel = make(15, 1.7)
    for other in (kernel.T, kernel[::-1], kernel[:, ::-1], make(15, 1.7, 1.7, 0.9)):
        np.testing.assert_allclose(kernel, other, atol=1e-15)


def test_sigma_is_the_standard_deviation_and_the_angle_turns_x_towards_y():
    np.testing.assert_allclose(moments(gaussian_kernel(41, 3.0, 1.5)), np.diag([9, 2.25]), atol=1e-3)
    angle = 0.7
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    expected = turn @ np.diag([9, 2.25]) @ turn.T
    np.testing.assert_allclose(moments(gaussian_kernel(41, 3.0, 1.5, angle)), expected, atol=2e-3)
    np.testing.assert_allclose(gaussian_kernel(9, 2.0, 1.0, math.pi / 2), gaussian_kernel(9, 1.0, 2.0), atol=1e-15)


def test_the_gaussian_is_scipys_and_opencvs():
    single = np.zeros((25, 25))
    single[12, 12] = 1
    theirs = ndimage.gaussian_filter(single, 2.0, radius=12)
    np.testing.assert_allclose(gaussian_kernel(25, 2.0), theirs, atol=1e-15)
    cv2 = pytest.importorskip("cv2")
    row = cv2.getGaussianKernel(21, 1.6, cv2.CV_64F)
    np.testing.assert_allclose(gaussian_kernel(21, 1.6), row @ row.T, atol=1e-12)


def test_a_shift_moves_the_centre_of_mass_down_and_right():
    kernel = gaussian_kernel(25, 2.0, shift=1.5)
    along = np.arange(25) - 12
    assert (kernel.sum(0) @ along, kernel.sum(1) @ along) == pytest.approx((1.5, 1.5), abs=1e-3)


def test_generalised_gaussian_of_beta_one_is_the_gaussian_and_others_follow_the_formula():
    np.testing.assert_allclose(
        generalised_gaussian_kernel(21, 2.0, 1.0, 0.4, beta=1.0), gaussian_kernel(21, 2.0, 1.0, 0.4), atol=1e-16
    )
    kernel = generalised_gaussian_kernel(21, 2.0, 2.0, beta=2.5)
    # d = (r / sigma)**2: along the middle row the ratio to the centre is exp(-(x / sigma)**5 / 2).
    np.testing.assert_allclose(kernel[10, 10:14] / kernel[10, 10], np.exp(-0.5 * (np.arange(4) / 2) ** 5), rtol=1e-12)


def test_the_plateau_follows_its_formula():
    kernel = plateau_kernel(21, 2.0, 2.0, beta=1.5)
    np.testing.assert_allclose(kernel[10, 10:20] / kernel[10, 10], 1 / (1 + (np.arange(10) / 2) ** 3), rtol=1e-12)
    assert kernel[10, 12] / kernel[10, 10] == pytest.approx(0.5)  # half of the top at one standard deviation


def test_the_sinc_is_the_transform_of_a_disc():
    cutoff, kernel = 1.1, sinc_kernel(1.1, 21)
    # J1 by its integral [Abramowitz and Stegun 9.1.20 with n = 1], not by the library that the kernel uses.
    for distance in (1, 4, 9):
        x = cutoff * distance
        j1 = integrate.quad(lambda t, x=x: math.cos(t - x * math.sin(t)), 0, math.pi)[0] / math.pi
        ratio = (cutoff * j1 / (2 * math.pi * distance)) / (cutoff**2 / (4 * math.pi))
        assert kernel[10, 10 + distance] / kernel[10, 10] == pytest.approx(ratio, rel=1e-9)


def test_the_spectrum_of_the_sinc_falls_at_its_cutoff():
    for cutoff in (1.0, 2.0):
        spectrum = np.abs(np.fft.fft2(np.pad(sinc_kernel(cutoff, 101), 206)))[0]
        frequency = np.arange(len(spectrum)) * 2 * math.pi / len(spectrum)
        half = frequency[np.argmax(spectrum < 0.5)]
        assert half == pytest.approx(cutoff, abs=0.05)
        assert spectrum[frequency < cutoff - 0.3] == pytest.approx(1, abs=0.1)
        assert spectrum[(frequency > cutoff + 0.3) & (frequency < math.pi)].max() < 0.1
    assert special.j1(0.0) == 0  # the middle pixel is a limit: J1(x)/x -> 1/2
    assert np.isfinite(sinc_kernel(math.pi, 7)).all()


def test_deviations_of_almost_nothing_give_one_pixel():
    single = np.zeros((7, 7))
    single[3, 3] = 1
    np.testing.assert_array_equal(gaussian_kernel(7, 0.0), single)
    np.testing.assert_array_equal(padded(np.ones((1, 1)), 7), single)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: gaussian_kernel(0, 1.0), "size"),
        (lambda: gaussian_kernel(7, -1.0), "standard deviations"),
        (lambda: gaussian_kernel(8, 0.0), "larger standard deviation"),
        (lambda: generalised_gaussian_kernel(7, 1.0, beta=0.0), "beta"),
        (lambda: plateau_kernel(7, 1.0, beta=-1.0), "beta"),
        (lambda: sinc_kernel(4.0, 7), "cutoff"),
        (lambda: padded(np.ones((3, 3)), 6), "parity"),
        (lambda: filter2d(torch.zeros(1, 3, 8, 8), torch.ones(1, 4, 4)), "odd"),
        (lambda: resize(torch.zeros(1, 3, 8, 8), 0, 4, "area"), "height"),
        (lambda: Blur(shares=(1.0, 1.0, 0.0, 0.0, 0.0, 0.0)), "shares"),
        (lambda: Blur(sizes=(8,)), "odd"),
        (lambda: Blur(sigma=(2.0, 1.0)), "sigma"),
        (lambda: Blur(plateau=(2.0, 3.0)), "beta"),
        (lambda: GaussianBlur(anisotropic=1.5), "anisotropic"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make, named):
    with pytest.raises(Refused, match=named):
        make()


@pytest.mark.parametrize("shape", [(31, 40), (9, 5), (1, 3)])
def test_filtering_is_scipys_correlation_with_mirrored_borders(rng, shape):
    images = rng.random((2, 3, *shape))
    kernels = rng.random((2, 11, 11))
    found = filter2d(tensor(images), tensor(kernels)).numpy()
    for image, kernel, filtered in zip(images, kernels, found, strict=True):
        for channel, made in zip(image, filtered, strict=True):
            np.testing.assert_allclose(made, ndimage.correlate(channel, kernel, mode="mirror"), atol=1e-10)


def test_filtering_is_opencvs(rng):
    cv2 = pytest.importorskip("cv2")
    image, kernel = rng.random((30, 37, 3), dtype=np.float32), gaussian_kernel(21, 3.0, 1.0, 0.5)
    theirs = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    found = filter2d(tensor(image.transpose(2, 0, 1))[None], tensor(kernel)[None].float())[0]
    np.testing.assert_allclose(found.numpy().transpose(1, 2, 0), theirs, atol=2e-6)


@pytest.mark.parametrize("size", [(10, 12), (21, 17), (40, 48), (55, 61), (40, 20)])
@pytest.mark.parametrize("mode", ["area", "bilinear", "bicubic"])
def test_resizing_is_opencvs(rng, mode, size):
    cv2 = pytest.importorskip("cv2")
    image = rng.random((40, 48, 3), dtype=np.float32)
    flag = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[mode]
    theirs = cv2.resize(image, (size[1], size[0]), interpolation=flag)
    found = resize(tensor(image.transpose(2, 0, 1))[None], *size, mode)[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(found, theirs, atol=2e-5)


def test_unsharp_masking_is_opencvs(rng):
    cv2 = pytest.importorskip("cv2")
    image = cv2.resize(rng.integers(0, 256, (12, 15, 3), dtype=np.uint8), (90, 72), interpolation=cv2.INTER_CUBIC)
    values = image.astype(np.float32) / 255
    blurred = cv2.GaussianBlur(values, (51, 51), 0)
    soft = cv2.GaussianBlur((np.abs(values - blurred) * 255 > 10).astype(np.float32), (51, 51), 0)
    expected = soft * np.clip(values + 0.5 * (values - blurred), 0, 1) + (1 - soft) * values
    difference = np.abs(usm_sharpen(image).astype(int) - np.round(expected * 255))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_kernels_of_real_esrgan_are_drawn_with_the_published_shares(monkeypatch):
    blur, seen = Blur(), []
    kinds = {"gaussian_kernel": 0, "generalised_gaussian_kernel": 2, "plateau_kernel": 4}
    from lossagent.data.degradations import kernel_draws

    def gaussian(size, sigma_x, sigma_y, angle, beta=1.0, *, kind):
        seen.append((SHAPES[kind + (angle != 0)], size, sigma_x, sigma_y, beta))
        return np.ones((1, 1))

    def sinc(cutoff, size):
        seen.append(("sinc", size, cutoff, cutoff, 1.0))
        return np.ones((1, 1))

    for name, kind in kinds.items():
        monkeypatch.setattr(kernel_draws, name, lambda *a, kind=kind: gaussian(*a, kind=kind))
    monkeypatch.setattr(kernel_draws, "sinc_kernel", sinc)
    rng, count = np.random.default_rng(0), 6000
    for _ in range(count):
        draw_kernel(rng, blur)
    expected = dict(zip(SHAPES, (0.9 * share for share in (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)), strict=True))
    for name, share in (expected | {"sinc": 0.1}).items():
        assert sum(kind == name for kind, *_ in seen) / count == pytest.approx(share, abs=0.015), name
    sizes = [size for _, size, *_ in seen]
    assert [sizes.count(s) / count for s in range(7, 22, 2)] == pytest.approx([1 / 8] * 8, abs=0.02)
    deviations = [value for kind, _, *values, _ in seen if kind != "sinc" for value in values]
    assert (min(deviations), max(deviations)) == pytest.approx((0.2, 3.0), abs=0.01)
    for kind, low, high in (("generalised", 0.5, 4), ("plateau", 1, 2)):
        betas = [beta for name, *_, beta in seen if name.startswith(kind)]
        assert (min(betas), max(betas)) == pytest.approx((low, high), abs=0.05)
        assert np.mean(np.array(betas) > 1) == pytest.approx(0.5, abs=0.06)
    for small, low in ((True, math.pi / 3), (False, math.pi / 5)):
        cutoffs = [cutoff for kind, size, cutoff, *_ in seen if kind == "sinc" and (size < 13) == small]
        assert (min(cutoffs), max(cutoffs)) == pytest.approx((low, math.pi), abs=0.08)


def test_kernels_of_bsrgan_are_drawn_with_the_published_ranges(monkeypatch):
    from lossagent.data.degradations import kernel_draws

    seen = []

    def gaussian(size, sigma_x, sigma_y=None, angle=0.0):
        seen.append((size, sigma_x, sigma_y))
        return np.ones((1, 1))

    monkeypatch.setattr(kernel_draws, "gaussian_kernel", gaussian)
    rng, count = np.random.default_rng(0), 4000
    for _ in range(count):
        draw_gaussian_kernel(rng, GaussianBlur(), 4.0)
    assert {size for size, *_ in seen} == set(range(7, 26, 2))
    turned = np.array([[x, y] for _, x, y in seen if y is not None])
    assert len(turned) / count == pytest.approx(0.5, abs=0.025)
    # The eigenvalues of the covariance are uniform up to 4 + 4: variances, not deviations.
    assert (turned**2).max() == pytest.approx(8, abs=0.02)
    assert (turned**2).mean() == pytest.approx(4, abs=0.1)
    alone = np.array([x for _, x, y in seen if y is None])
    assert alone.max() == pytest.approx(2.8, abs=0.02)
    assert alone.mean() == pytest.approx(1.4, abs=0.05)
