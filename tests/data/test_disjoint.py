"""The same photograph in two roles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from lossagent.data import NamedImage, check_disjoint, demo_split, list_images, overlaps
from lossagent.errors import Refused


@lru_cache
def scene(seed: int) -> Image.Image:
    """A made-up photograph: discs of all sizes over a soft ground."""
    rng = np.random.default_rng(seed)
    ground = Image.fromarray(rng.integers(60, 200, (6, 6, 3), dtype=np.uint8))
    image = ground.resize((320, 320), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(150):
        y, x = rng.uniform(0, 320, 2)
        radius = rng.pareto(1.5) * 4 + 3
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image.filter(ImageFilter.GaussianBlur(0.7))


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return scene(0)


@pytest.fixture
def keep(tmp_path):
    def to(image: Image.Image, name: str, **options) -> NamedImage:
        image.save(tmp_path / name, **options)
        return NamedImage(name, tmp_path / name)

    return to


TWINS = {
    "jpeg": lambda i: (i, {"quality": 10}),
    "half": lambda i: (i.resize((160, 160)), {}),
    "twice": lambda i: (i.resize((640, 640)), {}),
    "mirror": lambda i: (ImageOps.mirror(i), {}),
    "turned gray": lambda i: (i.convert("L").rotate(90), {}),
    "trimmed": lambda i: (i.crop((8, 4, 318, 312)), {}),
    "darker": lambda i: (i.point(lambda v: int(v * 0.7)), {}),
}


@pytest.mark.parametrize("kind", TWINS)
def test_twins_are_refused(photo, keep, kind):
    other, options = TWINS[kind](photo)
    name = "b.jpg" if options else "b.png"
    with pytest.raises(Refused, match=r"train image .*a\.png and test image .*same photograph.*overlap: declared"):
        check_disjoint([keep(photo, "a.png")], [], [], [keep(other, name, **options)])


def test_equal_pixels_are_refused_whatever_the_file(photo, keep):
    with pytest.raises(Refused, match="have the same pixels"):
        check_disjoint([], [keep(photo, "a.png")], [keep(photo, "b.bmp")], [])


PARTS = {
    "quarter": lambda i: i.crop((80, 80, 240, 240)),
    "mirrored": lambda i: ImageOps.mirror(i.crop((20, 60, 200, 240))),
    "enlarged": lambda i: i.crop((80, 80, 240, 240)).resize((320, 320), Image.Resampling.BICUBIC),
    "reduced": lambda i: i.crop((50, 10, 290, 250)).resize((160, 160), Image.Resampling.BICUBIC),
}


@pytest.mark.parametrize("kind", PARTS)
def test_parts_warn(photo, keep, kind):
    whole, part = keep(photo, "a.png"), keep(PARTS[kind](photo), "b.png")
    for train, test in ([whole], [part]), ([part], [whole]):
        (warning,) = check_disjoint(train, [], [], test)
        assert "share a part" in warning
        assert "a.png" in warning
        assert "b.png" in warning


def test_different_photographs_pass(keep):
    images = [keep(scene(seed), f"{seed}.png") for seed in range(1, 7)]
    assert check_disjoint(images[:2], images[2:4], images[4:5], images[5:]) == []


def test_flat_images_pass(keep):
    flat = [keep(Image.new("RGB", (64, 64), (v, v, v)), f"{v}.png") for v in (0, 128)]
    tiny = keep(Image.new("RGB", (3, 2)), "tiny.png")
    assert check_disjoint(flat[:1], flat[1:], [tiny], []) == []


def test_declared_and_allowed_overlaps(photo, keep):
    a, b = keep(photo, "a.png"), keep(photo.resize((160, 160)), "b.png")
    (warning,) = check_disjoint([a], [b], [], [], declared=True)
    assert "same photograph" in warning
    assert check_disjoint([a], [b], [], [], allow=[("b.png", "a.png")]) == []
    assert check_disjoint([a, b], [], [], []) == []


def test_threads_do_not_change_the_answer(photo, keep):
    images = [keep(scene(seed), f"{seed}.png") for seed in range(1, 3)] + [keep(photo, "a.png")]
    roles = {"train": images, "test": [keep(photo.crop((80, 80, 240, 240)), "b.png")]}
    assert overlaps(roles, workers=1) == overlaps(roles, workers=4) != []


def test_demo_photographs_do_not_overlap():
    pytest.importorskip("skimage", reason="scikit-image is in the extra 'demo'")
    pytest.importorskip("sklearn", reason="scikit-learn is in the extra 'demo'")
    split = demo_split()
    assert check_disjoint(split["train"], split["feedback"], split["selection"], split["test"]) == []


@pytest.mark.slow
def test_known_overlaps_of_the_benchmarks_are_found_and_no_others(shared_data):
    bench = shared_data / "bench"
    roles = {
        name: list_images(bench / name)
        for name in ("Set5/HR", "Set14/HR", "Set12", "BSD100", "Kodak24_part", "RealSRSet+5images")
    } | {"train": list_images(shared_data / "train" / "CID22")}
    found = {(o.kind, *sorted(f"{i.path.parent.name}/{i.name}" for i in o.images)) for o in overlaps(roles)}
    assert found == {
        ("twin", "HR/face", "HR/head"),
        ("twin", "HR/lenna", "Set12/08"),
        ("twin", "HR/man", "Set12/11"),
        ("twin", "HR/pepper", "Set12/03"),
        ("pixels", "HR/butterfly", "RealSRSet+5images/butterfly"),
        ("part", "HR/barbara", "Set12/09"),
        ("part", "HR/butterfly", "HR/monarch"),
        ("part", "HR/butterfly", "Set12/05"),
        ("part", "HR/monarch", "Set12/05"),
        ("part", "HR/monarch", "RealSRSet+5images/butterfly"),
        ("part", "RealSRSet+5images/butterfly", "Set12/05"),
        ("part", "HR/ppt3", "RealSRSet+5images/ppt3"),
        ("part", "BSD100/89072", "RealSRSet+5images/foreman"),
    }
