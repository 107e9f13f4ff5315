"""A metric of the user's own, in five lines of Python::

def sharpness(image):  # uint8, height x width x 3, RGB
    grey = image.mean(axis=2)
    return float(abs(grey[1:] - grey[:-1]).mean())

metric = from_function(sharpness, name="sharpness", direction="higher", unit=0.1)
"""

from __future__ import annotations

import hashlib
import inspect
import math
import numbers
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lossagent.errors import Refused
from lossagent.feedback import Direction, MetricFacts
from lossagent.metrics._checks import check_images, check_pair
from lossagent.restorers import to_uint8

Function = Callable[..., object]
"""(image) or (image, reference), uint8 arrays [height, width, 3] -> a number."""
Options = Mapping[str, str | int | float | bool]

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


@runtime_checkable
class OfPixels(Protocol):
    """A metric that looks at 8-bit arrays, one image at a time."""

    def of_pixels(
        self, image: UInt8[np.ndarray, "height width 3"], reference: UInt8[np.ndarray, "rows columns 3"] | None
    ) -> object:
        """What it says of an image: a number, if all is well (:func:`number`)."""
        ...


@dataclass(frozen=True)
class FunctionMetric:
    """A function as a metric; use :func:`from_function` or :func:`from_file`.

    Attributes:
        function: gets arrays of its own, which it may change.
        facts: typed facts.
    """

    function: Function
    facts: MetricFacts

    @property
    def file(self) -> str | None:
        """Where the function was written."""
        code: Any = getattr(self.function, "__code__", None)
        return None if code is None else str(code.co_filename)

    def of_pixels(
        self, image: UInt8[np.ndarray, "height width 3"], reference: UInt8[np.ndarray, "rows columns 3"] | None
    ) -> object:
        """Whatever the function returns or raises."""
        if not self.facts.needs_reference:
            return self.function(image.copy())
        if reference is None:
            raise Refused(f"{self.facts.name} compares with a reference; none was given.")
        return self.function(image.copy(), reference.copy())

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """The function's number for each image, which it gets as 8 bit.

        Raises:
            Refused: images that are none, or something other than a number was returned.
        """
        check_images(restored, "restored")
        arrays = [to_uint8(image) for image in restored.split(1)]
        others: list[UInt8[np.ndarray, "height width 3"] | None] = [None] * len(arrays)
        if self.facts.needs_reference:
            others = [to_uint8(image) for image in check_pair(restored, reference, self.facts.name).split(1)]
        values = [number(self.of_pixels(a, b)) for a, b in zip(arrays, others, strict=True)]
        return torch.tensor(values, dtype=torch.float64)


def from_function(
    function: Function,
    *,
    name: str,
    direction: Direction,
    unit: float,
    low: float | None = None,
    high: float | None = None,
    reference: bool = False,
) -> FunctionMetric:
    """A function as a metric.

    Args:
        function: (image) -> number, or (image, reference) -> number; images are uint8 RGB [height, width, 3].
        name: what prompts, tables and records call it: letters, digits, ``.``, ``_``, ``-``.
        direction: ``"lower"`` or ``"higher"`` is better.
        unit: a change worth speaking of, > 0.
        low, high: the range, ``None`` where open.
        reference: whether the function compares with a ground truth of the same size.

    Raises:
        Refused: a function that does not take these arguments, or facts that cannot be.
    """
    path = _file_of(function)
    options: dict[str, str | int | float | bool] = {}
    if path is not None:
        options = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    options["function"] = str(getattr(function, "__name__", type(function).__name__))
    facts = own_facts(
        name=name, direction=direction, unit=unit, low=low, high=high, reference=reference, options=options
    )
    _check_signature(function, reference)
    return FunctionMetric(function, facts)


