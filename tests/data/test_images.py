"""Reading image files."""

from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from lossagent.data import CorruptImage, ImageCache, NamedImage, list_images, pixel_type, read, size
from lossagent.errors import Refused


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_rgb_is_read_as_it_is_and_says_nothing(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    notes: list[str] = []
    assert np.array_equal(read(tmp_path / "a.png", notes), pixels)
    assert notes == []
    assert size(tmp_path / "a.png") == (6, 9)


def test_gray_alpha_palette_and_16_bit_are_converted_and_said(tmp_path, pixels):
    notes: list[str] = []
    Image.fromarray(pixels[..., 0]).save(tmp_path / "gray.png")
    assert np.array_equal(read(tmp_path / "gray.png", notes), np.repeat(pixels[..., :1], 3, axis=2))
    alpha = np.dstack([pixels, pixels[..., 0]])
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    assert np.array_equal(read(tmp_path / "alpha.png", notes), pixels)
    Image.fromarray(pixels).quantize(4).save(tmp_path / "palette.png")
    assert read(tmp_path / "palette.png", notes).shape == (6, 9, 3)
    deep = np.array([[0, 128, 129, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert read(tmp_path / "deep.png", notes)[0, :, 1].tolist() == [0, 0, 1, 255]
    said = [("gray.png", "gray"), ("alpha.png", "alpha dropped"), ("palette.png", "from P"), ("deep.png", "16-bit")]
    assert len(notes) == len(said)
    assert all(n.startswith(file) and word in n for n, (file, word) in zip(notes, said, strict=True))


def test_exif_orientation_is_applied(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    notes: list[str] = []
    assert np.array_equal(read(tmp_path / "a.png", notes), np.rot90(pixels, -1))
    assert size(tmp_path / "a.png") == (9, 6)
    assert "upright" in notes[0]


def test_png_orientation_is_found_before_and_after_the_pixels(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "before.png", exif=exif)
    data = (tmp_path / "before.png").read_bytes()
    at, stop = data.index(b"eXIf") - 4, data.index(b"IDAT") - 4
    end = data.index(b"IEND") - 4
    (tmp_path / "after.png").write_bytes(data[:at] + data[stop:end] + data[at:stop] + data[end:])
    for name in ("before.png", "after.png"):
        assert size(tmp_path / name) == read(tmp_path / name).shape[:2] == (9, 6)


def test_size_decodes_no_pixels(tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (64, 48, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    assert size(tmp_path / "a.png") == (64, 48)


def test_broken_files_are_refused_by_name(tmp_path, rng):
    (tmp_path / "text.png").write_text("no image")
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[:5000])
    for name in ("text.png", "cut.png"):
        with pytest.raises(CorruptImage, match=rf"{name}: cannot be read as an image"):
            read(tmp_path / name)
    with pytest.raises(Refused, match="no such image file"):
        read(tmp_path / "none.png")
    with pytest.raises(Refused, match="no such image file"):
        size(tmp_path / "none.png")


def test_what_the_system_withholds_is_not_called_corrupt(tmp_path):
    for reader in (read, size, pixel_type):
        with pytest.raises(Refused, match="cannot be opened") as caught:
            reader(tmp_path)
        assert not isinstance(caught.value, CorruptImage)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM"])
def test_flipped_and_missing_bytes_read_or_are_corrupt(tmp_path, rng, kind):
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(buffer, kind)
    file = tmp_path / "a.img"
    refused = 0
    for trial in range(60):
        data = bytearray(buffer.getvalue())
        if trial % 2:
            data = data[: rng.integers(len(data))]
        else:
            data[rng.integers(min(len(data), 100))] = rng.integers(256)
        file.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(file)
            except CorruptImage:
                refused += 1
    assert refused > 20


def test_float_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(Refused, match="neither 8 nor 16 bit"):
        read(tmp_path / "f.tif")


def test_folders_list_in_natural_order(tmp_path, pixels):
    for name in ("img10.png", "img2.png", "Img1.png", "b.PNG", ".hidden.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    assert [image.name for image in list_images(tmp_path)] == ["b", "Img1", "img2", "img10"]


def test_files_that_share_a_stem_keep_distinct_names(tmp_path, pixels):
    for name in ("a.png", "a.bmp", "b.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    assert [image.name for image in list_images(tmp_path)] == ["a.bmp", "a.png", "b"]


def test_empty_and_missing_folders_are_refused(tmp_path):
    with pytest.raises(Refused, match="holds no image"):
        list_images(tmp_path)
    with pytest.raises(Refused, match="no such folder"):
        list_images(tmp_path / "none")


def test_cache_keeps_the_recently_used_within_its_limit(tmp_path, pixels):
    images = []
    for name in "abc":
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        images.append(NamedImage(name, tmp_path / f"{name}.png"))
    cache = ImageCache(2 * pixels.nbytes)
    first = cache.pixels(images[0])
    cache.pixels(images[1])
    assert cache.pixels(images[0]) is first
    cache.pixels(images[2])
    assert cache.used_bytes == 2 * pixels.nbytes
    assert cache.pixels(images[0]) is first
    assert not first.flags.writeable
    assert np.array_equal(ImageCache(0).pixels(images[0]), pixels)


def test_cache_is_safe_between_threads(tmp_path, pixels):
    images = []
    for number in range(6):
        Image.fromarray(np.full_like(pixels, number)).save(tmp_path / f"{number}.png")
        images.append(NamedImage(str(number), tmp_path / f"{number}.png"))
    cache = ImageCache(3 * pixels.nbytes)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda i: int(cache.pixels(images[i % 6])[0, 0, 0]), range(200)))
    assert found == [i % 6 for i in range(200)]
    assert cache.used_bytes <= 3 * pixels.nbytes


def test_a_name_that_is_no_text_is_refused(tmp_path):
    import os

    name = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", name)
    with pytest.raises(Refused, match="no UTF-8"):
        list_images(tmp_path)
