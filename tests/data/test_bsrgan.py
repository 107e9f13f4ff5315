"""BSRGAN's degradation: published shares, determinism, sizes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.data import NamedImage, PatchSampler
from lossagent.data.degradations import BSRGAN, BSRGANRanges, Degradation, RealESRGAN
from lossagent.data.degradations import bsrgan as module
from lossagent.errors import Refused


def coarse(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (max(height // 8, 1), max(width // 8, 1), 3), dtype=np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).copy()


@pytest.mark.parametrize("make", [BSRGAN, RealESRGAN])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(50, 67), (9, 5), (4, 4)])
def test_any_size_gives_its_part_of_pixels_even_below_a_kernels(make, scale, shape):
    image = coarse(*shape)
    for seed in range(4):
        low = make(scale)(image, np.random.default_rng(seed))
        assert low.shape == (shape[0] // scale, shape[1] // scale, 3)
        assert low.dtype == np.uint8


@pytest.mark.parametrize("make", [BSRGAN, RealESRGAN])
def test_gray_content_of_one_channel_stays_of_one_channel(make):
    image = coarse(40, 40)[:, :, :1]
    for seed in range(8):
        low = make(4)(image, np.random.default_rng(seed))
        assert low.shape == (10, 10, 1)


def test_brightness_is_kept_on_average():
    # Not so for Real-ESRGAN: a flat image has one level, and counts of one photon are clipped.
    image = np.full((64, 64, 3), 128, dtype=np.uint8)
    means = [BSRGAN(4)(image, np.random.default_rng(seed)).mean() for seed in range(12)]
    assert np.mean(means) == pytest.approx(128, abs=3)


@pytest.mark.parametrize("make", [BSRGAN, RealESRGAN])
def test_the_generator_alone_decides(make):
    image = coarse(60, 60)
    made = [make(4)(image, np.random.default_rng(seed)) for seed in (0, 1, 0)]
    assert np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], made[1])
    torch.manual_seed(99)  # the global streams do not matter
    assert np.array_equal(made[1], make(4)(image, np.random.default_rng(1)))
    crops = [make(4).patch(image, 2, 3, 6, np.random.default_rng(seed)) for seed in (0, 1, 0)]
    assert crops[0].shape == (6, 6, 3)
    assert np.array_equal(crops[0], crops[2])
    assert not np.array_equal(crops[0], crops[1])


@pytest.mark.parametrize("make", [BSRGAN, RealESRGAN])
def test_what_cannot_be_degraded_is_refused(make):
    rng = np.random.default_rng(0)
    assert isinstance(make(4), Degradation)
    for call, named in (
        (lambda: make(4)(coarse(40, 3), rng), "at least scale"),
        (lambda: make(4)(np.zeros((8, 8, 4), np.uint8), rng), "channels"),
        (lambda: make(4).patch(coarse(40, 40), 6, 0, 5, rng), "not inside"),
        (lambda: make(0), "scale"),
        (lambda: make(4, margin=-1), "margin"),
    ):
        with pytest.raises(Refused, match=named):
            call()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[NamedImage]:
    folder: Path = tmp_path_factory.mktemp("photos")
    images = []
    for number, shape in enumerate(((48, 61), (64, 41))):
        Image.fromarray(coarse(*shape, seed=number)).save(folder / f"{number}.png")
        images.append(NamedImage(str(number), folder / f"{number}.png"))
    return images


@pytest.mark.parametrize("make", [BSRGAN, RealESRGAN])
def test_a_thousand_samples_come_by_index_in_any_order_with_any_number_of_threads(make, photos):
    # 500 of each degradation; one after another, then shuffled over two and over four threads.
    def sampler() -> PatchSampler:
        return PatchSampler(photos, 4, 4, make(4, margin=4), 11)

    count, one = 500, sampler()
    forth = [one.sample(index) for index in range(count)]
    assert len({sample.lq.tobytes() for sample in forth}) > 0.98 * count  # some are black or white all over
    order = np.random.default_rng(0).permutation(count).tolist()
    for threads, some in ((2, order[: count // 2]), (4, order[count // 2 :])):
        with ThreadPoolExecutor(threads) as pool:
            for index, sample in zip(some, pool.map(sampler().sample, some), strict=True):
                assert np.array_equal(sample.lq, forth[index].lq)
                assert np.array_equal(sample.hq, forth[index].hq)


def watched(monkeypatch: pytest.MonkeyPatch, ranges: BSRGANRanges, scale: int, count: int) -> list[list[tuple]]:
    """What happens in ``count`` degradations, operation by operation, none of them done."""
    told: list[list[tuple]] = []
    note = lambda *what: told[-1].append(what)  # noqa: E731

    def resized(images, height, width, mode):
        note("resize", mode, images.shape[-1], width)
        return images.new_zeros(*images.shape[:2], height, width)

    def kernel(size, sigma, shift):
        note("shifted", size, sigma, shift)
        return np.ones((1, 1))

    def drawn(rng, blur, left):
        note("blur", left)
        return np.ones((1, 1))

    def coded(images, qualities):
        note("jpeg", *qualities)
        return images

    def noise(images, sigma, gray, draws):
        note("gray" if gray[0] else "colour", round(float(sigma) * 255))
        return torch.zeros_like(images)

    def correlated(images, covariance, draws):
        note("correlated")
        return torch.zeros_like(images)

    def camera(images, shot, draws):
        note("camera")
        return images

    for name, stand_in in {
        "resize": resized,
        "gaussian_kernel": kernel,
        "draw_gaussian_kernel": drawn,
        "codec_batch": coded,
        "gaussian_noise": noise,
        "correlated_noise": correlated,
        "camera_noise": camera,
        "filter2d": lambda images, kernels: images,
    }.items():
        monkeypatch.setattr(module, name, stand_in)
    rng = np.random.default_rng(0)
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    for _ in range(count):
        told.append([])
        BSRGAN(scale, ranges)(image, rng)
    return told


def test_choices_have_the_published_shares(monkeypatch):
    count = 3000
    told = watched(monkeypatch, BSRGANRanges(), 4, count)

    def share(name: str) -> float:
        return sum(any(what[0] == name for what in one) for one in told) / count

    assert share("colour") == pytest.approx(0.4, abs=0.03)
    assert share("gray") == pytest.approx(0.4, abs=0.03)
    assert share("correlated") == pytest.approx(0.2, abs=0.025)
    assert share("shifted") == pytest.approx(0.25, abs=0.025)
    assert share("camera") == pytest.approx(0.25, abs=0.025)
    codings = [[what[1] for what in one if what[0] == "jpeg"] for one in told]
    assert np.mean([len(found) == 2 for found in codings]) == pytest.approx(0.9, abs=0.02)
    assert all(one[-1][0] == "jpeg" for one in told)  # one always ends it
    qualities = [quality for found in codings for quality in found]
    assert (min(qualities), max(qualities)) == (30, 95)
    levels = [what[1] for one in told for what in one if what[0] in ("colour", "gray")]
    assert (min(levels), max(levels)) == (2, 25)
    # Two blurs each; halved first at scale 4 in a quarter of the cases, then 2 is left.
    lefts = [[what[1] for what in one if what[0] == "blur"] for one in told]
    assert all(found in ([4, 4], [2, 2]) for found in lefts)
    halved = np.array([found[0] == 2 for found in lefts])
    assert halved.mean() == pytest.approx(0.25, abs=0.025)
    first = [one[0] for one, half in zip(told, halved, strict=True) if half]
    assert all(what[0] == "resize" and what[2:] == (16, 8) for what in first)
    assert np.mean([what[1] == "smooth" for what in first]) == pytest.approx(0.5, abs=0.06)
    modes = [what[1] for one in told for what in one if what[0] == "resize" and what[1] != "smooth"]
    for mode in ("area", "bilinear", "bicubic"):
        assert modes.count(mode) / len(modes) == pytest.approx(1 / 3, abs=0.03)


def test_the_shifted_gaussian_has_the_published_range_and_centre(monkeypatch):
    told = watched(monkeypatch, BSRGANRanges(resize=0.0, half_first=0.0), 4, 600)
    found = np.array([what[1:] for one in told for what in one if what[0] == "shifted"])
    assert len(found) == 600
    assert set(found[:, 0]) == {25}
    assert (found[:, 1].min(), found[:, 1].max()) == pytest.approx((0.1, 2.4), abs=0.02)
    assert set(found[:, 2]) == {1.5}


def test_operations_come_in_any_order_and_the_size_is_fixed_last(monkeypatch):
    told = watched(monkeypatch, BSRGANRanges(half_first=0.0, resize=1.0, camera=1.0, jpeg=1.0), 2, 1500)
    orders = [tuple("noise" if w[0] in ("colour", "gray", "correlated") else w[0] for w in one) for one in told]
    assert len(set(orders)) > 800  # of 7! / 4 = 1260: blurs look alike, resizings too
    for one in told:
        sizes = [what[3] for what in one if what[0] == "resize"]
        assert sizes[-1] == 8
        assert 4 <= sizes[0] <= 16
    positions = [order.index("noise") for order in orders]
    assert [positions.count(place) / len(orders) for place in range(7)] == pytest.approx([1 / 7] * 7, abs=0.04)


def test_subsampling_with_the_shifted_gaussian_keeps_a_ramp_in_place():
    # A ramp blurred with a kernel that is centred on the group of pixels gives the group's mean.
    ranges = BSRGANRanges(resize=0.0, half_first=0.0)
    ramp = torch.arange(64.0).expand(1, 1, 64, 64) / 64
    low = module._reduced_at_random(ramp, 4.0, ranges, np.random.default_rng(0))
    expected = ramp[0, 0, 0].reshape(16, 4).mean(1)
    np.testing.assert_allclose(low[0, 0, 8, 4:12], expected[4:12], atol=2e-3)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: BSRGANRanges(colour=0.7, gray=0.7), "probabilities"),
        (lambda: BSRGANRanges(noise=(5, 2)), "noise"),
        (lambda: BSRGANRanges(quality=(0, 50)), "quality"),
        (lambda: BSRGANRanges(shifted_size=4), "shifted_size"),
        (lambda: BSRGANRanges(shifted_sigma=(0.6, 0.1)), "shifted_sigma"),
    ],
)
def test_ranges_that_are_none_are_refused(make, named):
    with pytest.raises(Refused, match=named):
        make()
