"""Training patches as a function of (seed, index)."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.data import ImageCache, NamedImage, PatchSampler
from lossagent.data.degradations import Bicubic, bicubic
from lossagent.data.degradations.sharpening import usm_sharpen
from lossagent.data.patches import turned
from lossagent.errors import Failed, Refused


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
    return np.array_equal(a.lq, b.lq) and np.array_equal(a.hq, b.hq) and a.name == b.name


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
        sample = made.sample(index)
        low, high, name = sample.lq, sample.hq, sample.name
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
        sample = made.sample(index)
        assert any(find(np.ascontiguousarray(turned(sample.lq, turn)), whole[sample.name]) for turn in range(8))


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
    sample = made.sample((3 << 28 | 5) << 12 | 1)
    assert torch.equal(batch.lq[1], torch.from_numpy(sample.lq.copy()).permute(2, 0, 1).float() / 255)
    assert torch.equal(batch.hq[1], torch.from_numpy(sample.hq.copy()).permute(2, 0, 1).float() / 255)
    assert batch.names[1] == sample.name
    assert batch.sharpened is None


@pytest.mark.parametrize(
    ("jitter", "digest"),
    [
        (True, "db2ab84efa920507b6b66c3dded9a32fa9955c0be7513869b2c3d9cad56f1db0"),
        (False, "6d9472f85a5a18f636a6dc8e48e17a5c3b2fc252cc9fa86733971ed159226756"),
    ],
)
def test_samples_are_those_of_every_release(photos, jitter, digest):
    # Recorded runs rest on these bytes: a change of the order of draws would silently train on other data.
    batch = sampler(photos, jitter=jitter).batch(3, 5, 16)
    found = hashlib.sha256()
    for images in (batch.lq, batch.hq):
        found.update((images * 255).round().byte().numpy().tobytes())
    found.update(repr(batch.names).encode())
    assert found.hexdigest() == digest


@pytest.mark.parametrize("shares", [[(0, 3), (3, 3)], [(0, 1), (1, 4), (5, 1)]])
def test_shares_of_ranks_make_up_the_batch(photos, shares):
    made = sampler(photos)
    whole = made.batch(2, 7, 6)
    parts = [made.batch(2, 7, 6, first, count) for first, count in shares]
    assert torch.equal(torch.cat([part.lq for part in parts]), whole.lq)
    assert torch.equal(torch.cat([part.hq for part in parts]), whole.hq)
    assert sum((part.names for part in parts), ()) == whole.names
    assert made.batch(2, 7, 6, 4).names == whole.names[4:]


@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, 0), (3, 2), (4, None)])
def test_slots_outside_the_batch_are_refused(photos, first, count):
    with pytest.raises(Refused, match="slots of a batch of 4"):
        sampler(photos).batch(0, 0, 4, first, count)


def test_the_sharpened_target_is_that_of_the_photograph(tmp_path, rng):
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    photo = np.array(coarse.resize((160, 150), Image.Resampling.BICUBIC))
    Image.fromarray(photo).save(tmp_path / "a.png")
    images = [NamedImage("a", tmp_path / "a.png")]
    crisp = PatchSampler(images, 4, 8, Bicubic(4), 1, sharpen=True)
    plain = PatchSampler(images, 4, 8, Bicubic(4), 1)
    whole = usm_sharpen(photo)
    for index in range(8):
        sample = crisp.sample(index)
        assert equal(sample, plain.sample(index))
        turn, ((y, x),) = next(
            (turn, place)
            for turn in range(8)
            if (place := find(np.rot90(sample.hq, -turn % 4)[:, :: -1 if turn >= 4 else 1], photo))
        )
        wanted = turned(whole[y : y + 32, x : x + 32], turn)
        assert sample.sharpened is not None
        difference = np.abs(sample.sharpened.astype(int) - wanted)
        assert difference.max() <= 2
        assert (difference > 0).mean() < 0.05
        assert not np.array_equal(sample.sharpened, sample.hq)
    batch = crisp.batch(0, 0, 2)
    assert batch.sharpened is not None
    assert batch.sharpened.shape == batch.hq.shape


def test_damaged_images_are_left_out_alike_by_all_workers(tmp_path, rng):
    images = []
    for number in range(10):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        images.append(NamedImage(str(number), tmp_path / f"{number}.png"))
    whole = {i: sampler(images).sample(i) for i in range(60)}
    content = images[3].path.read_bytes()
    images[3].path.write_bytes(content[: len(content) // 2])
    images[7].path.write_bytes(b"no image")

    forth, back = (sampler(images, max_damaged=0.2) for _ in range(2))
    with ThreadPoolExecutor(4) as threads:
        threaded = list(threads.map(forth.sample, range(60)))
    backward = [back.sample(i) for i in reversed(range(60))][::-1]
    assert all(equal(a, b) for a, b in zip(threaded, backward, strict=True))
    # Other samples stay what they were; damaged images are never shown.
    assert all(equal(threaded[i], whole[i]) for i in range(60) if whole[i].name not in "37")
    assert {sample.name for sample in threaded} == set("01245689")
    notices = forth.notices()
    assert len(notices) == 2
    assert any("3.png: cannot be read as an image" in text for text in notices)
    assert any("7.png" in text for text in notices)
    assert forth.notices() == ()


def test_too_many_damaged_images_end_the_run(tmp_path, photos):
    content = photos[1].path.read_bytes()
    photos[1].path.write_bytes(content[:400])
    made = sampler(photos, max_damaged=0.3)
    with pytest.raises(Failed, match=r"1 of 3 training images cannot be used, 33\.3%; at most 30\.0% .*b\.png"):
        made.batch(0, 0, 16)
    assert len({sampler(photos, max_damaged=0.34).sample(i).name for i in range(16)}) == 2
    for photo in photos:
        photo.path.write_bytes(b"nothing")
    with pytest.raises(Failed, match="3 of 3 training images"):
        sampler(photos, max_damaged=1.0)
    with pytest.raises(Refused, match="share from 0 to 1"):
        sampler(photos, max_damaged=2.0)


def test_a_damaged_half_takes_the_pair_out(tmp_path, photos):
    low_images = []
    for photo in photos:
        Image.fromarray(bicubic(photo.pixels(), 4)).save(tmp_path / f"{photo.name}x4.png")
        low_images.append(NamedImage(photo.name, tmp_path / f"{photo.name}x4.png"))
    content = low_images[0].path.read_bytes()
    low_images[0].path.write_bytes(content[: len(content) // 2])
    made = PatchSampler(photos, 4, 8, None, 1, lq=low_images, max_damaged=0.5)
    assert {made.sample(i).name for i in range(20)} == {"b", "c"}
    assert "ax4.png" in made.notices()[0]


def test_a_missing_file_is_not_damage(photos):
    made = sampler(photos, max_damaged=0.9)
    photos[0].path.unlink()
    with pytest.raises(Refused, match=r"a\.png: there is no such image file"):
        made.batch(0, 0, 16)


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
