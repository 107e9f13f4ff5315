"""NIQE and the distributions inside it."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.errors import Refused
from lossagent.metrics import NIQE, correlated_noise
from lossagent.metrics.aggd import fit_aggd
from lossagent.metrics.niqe import niqe_features, pristine


def natural(batch=1, height=192, width=288, seed=0):
    """Images with the spectrum of photographs, 8-bit values."""
    rng = np.random.default_rng(seed)
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    distance[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((batch, 1, height, width))) / distance).real
    noise = noise / noise.std(axis=(2, 3), keepdims=True)
    gray = np.clip(np.round(128 + 40 * noise), 0, 255) / 255
    return torch.from_numpy(gray).float().repeat(1, 3, 1, 1)


def test_pristine_model_is_the_published_one(shared_data):
    with np.load(shared_data / "weights" / "niqe_pris_params.npz") as published:
        assert np.array_equal(pristine().mean.numpy(), published["mu_pris_param"][0])
        assert np.array_equal(pristine().covariance.numpy(), published["cov_pris_param"])


def test_baboon_has_the_documented_value(shared_data):
    image = Image.open(shared_data / "bench" / "Set14" / "HR" / "baboon.png").convert("RGB")
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    assert NIQE("limited")(pixels).item() == pytest.approx(5.7296, abs=0.005)
    assert NIQE("yiq")(pixels).item() == pytest.approx(5.7318, abs=0.005)


@pytest.mark.parametrize("luma", ["limited", "yiq"])
def test_batches_equal_singles(luma):
    images = natural(batch=3)
    together = NIQE(luma)(images)
    assert together.dtype == torch.float64
    assert torch.allclose(together, torch.cat([NIQE(luma)(image) for image in images.split(1)]), atol=1e-6)


def test_equals_a_plain_loop_written_from_the_paper():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "niqe_speed.py"
    plain = runpy.run_path(str(path))["plain_niqe"]
    for image in natural(batch=2, seed=3):
        assert NIQE()(image[None]).item() == pytest.approx(plain(np.round(image.numpy() * 255)), abs=1e-4)


def test_rises_with_white_noise_and_with_blur():
    image = natural()
    noise = torch.randn(image.shape)
    noisy = [NIQE()((image + s * noise).clamp(0, 1)).item() for s in (0.02, 0.08, 0.2)]
    assert noisy == sorted(noisy)
    blurred = [NIQE()(torch.nn.functional.avg_pool2d(image, k, 1, k // 2)).item() for k in (3, 5, 9)]
    assert blurred == sorted(blurred)
    assert NIQE().facts.direction == "lower"


def test_fine_noise_games_it_on_a_smooth_image():
    smooth = torch.nn.functional.avg_pool2d(natural(height=288), 5, 1, 2)
    assert NIQE()(correlated_noise(smooth, seed=0)).item() < NIQE()(smooth).item() - 1


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 0.1234])
@pytest.mark.parametrize("luma", ["limited", "yiq"])
def test_flat_image_is_finite_and_bad(value, luma):
    assert 15 < NIQE(luma)(torch.full((1, 3, 192, 192), value)).item() < 100


@pytest.mark.parametrize("level", [117.0, 116.9375, 1 / 3])
def test_flat_blocks_have_no_features_and_leave_the_others_as_they_were(level):
    luma = natural(width=384)[:, :1].double() * 255
    half = luma.clone()
    half[..., 192:] = level
    whole, features = niqe_features(luma), niqe_features(half)
    kept, flat = [0, 4], [3, 7]  # Blocks that the edge between both halves does not reach.
    assert torch.equal(features[:, kept], whole[:, kept])
    assert features[:, flat][..., 1].isnan().all()
    assert torch.isfinite(NIQE()((half / 255).float().repeat(1, 3, 1, 1))).all()


def test_gray_images_have_one_value_under_both_lumas_up_to_range():
    image = natural()
    assert NIQE("yiq")(image).item() == pytest.approx(NIQE("limited")(image).item(), abs=1)
    assert NIQE("yiq").facts.name == "niqe_yiq"
    assert NIQE("yiq").facts.options["luma"] != NIQE("limited").facts.options["luma"]


def test_pixels_beyond_whole_blocks_do_not_count():
    image = natural(height=200, width=300)
    assert NIQE()(image).item() == NIQE()(image[..., :192, :288]).item()


def test_too_small_images_are_refused():
    with pytest.raises(Refused, match="at least 96 px high and wide; found 95x200"):
        NIQE()(torch.rand(1, 3, 95, 200))
    with pytest.raises(Refused, match="border 4 leaves"):
        NIQE(border=4)(torch.rand(1, 3, 100, 200))
    assert torch.isfinite(NIQE()(torch.rand(1, 3, 96, 96))).all()


@pytest.mark.parametrize(("shape", "left", "right"), [(2.0, 1.0, 1.0), (1.0, 0.5, 2.0), (0.7, 1.0, 0.6)])
def test_fit_recovers_the_distribution(shape, left, right):
    generator = torch.Generator().manual_seed(0)
    count = 400_000
    gamma = torch.distributions.Gamma(1 / shape, 1.0)
    torch.manual_seed(0)
    magnitude = gamma.sample((count,)).double() ** (1 / shape)
    on_left = torch.rand(count, generator=generator, dtype=torch.float64) < left / (left + right)
    samples = torch.where(on_left, -left * magnitude, right * magnitude)
    fit = fit_aggd(samples[None])
    assert fit.shape.item() == pytest.approx(shape, rel=0.02)
    assert fit.left.item() == pytest.approx(left, rel=0.02)
    assert fit.right.item() == pytest.approx(right, rel=0.02)
    assert fit.mean.item() == pytest.approx(samples.mean().item(), abs=0.02)


def test_rows_without_two_sides_have_the_first_shape_and_no_scale():
    rows = torch.stack([torch.zeros(100), torch.arange(1, 101.0)])
    fit = fit_aggd(rows)
    assert fit.shape.tolist() == [0.2, 0.2]
    assert fit.left.isnan().tolist() == [True, True]
    assert fit.right.isnan().tolist() == [True, False]


def test_facts_carry_the_hash_of_the_model():
    facts = NIQE().facts
    assert facts.options["sha256"] == pristine().sha256
    assert (facts.unit, facts.needs_reference, facts.implementation) == (0.1, False, "lossagent")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu():
    image = natural()
    assert NIQE()(image.cuda()).item() == pytest.approx(NIQE()(image).item(), abs=1e-4)
