"""A metric of the user's own in Python: facts, refusals before a run, and what it gets and gives."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from lossagent.errors import Refused
from lossagent.metrics import Metric
from lossagent.metrics.own import from_file, from_function, number, told

FIVE_LINES = """
def sharpness(image):
    grey = image.mean(axis=2)
    return float(abs(grey[1:] - grey[:-1]).mean())
"""


def made(folder: Path, text: str = FIVE_LINES, function: str = "sharpness", reference: bool = False):
    file = folder / "my_metric.py"
    file.write_text(text, encoding="utf-8")
    return from_file(file, function, name="mine", direction="higher", unit=0.1, reference=reference)


def brightness(image):
    return image.mean()


def difference(image, reference):
    return np.abs(image.astype(int) - reference).mean()


def test_a_function_becomes_a_metric_with_typed_facts():
    metric = from_function(brightness, name="bright", direction="higher", unit=2.0, low=0.0, high=255.0)
    assert isinstance(metric, Metric)
    assert metric.facts.model_dump(exclude={"options", "version"}) == {
        "name": "bright",
        "direction": "higher",
        "low": 0.0,
        "high": 255.0,
        "needs_reference": False,
        "unit": 2.0,
        "implementation": "own",
    }
    assert metric.facts.options["function"] == "brightness"
    assert metric.facts.options["sha256"] == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def test_it_gets_eight_bit_images_and_gives_one_number_each():
    images = torch.stack([torch.full((3, 4, 5), level / 255) for level in (0, 7, 255)])
    values = from_function(brightness, name="bright", direction="higher", unit=1.0)(images)
    assert values.dtype == torch.float64
    assert values.tolist() == [0, 7, 255]
    pairs = from_function(difference, name="d", direction="lower", unit=1.0, reference=True)
    assert pairs(images, images.flip(0)).tolist() == [255, 0, 255]
    with pytest.raises(Refused, match="compares with a reference"):
        pairs(images)


def test_it_may_change_its_image():
    def vandal(image):
        image[:] = 0
        return 1.0

    pixels = np.full((4, 4, 3), 9, dtype=np.uint8)
    from_function(vandal, name="v", direction="higher", unit=1.0).of_pixels(pixels, None)
    assert (pixels == 9).all()


def test_a_file_is_executed_as_hashed_and_nothing_is_written(tmp_path):
    metric = made(tmp_path)
    assert metric.facts.options == {
        "file": "my_metric.py",
        "function": "sharpness",
        "sha256": hashlib.sha256(FIVE_LINES.encode()).hexdigest(),
    }
    assert metric(torch.zeros(1, 3, 4, 4)).tolist() == [0.0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my_metric.py"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("import math\n\nmath.nothing\n", r"my_metric\.py, line 3", id="error"),
        pytest.param("import no_such_package\n", r"ModuleNotFoundError.*no_such_package.*line 1", id="import"),
        pytest.param("x = 1\ndef f(:\n", r"SyntaxError.*line 2", id="syntax"),
        pytest.param("raise SystemExit(3)\n", "SystemExit: 3", id="exit"),
        pytest.param("def sharp(image): return 1\n", "no function 'sharpness'. It has: sharp", id="missing"),
        pytest.param("sharpness = 3\n", "must be a function; found int", id="no-function"),
        pytest.param("\n\ndef sharpness(a, b): return 1\n", r"line 3.*must take \(image\).*\(a, b\)", id="signature"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(Refused, match=message):
        made(tmp_path, text)


def test_other_refusals(tmp_path):
    with pytest.raises(Refused, match=r"gone\.py cannot be read"):
        from_file(tmp_path / "gone.py", "f", name="m", direction="lower", unit=1.0)
    with pytest.raises(Refused, match=r"must take \(image, reference\)"):
        made(tmp_path, reference=True)
    with pytest.raises(Refused, match="unit must be a finite number > 0; found 0"):
        from_function(brightness, name="m", direction="lower", unit=0.0)
    with pytest.raises(Refused, match="low must be below high"):
        from_function(brightness, name="m", direction="lower", unit=1.0, low=2.0, high=1.0)
    with pytest.raises(Refused, match="letters, digits"):
        from_function(brightness, name="../m", direction="lower", unit=1.0)


def test_what_counts_as_a_number():
    good = [1, 1.5, np.float32(2), np.int64(3), np.array(4.0), torch.tensor(5)]
    assert [number(value) for value in good] == [1, 1.5, 2, 3, 4, 5]
    for bad, message in (
        ([1.0], "type list"),
        ("1", "type str"),
        (None, "type NoneType"),
        (True, "type bool"),
        (1j, "type complex"),
        (np.zeros((3, 1)), r"shape \(3, 1\)"),
        (torch.zeros(1), r"shape \(1,\)"),
        (10**400, "too large"),
    ):
        with pytest.raises(Refused, match=message):
            number(bad)


def test_an_error_is_told_with_its_line(tmp_path):
    metric = made(tmp_path, "def sharpness(image):\n    return helper(0)\n\ndef helper(n):\n    return 1 / n\n")
    with pytest.raises(ZeroDivisionError) as error:
        metric.of_pixels(np.zeros((2, 2, 3), dtype=np.uint8), None)
    assert told(error.value, metric.file) == "ZeroDivisionError: division by zero (my_metric.py, line 5)"
