"""Real-ESRGAN's degradation: published shares, order of operations, the sharpened target, batches."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.data import NamedImage, PatchSampler
from lossagent.data.degradations import Blur, FinalSinc, Ranges, RealESRGAN, RealESRGANBatch, Round, usm_sharpen
from lossagent.data.degradations import real_esrgan as module
from lossagent.data.degradations import real_esrgan_plan as plan
from lossagent.data.degradations.draws import NumpyDraws
from lossagent.data.degradations.jpeg import codec_batch
from lossagent.data.degradations.real_esrgan_plan import SECOND_ROUND, draw_common, draw_own
from lossagent.errors import Refused

SINGLE = Blur(sizes=(1,), shares=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0), sigma=(0.0, 0.0), sinc=0.0)
HARMLESS = Round(blur=SINGLE, resize=(0.0, 0.0, 1.0), gaussian=1.0, sigma=(0.0, 0.0), quality=(100, 100))
"""No blur, no resizing, no noise, almost no JPEG."""


def coarse(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).copy()


def tensor(*images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy()).float() / 255


def test_what_a_batch_shares_has_the_published_probabilities():
    rng, count = np.random.default_rng(0), 6000
    drawn = [draw_common(rng, Ranges()) for _ in range(count)]
    rounds = {"first": (1.0, 0.2, 0.7, 0.15, 1.5), "second": (0.8, 0.3, 0.4, 0.3, 1.2)}
    for name, (blurred, up, down, low, high) in rounds.items():
        found = [getattr(one, name) for one in drawn]
        factors = np.array([one.factor for one in found])
        assert np.mean([one.blurred for one in found]) == pytest.approx(blurred, abs=0.02)
        assert (factors > 1).mean() == pytest.approx(up, abs=0.02)
        assert (factors < 1).mean() == pytest.approx(down, abs=0.02)
        assert (factors.min(), factors.max()) == pytest.approx((low, high), abs=0.01)
        assert factors[factors < 1].mean() == pytest.approx((low + 1) / 2, abs=0.02)
        assert np.mean([one.gaussian for one in found]) == pytest.approx(0.5, abs=0.02)
        modes = [one.mode for one in found]
        assert [modes.count(m) / count for m in ("area", "bilinear", "bicubic")] == pytest.approx([1 / 3] * 3, abs=0.02)
    assert np.mean([one.after for one in drawn]) == pytest.approx(0.5, abs=0.02)


def test_what_is_an_images_own_has_the_published_ranges(monkeypatch):
    cutoffs: list[float] = []

    def sinc(cutoff: float, size: int) -> np.ndarray:
        cutoffs.append(cutoff)
        return np.zeros((size, size))

    monkeypatch.setattr(plan, "sinc_kernel", sinc)
    monkeypatch.setattr(plan, "draw_kernel", lambda rng, blur: np.ones((1, 1)))
    rng, count = np.random.default_rng(0), 6000
    drawn = [draw_own(rng, Ranges()) for _ in range(count)]
    for name, sigma, poisson in (("first", 30, 3), ("second", 25, 2.5)):
        found = [getattr(one, name) for one in drawn]
        for values, low, high in (
            ([one.sigma for one in found], 1, sigma),
            ([one.poisson for one in found], 0.05, poisson),
            ([one.quality for one in found], 30, 95),
        ):
            span = high - low
            assert (min(values), max(values)) == pytest.approx((low, high), abs=0.005 * span)
            assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.02 * span)
        assert np.mean([one.gray for one in found]) == pytest.approx(0.4, abs=0.02)
    assert len(cutoffs) / count == pytest.approx(0.8, abs=0.02)
    assert (min(cutoffs), max(cutoffs)) == pytest.approx((math.pi / 3, math.pi), abs=0.01)
    sizes = [len(one.sinc) for one in drawn if one.sinc is not None]
    assert set(sizes) == set(range(7, 22, 2))
    assert SECOND_ROUND.blur.sigma == (0.2, 1.5)
    assert SECOND_ROUND.blur.sinc == 0.1


def test_operations_come_in_the_published_order(monkeypatch):
    told: list[str] = []

    def note(name: str, function):
        def noted(*arguments):
            told.append(name)
            return function(*arguments)

        return noted

    for name in ("filter2d", "resize", "gaussian_noise", "poisson_noise"):
        monkeypatch.setattr(module, name, note(name.split("2d")[0].split("_")[-1], getattr(module, name)))
    rng = np.random.default_rng(0)
    common, own = draw_common(rng, Ranges()), draw_own(rng, Ranges(final=FinalSinc(probability=1.0)))
    first = replace(common.first, blurred=True, factor=0.5)
    second = replace(common.second, blurred=True, factor=0.7)
    begin = ["filter", "resize", "noise", "jpeg", "filter", "resize", "noise"]
    for after, end in ((True, ["jpeg", "resize", "filter"]), (False, ["resize", "filter", "jpeg"])):
        told.clear()
        drawn = replace(common, first=first, second=second, after=after)
        module.degrade(tensor(coarse(32, 32)), 4, drawn, [own], NumpyDraws(rng), note("jpeg", codec_batch))
        assert told == begin + end


def test_without_blur_and_noise_only_the_size_changes():
    ranges = Ranges(first=HARMLESS, second=HARMLESS, final=FinalSinc(probability=0.0))
    image = np.add.outer(np.arange(48) * 2, np.arange(64) * 2)[:, :, None].repeat(3, 2).astype(np.uint8)
    whole = RealESRGAN(1, sharpen=False, ranges=ranges)(image, np.random.default_rng(0))
    assert np.abs(whole.astype(int) - image).mean() < 1
    small = RealESRGAN(4, sharpen=False, ranges=ranges)(image, np.random.default_rng(0))
    assert np.abs(small.astype(int) - image.reshape(12, 4, 16, 4, 3).mean((1, 3))).mean() < 2


def test_the_input_is_made_from_the_sharpened_image():
    # Sharpened beforehand (8 bit) or by itself: the same draws give the same input but for rounding.
    ranges = Ranges(first=HARMLESS, second=HARMLESS)
    image = coarse(64, 64)
    sharp, plain = usm_sharpen(image), RealESRGAN(4, sharpen=False, ranges=ranges)
    made = RealESRGAN(4, ranges=ranges)(image, np.random.default_rng(3)).astype(int)
    assert np.abs(made - plain(sharp, np.random.default_rng(3))).mean() < 0.5
    assert np.abs(made - plain(image, np.random.default_rng(3))).mean() > 1


def test_samples_carry_the_sharpened_ground_truth(tmp_path):
    Image.fromarray(coarse(160, 160)).save(tmp_path / "a.png")
    sampler = PatchSampler([NamedImage("a", tmp_path / "a.png")], 4, 20, RealESRGAN(4, margin=8), 0, sharpen=True)
    batch = sampler.batch(0, 0, 3)
    assert batch.sharpened is not None
    assert batch.sharpened.shape == batch.hq.shape == (3, 3, 80, 80)
    assert not torch.equal(batch.sharpened, batch.hq)
    # The crop alone knows nothing of its surroundings: compared inside.
    for number in range(3):
        alone = usm_sharpen((batch.hq[number].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
        found = batch.sharpened[number].permute(1, 2, 0).numpy() * 255
        assert np.abs(found - alone)[30:50, 30:50].max() < 3
    plain = PatchSampler([NamedImage("a", tmp_path / "a.png")], 4, 20, RealESRGAN(4, sharpen=False), 0)
    assert plain.batch(0, 0, 3).sharpened is None


def plans(count: int, ranges: Ranges, seed: int = 0):
    rng = np.random.default_rng(seed)
    return draw_common(rng, ranges), [draw_own(rng, ranges) for _ in range(count)]


def test_the_batch_path_is_the_cpu_path_but_for_jpeg_and_the_source_of_noise():
    # No noise: what remains different is JPEG, a few hundredths of a step a time, more where reduced far in between.
    quiet = Round(gaussian=1.0, sigma=(0.0, 0.0), quality=(60, 60))
    ranges = Ranges(first=quiet, second=quiet)
    image = coarse(160, 192)
    gaps = []
    for seed in range(8):
        common, owns = plans(1, ranges, seed)
        low, sharp = RealESRGANBatch(4, ranges=ranges)(tensor(image), common, owns, [1])
        assert sharp is not None
        assert torch.equal((sharp * 255).round()[0].permute(1, 2, 0), torch.from_numpy(usm_sharpen(image)).float())
        draws = NumpyDraws(np.random.default_rng(0))
        codec = module.degrade(sharp, 4, common, owns, draws, codec_batch)
        gaps.append((low - codec).abs().mean().item() * 255)
    assert np.median(gaps) < 0.3
    assert np.mean(gaps) < 1


def test_the_batch_path_agrees_with_the_cpu_path_on_average():
    image = coarse(64, 64)
    rng = np.random.default_rng(0)
    single = np.array([RealESRGAN(4)(image, rng).astype(float) for _ in range(120)])
    batch = RealESRGANBatch(4)
    groups = []
    for seed in range(30):
        common, owns = plans(4, Ranges(), seed)
        groups.append(batch(tensor(*[image] * 4), common, owns, list(range(4 * seed, 4 * seed + 4)))[0] * 255)
    together = torch.cat(groups).permute(0, 2, 3, 1).numpy()
    assert together.mean() == pytest.approx(single.mean(), abs=4)
    assert together.std() == pytest.approx(single.std(), rel=0.08)
    assert np.corrcoef(together.mean(0).ravel(), single.mean(0).ravel())[0, 1] > 0.97


@pytest.mark.parametrize("seed", range(4))
def test_an_image_of_a_batch_does_not_depend_on_its_company(seed):
    images, seeds = tensor(*[coarse(48, 48, number) for number in range(4)]), [5, 6, 7, 8]
    common, owns = plans(4, Ranges(), seed)
    degrade = RealESRGANBatch(4)
    low, sharp = degrade(images, common, owns, seeds)
    assert low.shape == (4, 3, 12, 12)
    assert low.dtype == torch.float32
    assert torch.equal(low, (low * 255).round() / 255)
    assert sharp is not None
    alone, sharp_alone = degrade(images[2:3], common, owns[2:3], seeds[2:3])
    assert (alone[0] - low[2]).abs().mean().item() * 255 < 0.1
    assert torch.allclose(sharp_alone[0], sharp[2], atol=1e-5)
    again, _ = degrade(images, common, owns, seeds)
    assert torch.equal(low, again)
    other, _ = degrade(images, common, owns, [50, 60, 70, 80])
    assert not torch.equal(low, other)


def test_without_sharpening_a_batch_has_no_target_of_its_own():
    common, owns = plans(1, Ranges())
    assert RealESRGANBatch(4, sharpen=False)(tensor(coarse(32, 32)), common, owns, [0])[1] is None


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: RealESRGANBatch(0), "scale"),
        (lambda: RealESRGANBatch(4)(torch.zeros(1, 3, 30, 32), *plans(1, Ranges()), [0]), "multiples"),
        (lambda: RealESRGANBatch(4)(torch.zeros(2, 3, 32, 32), *plans(1, Ranges()), [0, 1]), "owns"),
        (lambda: Round(resize=(0.5, 0.5, 0.5)), "resize"),
        (lambda: Round(gray=1.5), "gray"),
        (lambda: Round(factor=(1.2, 1.5)), "factor"),
        (lambda: Round(quality=(0, 30)), "quality"),
        (lambda: FinalSinc(probability=2.0), "probability"),
        (lambda: FinalSinc(sizes=(8,)), "odd"),
        (lambda: FinalSinc(cutoff=(2.0, 1.0)), "cutoff"),
    ],
)
def test_ranges_that_are_none_are_refused(make, named):
    with pytest.raises(Refused, match=named):
        make()
