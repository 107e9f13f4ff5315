"""Restored images as loops have them."""

import numpy as np
import pytest
import torch
from PIL import Image

from lossagent.errors import Refused
from lossagent.objectives import pixels_of


def image(seed=0, height=8, width=12):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def test_the_same_image_in_every_form_gives_the_same_pixels(tmp_path):
    tensor = image()
    array = (tensor.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(array).save(tmp_path / "a.png")
    forms = [{"a": tensor}, {"a": tensor[None]}, {"a": array}, {"a": tmp_path / "a.png"}, tmp_path, str(tmp_path)]
    forms += [[tmp_path / "a.png"], {"a": tensor.double()}]
    for form in forms:
        found = pixels_of(form)
        assert list(found) == ["a"]
        np.testing.assert_array_equal(found["a"], array)


def test_lists_and_batches_are_numbered_and_folders_in_natural_order(tmp_path):
    assert list(pixels_of([image(0), image(1)])) == ["0", "1"]
    batch = pixels_of(torch.stack([image(0), image(1)]))
    np.testing.assert_array_equal(batch["1"], pixels_of([image(1)])["0"])
    for name in ("img10", "img9"):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / f"{name}.png")
    assert list(pixels_of(tmp_path)) == ["img9", "img10"]


def test_gray_becomes_three_channels_and_values_are_clamped():
    found = pixels_of({"x": torch.tensor([[[-0.1, 0.5, 1.2]]])})["x"]
    assert found.tolist() == [[[0, 0, 0], [128, 128, 128], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("images", "what"),
    [
        ({}, "at least one"),
        ({"x": image() * 2 - 1}, r"must lie in \[0, 1\]; found values from -"),
        ({"x": image() * 255}, r"must lie in \[0, 1\]"),
        ({"x": torch.full((3, 4, 4), float("nan"))}, "NaN"),
        ({"x": torch.zeros(2, 4, 4)}, "1 or 3 channels"),
        ({"x": torch.zeros(3, 4, 4, dtype=torch.uint8)}, "floats in"),
        ({"x": np.zeros((4, 4, 3))}, "float64"),
        (torch.zeros(3, 4, 4), r"shape \[b, c, h, w\]"),
        ("nowhere", "no folder"),
        (["a/x.png", "b/x.png"], "twice"),
        ({"../x": image()}, r"without / and .*found '\.\./x'"),
        ({"": image()}, "name of an image"),
        ({"..": image()}, "name of an image"),
        ({"x": np.zeros((0, 4, 3), np.uint8)}, r"\[0, 4, 3\]"),
        ({"x": torch.zeros(3, 0, 4)}, r"\[3, 0, 4\]"),
    ],
)
def test_what_cannot_be_used_is_refused(images, what):
    with pytest.raises(Refused, match=what):
        pixels_of(images)