def from_file(
    file: Path,
    function: str,
    *,
    name: str,
    direction: Direction,
    unit: float,
    low: float | None = None,
    high: float | None = None,
    reference: bool = False,
) -> FunctionMetric:
    """A function in a Python file as a metric; the file is executed once, and its hash is kept with every score.

    Args:
        file: a Python file. It may import what is installed; other files beside it are not found.
        function: name of the function in it.
        name, direction, unit, low, high, reference: see :func:`from_function`.

    Raises:
        Refused: no such file or function, an error in the file (its line is named), or what :func:`from_function`
            refuses.
    """
    try:
        source = file.read_bytes()
    except OSError as error:
        raise Refused(f"the file {file} cannot be read: {error.strerror}.") from error
    module = _executed(file, source)
    found = getattr(module, function, None)
    if found is None:
        known = sorted(n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__)
        raise Refused(f"{file} has no function {function!r}. It has: {', '.join(known) or 'none'}.")
    if not callable(found):
        raise Refused(f"{function!r} of {file} must be a function; found {type(found).__name__}.")
    options: Options = {"file": file.name, "sha256": hashlib.sha256(source).hexdigest(), "function": function}
    facts = own_facts(
        name=name, direction=direction, unit=unit, low=low, high=high, reference=reference, options=options
    )
    _check_signature(found, reference)
    return FunctionMetric(found, facts)


def own_facts(
    *,
    name: str,
    direction: Direction,
    unit: float,
    low: float | None,
    high: float | None,
    reference: bool,
    options: Options,
) -> MetricFacts:
    """Facts of a metric of the user's own.

    Raises:
        Refused: a name that cannot be one of a file, a unit that is not above zero, an empty range.
    """
    if not _NAME.match(name):
        raise Refused(f"the name of a metric must be letters, digits, '.', '_', '-'; found {name!r}.")
    if direction not in ("lower", "higher"):
        raise Refused(f"metric {name!r}: direction must be 'lower' or 'higher'; found {direction!r}.")
    if not (math.isfinite(unit) and unit > 0):
        raise Refused(f"metric {name!r}: unit must be a finite number > 0; found {unit}.")
    if any(bound is not None and not math.isfinite(bound) for bound in (low, high)):
        raise Refused(f"metric {name!r}: low and high must be finite, or null where open; found {low}, {high}.")
    if low is not None and high is not None and low >= high:
        raise Refused(f"metric {name!r}: low must be below high; found {low}, {high}.")
    return MetricFacts(
        name=name,
        direction=direction,
        low=low,
        high=high,
        needs_reference=reference,
        unit=unit,
        implementation="own",
        version=str(options.get("sha256", "unknown"))[:12],
        options=dict(options),
    )


def number(value: object) -> float:
    """A number as a float; NaN and infinities pass.

    Raises:
        Refused: says what it is instead.
    """
    if isinstance(value, (np.ndarray, Tensor)):
        if value.ndim:
            raise Refused(f"gave an array of shape {tuple(value.shape)} in place of one number")
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, np.floating, np.integer)):
        raise Refused(f"gave a value of type {type(value).__name__} in place of a number")
    try:
        return float(value)
    except (OverflowError, ValueError):
        raise Refused("gave a number that is too large") from None


def told(error: BaseException, file: str | None = None) -> str:
    """Type and message of an error, with the last line of ``file`` that it went through."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{type(error).__name__}: {error.msg} ({Path(error.filename or '').name}, line {error.lineno})"
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f"{text} ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else text


def _executed(file: Path, source: bytes) -> ModuleType:
    """The file as a module. Exactly the bytes that were hashed are executed, and nothing is written beside it."""
    digest = hashlib.sha256(source).hexdigest()[:12]
    module = ModuleType(f"lossagent_metric_{digest}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # dataclasses and pickle look their module up
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # it may raise anything, SystemExit too
        sys.modules.pop(module.__name__, None)
        raise Refused(f"the file {file} cannot be used: {told(error, str(file))}.") from error
    return module


def _check_signature(function: Function, reference: bool) -> None:
    wanted = ("image", "reference") if reference else ("image",)
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # some builtins have none; then the first call tells
        return
    try:
        signature.bind(*wanted)
    except TypeError:
        code: Any = getattr(function, "__code__", None)
        place = f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code is not None else ""
        name = getattr(function, "__name__", type(function).__name__)
        hint = "It gets no reference unless reference: true." if not reference else "It gets a reference too."
        raise Refused(f"function {name!r}{place} must take ({', '.join(wanted)}); found {signature}. {hint}") from None


def _file_of(function: Function) -> Path | None:
    code: Any = getattr(function, "__code__", None)
    path = Path(code.co_filename) if code is not None else None
    return path if path is not None and path.is_file() else None  # an interactive session has none
