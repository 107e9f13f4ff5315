"""Training patches as a function of (seed, index)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.data import ImageCache, NamedImage, PatchSampler
from lossagent.data.degradations import Bicubic, bicubic
from lossagent.data.patches import turned
from lossagent.errors import Refused


@pytest.fixture
def photos(tmp_path, rng) -> list[NamedImage]:
    images = []
    for name, shape in (("a", (40, 52)), ("b", (64, 41)), ("c", (33, 33))):
        Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
        images.append(NamedImage(name, tmp_path / f"{name}.png"))
    return images


def sampler(photos, seed=1, **options) -> PatchSampler:
    return PatchSampler(photos, 4, 8, Bicubic(4), seed, **options)


def equal(a, b) -> bool:
    return np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) and a[2] == b[2]


def find(part: np.ndarray, whole: np.ndarray) -> list[tuple[int, int]]:
    height, width = part.shape[:2]
    corners = np.argwhere((whole == part[0, 0]).all(axis=2)).tolist()
    return [(y, x) for y, x in corners if np.array_equal(whole[y : y + height, x : x + width], part)]


def test_a_sample_depends_on_seed_and_index_only(photos):
    one, two = sampler(photos), sampler(photos, cache=ImageCache(0))
    forth = {i: one.sample(i) for i in range(12)}
    back = {i: two.sample(i) for i in reversed(range(12))}
    assert all(equal(forth[i], back[i]) for i in forth)
    assert not equal(forth[0], forth[1])
    assert not equal(forth[0], sampler(photos, seed=2).sample(0))


def test_samples_cover_photographs_turns_and_grid_phases(photos):
    made = sampler(photos)
    turns, phases, names = set(), set(), set()
    for index in range(160):
        low, high, name = made.sample(index)
        assert low.shape == (8, 8, 3)
        assert high.shape == (32, 32, 3)
        whole = next(p for p in photos if p.name == name).pixels()
        places = [(turn, find(np.rot90(high, -turn % 4)[:, :: -1 if turn >= 4 else 1], whole)) for turn in range(8)]
        (turn, [(y, x)]) = next((turn, place) for turn, place in places if place)
        # The pair stays aligned: degrading the upright crop's surroundings gives the upright input.
        grid = bicubic(whole[y % 4 :, x % 4 :], 4)[y // 4 : y // 4 + 8, x // 4 : x // 4 + 8]
        assert np.array_equal(turned(grid, turn), low)
        turns.add(turn)
        phases.add((y % 4, x % 4))
        names.add(name)
    assert turns == set(range(8))
    assert len(phases) > 8
    assert names == {"a", "b", "c"}


def test_the_eight_turns_are_the_symmetries_of_the_square(rng):
    image = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    made = {turned(image, turn).tobytes() for turn in range(8)}
    assert len(made) == 8
    assert {turned(image.swapaxes(0, 1), turn).tobytes() for turn in range(8)} == made


def test_without_jitter_crops_lie_on_the_grid_of_the_whole(photos):
    made = sampler(photos, jitter=False)
    whole = {photo.name: bicubic(photo.pixels(), 4) for photo in photos}
    for index in range(20):
        low, _, name = made.sample(index)
        assert any(find(np.ascontiguousarray(turned(low, turn)), whole[name]) for turn in range(8))


def test_ready_made_pairs_are_cropped_together(tmp_path, photos):
    low_images = []
    for photo in photos:
        low = bicubic(photo.pixels(), 4)
        Image.fromarray(low).save(tmp_path / f"{photo.name}x4.png")
        low_images.append(NamedImage(photo.name, tmp_path / f"{photo.name}x4.png"))
    ready = PatchSampler(photos, 4, 8, None, 1, lq=low_images)
    made = sampler(photos, jitter=False)
    assert all(equal(ready.sample(i), made.sample(i)) for i in range(10))


def test_batches_do_not_share_indices(photos):
    made = sampler(photos[:2])
    batch = made.batch(3, 5, 4)
    assert batch.lq.shape == (4, 3, 8, 8)
    assert batch.hq.shape == (4, 3, 32, 32)
    assert batch.lq.dtype == torch.float32
    assert 0 <= float(batch.lq.min()) <= float(batch.lq.max()) <= 1
    assert torch.equal(made.batch(3, 5, 4).hq, batch.hq)
    # A smaller batch is the beginning of a larger one.
    assert torch.equal(made.batch(3, 5, 2).hq, batch.hq[:2])
    others = [made.batch(w, i, 1).hq for w in range(3) for i in range(5)]
    distinct = {tuple(other.flatten()[:60].tolist()) for other in others}
    assert len(distinct) == len(others)
    low, high, name = made.sample((3 << 28 | 5) << 12 | 1)
    assert torch.equal(batch.lq[1], torch.from_numpy(low.copy()).permute(2, 0, 1).float() / 255)
    assert torch.equal(batch.hq[1], torch.from_numpy(high.copy()).permute(2, 0, 1).float() / 255)
    assert batch.names[1] == name


def test_bad_arguments_are_refused(tmp_path, photos):
    with pytest.raises(Refused, match=r"c\.png: 33 x 33 pixels, but patch 9 at scale 4 needs 36 x 36"):
        PatchSampler(photos, 4, 9, Bicubic(4), 1)
    with pytest.raises(Refused, match="at least one photograph"):
        PatchSampler([], 4, 8, Bicubic(4), 1)
    with pytest.raises(Refused, match="not both or neither"):
        PatchSampler(photos, 4, 8, None, 1)
    with pytest.raises(Refused, match="make them equal"):
        PatchSampler(photos, 4, 8, Bicubic(2), 1)
    with pytest.raises(Refused, match="at scale 4 it must be"):
        PatchSampler(photos, 4, 8, None, 1, lq=photos)
    with pytest.raises(Refused, match="window, iteration"):
        sampler(photos).batch(0, 1 << 28, 1)
    with pytest.raises(Refused, match="window, iteration"):
        sampler(photos).batch(0, 0, 5000)
