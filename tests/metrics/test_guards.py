"""Lattice peak, shifted distance, consistency, drift, noise control."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from lossagent.errors import Refused
from lossagent.metrics import (
    Drift,
    FeatureDistance,
    LatticePeak,
    LRConsistency,
    ShiftedPerceptual,
    correlated_noise,
    lattice_peak,
)


def natural(seed=0, height=160, width=192):
    rng = np.random.default_rng(seed)
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    distance[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((1, 1, height, width))) / distance).real
    gray = np.clip(np.round(128 + 30 * noise / noise.std()), 0, 255) / 255
    return torch.from_numpy(gray).float().repeat(1, 3, 1, 1)


def checkerboard(image, period, amplitude):
    """Squares of period/2 px, +- amplitude grey levels, rounded to 8 bit."""
    y, x = torch.meshgrid(*(torch.arange(s) // (period // 2) for s in image.shape[-2:]), indexing="ij")
    return ((image * 255 + amplitude * ((x + y) % 2 * 2 - 1)).round() / 255).clamp(0, 1)


def strided(image, period, amplitude):
    """Every period-th pixel of every period-th row, brighter by amplitude grey levels."""
    marked = image.clone()
    marked[..., ::period, ::period] += amplitude / 255
    return marked.clamp(0, 1)


@pytest.mark.parametrize("seed", [0, 1])
def test_natural_images_have_no_lattice(seed):
    assert 1 <= lattice_peak(natural(seed)).item() < 1.5


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("pattern", [checkerboard, strided])
def test_a_lattice_of_few_grey_levels_stands_out_and_grows(period, pattern):
    image = natural()
    values = [lattice_peak(pattern(image, period, a)).item() for a in (0, 2, 4, 8)]
    assert values == sorted(values)
    # One pixel in sixteen carries a quarter of the energy of one in four: it needs more to stand out of texture.
    assert values[2 if (pattern, period) == (strided, 4) else 1] > 1.5


def test_period_8_is_seen_only_when_asked_for():
    image = checkerboard(natural(), 8, 4)
    assert lattice_peak(image, period=8).item() > 2
    assert lattice_peak(image).item() < 1.5


def test_lines_edges_and_flat_areas_are_no_lattice():
    stripes = torch.zeros(1, 3, 128, 128)
    stripes[..., 37:90] = 1
    stripes[..., 20:30, :] = 0.5
    assert lattice_peak(stripes).item() < 1.5
    assert lattice_peak(torch.full((1, 3, 64, 64), 0.5)).item() == 1


def test_lattice_is_blind_to_transposition_and_batches_equal_singles():
    images = torch.cat([natural(0), checkerboard(natural(1), 4, 3)])
    values = lattice_peak(images)
    assert values.dtype == torch.float64
    assert torch.allclose(values, lattice_peak(images.transpose(2, 3)))
    assert torch.allclose(values, torch.cat([LatticePeak()(i) for i in images.split(1)]))


def test_lattice_refuses():
    with pytest.raises(Refused, match="at least 64 px high and wide; found 63x80"):
        lattice_peak(torch.rand(1, 3, 63, 80))
    with pytest.raises(Refused, match="2, 4 or 8"):
        LatticePeak(3)


@pytest.mark.slow
def test_untouched_photographs_score_below_a_checkerboard_of_one_grey_level(shared_data):
    clean, marked = [], []
    files = [*(shared_data / "bench" / "Set14" / "HR").glob("*.png"), *(shared_data / "bench" / "BSD100").glob("*.jpg")]
    for path in files:
        pixels = np.array(Image.open(path).convert("RGB"))
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        clean.append(lattice_peak(image).item())
        marked.append(lattice_peak(checkerboard(image, 2, 1)).item())
    assert np.percentile(clean, 95) < 1.4
    assert min(marked) > 4


class Strided:
    """A backbone that looks at every fourth pixel only."""

    def __call__(self, images):
        return {"first": images[..., ::4, ::4], "second": F.avg_pool2d(images[..., ::4, ::4], 2)}


def test_shifts_show_what_a_strided_distance_does_not_see():
    distance = FeatureDistance(Strided())
    reference = natural() * 0.8 + 0.1
    hidden = reference.clone()
    hidden[..., 1::4, 2::4] += 0.05
    assert distance(hidden, reference).item() == 0
    metric = ShiftedPerceptual(distance, name="shifted-strided", backbone="strided")
    assert metric(hidden, reference).item() > 0
    assert metric(reference, reference).item() == 0
    assert ShiftedPerceptual(distance, name="x", backbone="strided", extent=1)(hidden, reference).item() == 0


def test_references_are_looked_at_once_as_far_as_memory_is_given(monkeypatch):
    seen = []

    def features(images):
        seen.append(images.mean().item())
        return {"all": images * 2}

    first, second = torch.full((1, 3, 8, 8), 0.25), torch.full((1, 3, 8, 8), 0.5)
    restored = torch.full((1, 3, 8, 8), 0.75)
    distance = FeatureDistance(features)
    assert [distance(restored, x).item() for x in (first, second, first.clone())] == [2, 0.5, 2]
    assert seen == [0.75, 0.25, 0.75, 0.5, 0.75]
    assert distance(restored[..., :4], first[..., :4]).item() == 2
    monkeypatch.setattr("lossagent.metrics.shifted.HELD", 0)
    seen.clear()
    small = FeatureDistance(features)
    assert [small(restored, first).item() for _ in range(2)] == [2, 2]
    assert seen == [0.75, 0.25] * 2


def test_shifted_calls_the_distance_once_a_shift_and_says_what_is_inside():
    seen = []

    def distance(x, y):
        seen.append(tuple(x.shape))
        return (x - y).abs().mean(dim=(1, 2, 3))

    metric = ShiftedPerceptual(distance, name="shifted-l1", backbone="none", extent=3, published=False)
    x = torch.rand(2, 3, 40, 44)
    assert metric(x, torch.zeros_like(x)).shape == (2,)
    assert seen == [(2, 3, 38, 42)] * 9
    assert metric.facts.options == {"backbone": "none", "extent": 3, "published_weights": False}
    with pytest.raises(Refused, match="at least 34 px"):
        metric(x[..., :33], x[..., :33])
    with pytest.raises(Refused, match="extent"):
        ShiftedPerceptual(distance, name="x", backbone="none", extent=0)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_consistency_falls_as_the_restored_image_leaves_its_input(scale):
    restored = natural(height=96, width=120) * 0.8 + 0.1
    low = F.interpolate(restored, scale_factor=1 / scale, mode="bicubic", antialias=True).clamp(0, 1)
    near = LRConsistency(border=2)(restored, low).item()
    far = LRConsistency(border=2)((restored + 0.1).clamp(0, 1), low).item()
    # torch's antialiased bicubic is MATLAB's away from the border, where it shortens the window.
    assert near > 60
    assert far == pytest.approx(20, abs=0.1)


def test_consistency_reads_matlabs_own_reductions(shared_data):
    folder = shared_data / "bench" / "Set5"
    high, low = (
        torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        for path in (folder / "HR" / "baby.png", next((folder / "LR_bicubic_X4").glob("**/babyx4.png")))
    )
    assert LRConsistency()(high, low).item() > 55  # What is left is the rounding of the given file.


def test_consistency_refuses_sizes_that_are_no_multiple():
    with pytest.raises(Refused, match=r"restored is 1 x 64x66 px, the input is 1 x 16x16 px"):
        LRConsistency()(torch.rand(1, 3, 64, 66), torch.rand(1, 3, 16, 16))
    with pytest.raises(Refused, match="low-quality input"):
        LRConsistency()(torch.rand(1, 3, 64, 64))


def test_drift_is_infinite_at_the_start():
    start = natural()
    assert Drift()(start, start).item() == math.inf
    assert Drift()((start + 0.01).clamp(0, 1), start).item() == pytest.approx(40, abs=0.1)
    assert Drift().facts.needs_reference


def test_correlated_noise_has_the_amplitude_asked_for():
    gray = torch.full((2, 3, 200, 200), 0.5)
    noise = (correlated_noise(gray, seed=3) - gray) * 255
    assert noise.std().item() == pytest.approx(4, rel=0.03)
    assert torch.equal(noise[:, 0], noise[:, 2])
    assert torch.equal(noise[0], noise[1])
    flat = noise[0, 0]
    neighbours = (flat[:, 1:] * flat[:, :-1]).mean() / flat.square().mean()
    assert neighbours.item() == pytest.approx(math.exp(-1 / (4 * 0.7**2)), abs=0.05)
    assert torch.equal(correlated_noise(gray, seed=3), correlated_noise(gray, seed=3))
    assert not torch.equal(correlated_noise(gray, seed=3), correlated_noise(gray, seed=4))
    assert correlated_noise(torch.ones(1, 3, 8, 8), seed=0).max() <= 1
    with pytest.raises(Refused, match="blur"):
        correlated_noise(gray, seed=0, blur=0.0)
