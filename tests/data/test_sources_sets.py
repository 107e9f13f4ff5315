"""Folders of photographs and pairs, and the sets that are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lossagent.data import (
    Entry,
    ImageSet,
    NamedImage,
    Photographs,
    dataset,
    demo_credits,
    demo_split,
    folder,
    pairs,
    size,
)
from lossagent.data import photos as photos_module
from lossagent.data.degradations import Bicubic, bicubic, modcrop
from lossagent.data.degradations.added_noise import AddedNoise
from lossagent.errors import MissingPackage, Refused, UnknownName


@pytest.fixture
def save(rng):
    def to(path: Path, height: int, width: int) -> np.ndarray:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return pixels

    return to


@pytest.mark.parametrize(
    ("clean", "low", "suffix"),
    [("GTmod12", "LRbicx4", ""), ("HR", "LR_bicubic/X4", "x4"), ("HR", "LR_bicubic_X4", "x4")],
)
def test_known_layouts_are_paired_by_name(tmp_path, save, clean, low, suffix):
    for name in ("one", "two"):
        save(tmp_path / clean / f"{name}.png", 24, 36)
        save(tmp_path / low / f"{name}{suffix}.png", 6, 9)
    found = dataset(tmp_path, 4, "Set2")
    assert found.name == "Set2"
    assert found.scale == 4
    assert [i.name for i in found.images] == ["one", "two"]
    assert found.lq is not None
    assert [i.name for i in found.lq] == [f"one{suffix}", f"two{suffix}"]


def test_clean_images_alone_have_no_twins(tmp_path, save):
    save(tmp_path / "HR" / "one.png", 24, 36)
    assert dataset(tmp_path, 4).lq is None
    assert dataset(tmp_path / "HR", 4).images == folder(tmp_path / "HR").images


def test_pairs_that_do_not_agree_are_refused_by_name(tmp_path, save):
    save(tmp_path / "hq" / "one.png", 24, 36)
    save(tmp_path / "lq" / "one.png", 6, 8)
    with pytest.raises(Refused, match=r"one\.png is 24 x 36, .*one\.png is 6 x 8.*must be 6 x 9"):
        pairs(tmp_path / "hq", tmp_path / "lq", 4)
    save(tmp_path / "lq" / "one.png", 6, 9)
    save(tmp_path / "lq" / "two.png", 6, 9)
    with pytest.raises(Refused, match=r"lq: each image must have one clean twin.*1 of 2 .* first two\.png \(0 found\)"):
        pairs(tmp_path / "hq", tmp_path / "lq", 4)
    save(tmp_path / "hq" / "two.png", 24, 36)
    for name in ("three", "four", "five", "six"):
        save(tmp_path / "hq" / f"{name}.png", 24, 36)
    wanted = r"hq: each image must have one low-quality twin, by 'name' \(equal names, or NAMEx4 for NAME\); 4 of 6"
    with pytest.raises(Refused, match=rf"{wanted}.* five\.png \(0 found\), four\.png \(0 found\), six\.png"):
        pairs(tmp_path / "hq", tmp_path / "lq", 4)
    for name in ("three", "four", "five", "six", "onex4"):
        save(tmp_path / "lq" / f"{name}.png", 6, 9)
    with pytest.raises(Refused, match=r"one\.png \(2 found\)"):
        pairs(tmp_path / "hq", tmp_path / "lq", 4)


def test_every_pair_of_wrong_size_counts_and_three_are_named(tmp_path, save):
    for number in range(5):
        save(tmp_path / "hq" / f"{number}.png", 24, 36)
        save(tmp_path / "lq" / f"{number}.png", 5, 9)
    with pytest.raises(Refused, match=r"5 pair\(s\) do not fit") as caught:
        pairs(tmp_path / "hq", tmp_path / "lq", 4)
    assert str(caught.value).count("must be 6 x 9") == 3


def test_published_pairs_are_read(shared_data):
    found = dataset(shared_data / "bench" / "Set14", 4)
    assert len(found.images) == 14
    made = ImageSet.of(Photographs("made", found.images), 4, Bicubic(4))
    given = ImageSet.of(found, 4, Bicubic(4))
    for name in ("bridge", "comic"):
        a, b = (next(iter(s.take([name]))) for s in (made, given))
        assert np.array_equal(a.lq, b.lq)
        assert a.hq is not None
        assert np.array_equal(a.hq, b.hq)


def test_a_set_makes_its_inputs_and_crops_its_references(tmp_path, save):
    pixels = save(tmp_path / "one.png", 26, 39)
    item = ImageSet.of(folder(tmp_path), 4, Bicubic(4)).item(0)
    assert np.array_equal(item.lq, bicubic(pixels, 4))
    assert item.hq is not None
    assert np.array_equal(item.hq, modcrop(pixels, 4))


def test_a_random_degradation_depends_on_the_name_only(tmp_path, save):
    class Noise:
        scale = 1

        def __call__(self, image, rng):
            return (image // 2 + rng.integers(0, 100, image.shape)).astype(np.uint8)

        def patch(self, image, top, left, size, rng):
            raise NotImplementedError

    for name in "abc":
        save(tmp_path / f"{name}.png", 8, 8)
    whole = ImageSet.of(folder(tmp_path), 1, Noise())
    alone = whole.take(["c"])
    assert np.array_equal(whole.item(2).lq, alone.item(0).lq)
    assert np.array_equal(whole.item(2).lq, whole.item(2).lq)


def test_real_images_have_no_reference(tmp_path, save):
    pixels = save(tmp_path / "one.png", 9, 7)
    real = ImageSet.real("phone", 4, folder(tmp_path).images)
    item = real.item(0)
    assert item.hq is None
    assert np.array_equal(item.lq, pixels)
    assert len(real) == 1


def test_bad_sets_are_refused(tmp_path, save):
    save(tmp_path / "one.png", 9, 7)
    images = folder(tmp_path).images
    with pytest.raises(Refused, match="at least one image"):
        ImageSet.real("none", 4, [])
    with pytest.raises(Refused, match="found twice: one"):
        ImageSet.real("twice", 4, images * 2)
    with pytest.raises(Refused, match="found 0 with reference=True"):
        Entry("one", images[0])
    with pytest.raises(Refused, match="found 1 with reference=False"):
        Entry("one", images[0], degradation=Bicubic(4), reference=False)
    with pytest.raises(Refused, match="crop must be at least 1"):
        Entry("one", images[0], degradation=Bicubic(4), crop=0)
    with pytest.raises(Refused, match="without slashes; found 'rain/snow'"):
        Entry("one", images[0], degradation=Bicubic(4), condition="rain/snow")
    with pytest.raises(Refused, match="the degradation's is 2"):
        ImageSet("x", 4, (Entry("one", images[0], degradation=Bicubic(2)),))
    with pytest.raises(Refused, match="must be 2 x 1"):
        ImageSet("x", 4, (Entry("one", images[0], images[0]),))
    with pytest.raises(Refused, match=r"9 x 7 pixels, but a crop to multiples of 16 at scale 1 needs 16 x 16"):
        ImageSet.of(folder(tmp_path), 1, AddedNoise(25.0), crop=16)
    mixed = Entry("one", images[0], degradation=Bicubic(4)), Entry("two", images[0], reference=False)
    with pytest.raises(Refused, match="all images must have references or none; 1 of 2 have none, first two"):
        ImageSet("x", 4, mixed)
    with pytest.raises(Refused, match=r"one scale to join; found \[2, 4\]"):
        ImageSet.join("x", [ImageSet.of(folder(tmp_path), s, Bicubic(s)) for s in (2, 4)])
    with pytest.raises(Refused, match="one scale to join; found no sets"):
        ImageSet.join("x", [])
    with pytest.raises(UnknownName, match="Did you mean 'one'"):
        ImageSet.real("x", 4, images).take(["ono"])
    with pytest.raises(Refused, match="of scale 4; wanted 2"):
        ImageSet.of(Photographs("p", images, images, 4), 2, Bicubic(2))


def test_demo_photographs_are_there_and_in_one_split_each():
    pytest.importorskip("skimage", reason="scikit-image is in the extra 'demo'")
    pytest.importorskip("sklearn", reason="scikit-learn is in the extra 'demo'")
    split = demo_split()
    assert {k: len(v) for k, v in split.items()} == {"train": 6, "feedback": 3, "selection": 2, "test": 3}
    files = [image.path for images in split.values() for image in images]
    names = [image.name for images in split.values() for image in images]
    assert len(set(files)) == len(set(names)) == 14
    assert set(demo_credits()) == set(names)
    assert all(min(size(file)) >= 256 for file in files)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(photos_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'lossagent\[demo\]'"):
        demo_split()


def test_named_images_are_values(tmp_path):
    assert NamedImage("a", tmp_path) == NamedImage("a", tmp_path)
