"""The describer's measures against closed forms and against damage of known size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from describer_pictures import blurred, checkerboard, edge, eight_bit, jpeg, noisy, scene, sharpened
from scipy import ndimage, special

from lossagent.data.degradations.bicubic import bicubic, imresize
from lossagent.data.images import read
from lossagent.objectives.describer import apart, input_ground, reference_ground, see
from lossagent.objectives.describer.blocks import blocking
from lossagent.objectives.describer.edges import find_edges, steepness
from lossagent.objectives.describer.grain import noise_level
from lossagent.objectives.describer.plane import Plane, luma, plane
from lossagent.objectives.describer.profiles import clean_edges, profile
from lossagent.objectives.describer.texture import agreement, energy, fine, gains, kept, medium, textured
from lossagent.objectives.describer.tint import areas, lab, tint


def plane_of(levels: np.ndarray) -> Plane:
    return plane(luma(eight_bit(levels)))


def test_luma_is_that_of_bt601_in_full_range() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
    assert luma(pixels).tolist() == [[76, 150, 29, 255]]


# Sharpness


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 3.0])
def test_gradient_of_a_gaussian_edge(sigma: float) -> None:
    """Central difference of an erf under sigma^2 + 0.8^2, root mean square over the 3 px at the edge."""
    image = plane_of(edge(sigma))
    spread = np.hypot(sigma, 0.8) * np.sqrt(2)
    x = np.array([-1.0, 0.0, 1.0])
    slope = 120 * (special.erf((x + 1) / spread) - special.erf((x - 1) / spread)) / 4
    assert steepness(image, find_edges(image), 0.0) == pytest.approx(np.sqrt(np.mean(slope**2)), rel=0.02)


@pytest.mark.parametrize("at", [31.5, 32.0])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5, 2.0])
def test_width_is_that_from_10_to_90_percent(sigma: float, at: float) -> None:
    image = plane_of(edge(sigma, at=at))
    mean = profile(image, clean_edges(image, find_edges(image)))
    assert mean is not None
    assert mean.width == pytest.approx(2.563 * sigma, rel=0.03)


@pytest.mark.parametrize("at", [31.6, 32.4])
@pytest.mark.parametrize("sigma", [0.5, 1.2, 2.0])
def test_places_between_pixels_make_the_mean_profile_little_wider(sigma: float, at: float) -> None:
    image = plane_of(edge(sigma, at=at))
    mean = profile(image, clean_edges(image, find_edges(image)))
    assert mean is not None
    assert 0 < mean.width - 2.563 * sigma < 0.4


def test_the_gradient_falls_with_blur_and_not_with_noise() -> None:
    image = scene()
    ground = reference_ground(image, 1)
    steep = [see(blurred(image, s), ground).image.gradient for s in (0.5, 1.0, 2.0)]
    with_noise = see(noisy(image, 8), ground).image.gradient
    own = ground.look.gradient
    assert own is not None
    assert with_noise == pytest.approx(own, rel=0.02)
    assert [own, *steep] == sorted([own, *steep], reverse=True)  # pyright: ignore[reportArgumentType]


def test_an_image_without_edges_has_no_sharpness() -> None:
    image = plane_of(np.full((64, 64), 120.0))
    edges = find_edges(image)
    assert len(edges.row) == 0
    assert steepness(image, edges, 0.0) is None
    assert profile(image, clean_edges(image, edges)) is None


# Ringing


@pytest.mark.parametrize("period", [4, 5, 6, 8])
def test_an_ideal_low_pass_overshoots_by_nine_percent(period: int) -> None:
    """Gibbs: 0.0895 of the step on either side, whatever the cutoff; pixels do not always meet the peak."""
    side = 240
    square = np.where((np.arange(side) >= 60) & (np.arange(side) < 180), 180.0, 60.0)
    spectrum = np.fft.rfft(square)
    spectrum[side // period :] = 0
    image = plane_of(np.tile(np.fft.irfft(spectrum, side), (side, 1)))
    mean = profile(image, clean_edges(image, find_edges(image)))
    assert mean is not None
    assert mean.halo == pytest.approx(0.0895, abs=0.03)


@pytest.mark.parametrize("sigma", [0.6, 1.5, 2.0])
def test_a_gaussian_edge_does_not_overshoot(sigma: float) -> None:
    image = plane_of(edge(sigma))
    mean = profile(image, clean_edges(image, find_edges(image)))
    assert mean is not None
    assert mean.halo < 0.005


def test_the_halo_of_sharpening_is_seen_at_the_edges_of_the_reference() -> None:
    image = scene()
    seen = see(sharpened(image), reference_ground(image, 1))
    assert seen.image.halo is not None
    assert seen.compared.halo is not None
    assert seen.compared.halo < 0.01
    assert seen.image.halo > 0.05


# Noise


@pytest.mark.parametrize("sigma", [1.0, 5.0, 15.0])
def test_noise_on_a_slope(sigma: float) -> None:
    slope = np.tile(np.linspace(80, 160, 256), (256, 1))
    level = noise_level(plane(luma(noisy(eight_bit(slope), sigma))))
    assert level == pytest.approx(sigma, rel=0.08)


def test_noise_on_a_scene_with_edges_and_texture() -> None:
    assert noise_level(plane(luma(noisy(scene(), 5)))) == pytest.approx(5, rel=0.2)


def test_rounding_alone_leaves_three_tenths_of_a_grey_level() -> None:
    """Uniform errors of one grey level have a deviation of 1 / sqrt(12)."""
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 6)
    level = noise_level(plane_of(128 + 40 * smooth / smooth.std()))
    assert level == pytest.approx(12**-0.5, rel=0.15)


def test_a_checkerboard_is_a_grid_and_no_noise() -> None:
    flat = np.full((128, 128, 3), 120, dtype=np.uint8)
    level = noise_level(plane(luma(checkerboard(noisy(flat, 2), 3))))
    assert level == pytest.approx(2, rel=0.1)


def test_black_and_white_areas_are_no_place_to_measure_noise() -> None:
    assert noise_level(plane_of(np.zeros((64, 64)))) is None


# Blocking


def test_steps_on_the_grid_in_grey_levels() -> None:
    """Blocks alternate by 4 grey levels: every border has a step of 4, everything else none."""
    row, column = np.indices((128, 128)) // 8
    assert blocking(luma(eight_bit(100 + 4.0 * ((row + column) % 2)))) == pytest.approx(4.0)


def test_a_fence_and_a_slope_are_no_blocks() -> None:
    column = np.indices((128, 128))[1]
    assert blocking(luma(eight_bit(100 + 10.0 * (column // 8 % 2)))) == 0
    assert blocking(luma(eight_bit(60 + column * 1.0))) == 0


def test_jpeg_blocks_grow_as_quality_falls_also_after_enlarging_and_cropping() -> None:
    image = noisy(scene(), 3)
    levels = [blocking(luma(jpeg(image, q))) for q in (10, 30, 60)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 1.5
    assert blocking(luma(image)) < 0.4
    assert blocking(np.ascontiguousarray(luma(jpeg(image, 10))[3:, 5:])) > 1.5
    low = jpeg(bicubic(image, 2), 10)
    large = imresize(low, 256, 256)
    assert see(large, input_ground(low, 2)).image.blocking == pytest.approx(input_ground(low, 2).look.blocking, rel=0.5)


# Texture


def test_gains_are_those_of_white_noise() -> None:
    image = np.random.default_rng(0).normal(0, 10, (400, 400))
    near = ndimage.gaussian_filter(image, 0.8)
    far = ndimage.gaussian_filter(image, 1.6)
    measured = [np.square(image - near).mean() / 100, np.square(near - far).mean() / 100]
    assert gains() == pytest.approx(measured, rel=0.05)


def test_half_the_amplitude_is_a_quarter_of_the_energy() -> None:
    rng = np.random.default_rng(0)
    detail = ndimage.gaussian_filter(rng.normal(0, 40, (200, 200)), 0.7)
    whole, half = plane_of(120 + detail), plane_of(120 + detail / 2)
    everywhere = np.ones((200, 200), dtype=bool)
    for band, gain in zip((fine, medium), gains(), strict=True):
        pair = [energy(band(of), everywhere, 12**-0.5, gain) for of in (half, whole)]
        assert kept(*pair) == pytest.approx(0.25, abs=0.01)
    assert agreement(fine(half), fine(whole), everywhere) == pytest.approx(1, abs=0.02)


def test_noise_is_no_texture() -> None:
    detail = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 25, (256, 256)), 0.7)
    detail[:128] = 0
    image = eight_bit(120 + detail)
    seen = see(noisy(image, 2), reference_ground(image, 1))
    assert seen.image.noise == pytest.approx(2, rel=0.1)
    assert seen.fine == pytest.approx(1, abs=0.05)
    assert seen.medium == pytest.approx(1, abs=0.05)
    assert seen.agreement is not None
    assert seen.agreement < 0.95


def test_another_texture_of_the_same_energy_does_not_agree() -> None:
    rng = np.random.default_rng(0)
    one, other = (eight_bit(120 + ndimage.gaussian_filter(rng.normal(0, 30, (128, 128)), 0.7)) for _ in range(2))
    seen = see(one, reference_ground(other, 1))
    # White residuals of flat images count as noise in part; what is left agrees with nothing.
    assert seen.agreement is None or abs(seen.agreement) < 0.1


def test_strong_edges_are_left_out_of_the_texture() -> None:
    image = plane_of(edge(0.7))
    away = textured(find_edges(image))
    assert not away[:, 30:35].any()
    assert away[:, :26].all()


# Colour


def test_lab_of_known_colours() -> None:
    colours = np.array([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]])
    expected = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]
    assert np.allclose(lab(colours), expected, atol=0.05)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ((6, 0, 0), "red"),
        ((0, 6, 0), "green"),
        ((0, 0, 6), "blue"),
        ((0, 0, -6), "yellow"),
        ((-6, 0, 0), "cyan"),
        ((0, -6, 0), "magenta"),
    ],
)
def test_a_cast_is_named(change: tuple[int, int, int], name: str) -> None:
    image = scene()
    moved = eight_bit(image + np.array(change, dtype=np.float64))
    shift = tint(areas(moved, 16) - areas(image, 16))
    assert shift.towards == name
    assert shift.size > 1


def test_lightness_stands_apart_from_colour() -> None:
    gray = np.full((64, 64, 3), 120, dtype=np.uint8)
    shift = tint(areas(gray + np.uint8(10), 16) - areas(gray, 16))
    assert shift.size == pytest.approx(0, abs=0.01)
    assert shift.lightness == pytest.approx(float((lab(np.full(3, 130 / 255)) - lab(np.full(3, 120 / 255)))[0]))


# All of them


def test_identical_images_differ_in_nothing() -> None:
    image = scene()
    seen = see(image, reference_ground(image, 1))
    assert (seen.difference, seen.colour_difference, seen.tint.size) == (0, 0, 0)
    assert (seen.fine, seen.medium) == (1, 1)
    assert seen.agreement == pytest.approx(1)
    assert seen.image == seen.compared


def test_an_input_is_enlarged_for_edges_and_not_for_noise() -> None:
    low = noisy(bicubic(scene(side=512), 4), 4)
    ground = input_ground(low, 4)
    assert ground.view.image.luma.shape == (512, 512)
    assert ground.look.noise == pytest.approx(4, rel=0.25)
    large = imresize(low, 512, 512)
    seen = see(large, ground)
    assert seen.enlarged
    assert seen.agreement is None
    assert seen.image.gradient == pytest.approx(ground.look.gradient, rel=0.02)
    assert seen.image.noise is not None
    assert seen.image.noise < 1


def test_how_far_two_images_are_apart_is_that_of_the_worst_area() -> None:
    image = np.full((64, 64, 3), 100, dtype=np.uint8)
    other = image.copy()
    other[8:16, 16:24, 2] += 7
    assert apart(image, other) == pytest.approx(7)
    assert apart(image, image) == 0


def test_added_noise_on_photographs(shared_data: Path) -> None:
    """Noise of 5 grey levels on top of what the photograph has, within 20 %."""
    for path in sorted((shared_data / "bench" / "Kodak24_part").glob("*.png"))[:4]:
        image = read(path)[:384, :384]
        before, after = (noise_level(plane(luma(i))) for i in (image, noisy(image, 5)))
        assert before is not None
        assert after is not None
        assert np.sqrt(after**2 - before**2) == pytest.approx(5, rel=0.2), path.stem
