"""Methods on image sets under a protocol: every image restored once, every metric taken on it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.data import ImageSet
from lossagent.data.sets import Item
from lossagent.errors import Refused
from lossagent.evaluation.methods import FolderMethod, Method, TruthMethod
from lossagent.evaluation.protocols import EvaluationProtocol
from lossagent.evaluation.scores import ImageScore, Store, key_of
from lossagent.feedback import MetricFacts
from lossagent.metrics import Metric
from lossagent.restorers import from_uint8, to_uint8

AGAINST_INPUT = frozenset({"lr_consistency"})
"""Metrics that compare the restored image with the degraded one."""

NO_REFERENCE = "the set has no ground truth"

Progress = Callable[[int, int, str], None]
"""Called with (images done, images in all, what was done) after each restored image."""
Keep = Callable[[str, str, str, Float[Tensor, "1 3 rows columns"]], None]
"""Called with (method, set, image, restored image) for whoever keeps pictures."""


@dataclass(frozen=True)
class Benchmark:
    """What is evaluated.

    Attributes:
        protocol: the rules.
        scale: factor between inputs and ground truths.
        sets: the image sets.
        methods: rows of the tables, in order; where a metric needs no reference and a set has them, the ground truth
            is added as a last row by :meth:`rows`.
        metrics: name -> metric, made with the protocol's border.

    Raises:
        Refused: no method, no set, no metric, two of one name, or a method of another scale.
    """

    protocol: EvaluationProtocol
    scale: int
    sets: tuple[ImageSet, ...]
    methods: tuple[Method, ...]
    metrics: Mapping[str, Metric]

    def __post_init__(self) -> None:
        for what, found in (("method", self.methods), ("image set", self.sets), ("metric", self.metrics)):
            if not found:
                raise Refused(f"an evaluation needs at least one {what}; found none.")
        _unique("methods", [m.label for m in self.methods], "Give one another label: LABEL=METHOD.")
        _unique("sets", [s.name for s in self.sets], "Rename one: NAME=FOLDER.")
        for method in self.methods:
            if method.scale is not None and method.scale != self.scale:
                raise Refused(
                    f"method {method.label!r} is of scale {method.scale}; this evaluation is of scale {self.scale}. "
                    "Evaluate methods of one scale together, or set --scale."
                )
        for one in self.sets:
            if one.scale != self.scale:
                raise Refused(f"set {one.name!r} is of scale {one.scale}; this evaluation is of scale {self.scale}.")
        for method in self.methods:  # a missing file is found now, not after an hour
            if isinstance(method, FolderMethod):
                for one in self.sets:
                    for name in one.names:
                        method.file(one.name, name)

    @property
    def facts(self) -> dict[str, MetricFacts]:
        """Facts of every metric, with how images were made comparable."""
        extra: dict[str, str | int | float | bool] = {
            "protocol": self.protocol.name,
            "output": "8 bit, rounded" if self.protocol.rounded else "float, clipped to [0, 1]",
        }
        return {
            name: m.facts.model_copy(update={"name": name, "options": {**m.facts.options, **extra}})
            for name, m in self.metrics.items()
        }

    @property
    def rows(self) -> tuple[Method, ...]:
        """The methods, and the ground truth where it has a score."""
        alone = any(not m.facts.needs_reference for m in self.metrics.values())
        return (*self.methods, TruthMethod()) if alone and any(s.reference for s in self.sets) else self.methods


def carry_out(
    benchmark: Benchmark, store: Store, progress: Progress | None = None, keep: Keep | None = None
) -> list[ImageScore]:
    """Every score, in the order set, image, method, metric; those in the store are not taken again.

    Args:
        benchmark: what is evaluated.
        store: where scores are kept as they come.
        progress: called after each image of each method.
        keep: takes restored images; with it, every image is restored even where its scores are known.

    Raises:
        Refused: a file that cannot be read, or a restored image of another size; what was scored is kept.
    """
    rows = benchmark.rows
    total = sum(len(one) for one in benchmark.sets) * len(rows)
    done, scores = 0, list[ImageScore]()
    for one in benchmark.sets:
        conditions = one.conditions
        for item in one:
            where = _Place(one.name, item, conditions.get(item.name, ""), _pixels(item))
            for method in rows:
                scores += _image(benchmark, method, where, store, keep)
                done += 1
                if progress is not None:
                    progress(done, total, f"{one.name}/{item.name}: {method.label}")
    return scores


@dataclass(frozen=True)
class _Place:
    set_name: str
    item: Item
    condition: str
    pixels: str


def _image(benchmark: Benchmark, method: Method, where: _Place, store: Store, keep: Keep | None) -> list[ImageScore]:
    """The scores of one method on one image."""
    item, truth = where.item, isinstance(method, TruthMethod)
    if truth and item.hq is None:
        return []
    keys = _keys(benchmark, method, where)
    found = {name: store.get(key) for name, key in keys.items()}
    picture: Tensor | None = None
    if any(one is None for one in found.values()) or (keep is not None and not truth):
        picture = method.restored(where.set_name, item).cpu()
        if benchmark.protocol.rounded:
            picture = from_uint8(to_uint8(picture))
        if keep is not None and not truth:
            keep(method.label, where.set_name, item.name, picture)
    scores: list[ImageScore] = []
    for name, key in keys.items():
        known = found[name]
        if known is None:
            assert picture is not None
            value, reason = _score(benchmark.metrics[name], name, picture, item)
        else:
            value, reason = known.value, known.reason
        one = ImageScore(
            method=method.label,
            set=where.set_name,
            image=item.name,
            condition=where.condition,
            metric=name,
            value=value,
            reason=reason,
            key=key,
        )
        if known is None:
            store.add(one)
        scores.append(one)
    return scores


def _keys(benchmark: Benchmark, method: Method, where: _Place) -> dict[str, str]:
    """metric -> key of its score; the ground truth is not compared with itself."""
    truth = isinstance(method, TruthMethod)
    same = {
        "method": method.fingerprint(where.set_name, where.item),
        "pixels": where.pixels,
        "set": where.set_name,
        "image": where.item.name,
        "protocol": benchmark.protocol.facts(benchmark.scale),
    }
    return {
        name: key_of({**same, "metric": facts.model_dump(mode="json")})
        for name, facts in benchmark.facts.items()
        if not (truth and facts.needs_reference)
    }


def _score(metric: Metric, name: str, picture: Tensor, item: Item) -> tuple[float | None, str]:
    """(score, "") or (``None``, why there is none)."""
    reference: Tensor | None = None
    if metric.facts.needs_reference:
        other = item.lq if name in AGAINST_INPUT else item.hq
        if other is None:
            return None, NO_REFERENCE
        reference = from_uint8(other)
    try:
        with torch.inference_mode():
            value = float(metric(picture, reference)[0])
    except Refused as error:  # an image too small for the metric, ...
        return None, str(error)
    return (None, "not a number") if math.isnan(value) else (value, "")


def _pixels(item: Item) -> str:
    digest = hashlib.sha256()
    for array in (item.lq, item.hq):
        if array is not None:
            digest.update(f"{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _unique(kind: str, names: Sequence[str], remedy: str) -> None:
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise Refused(f"{kind} must have names of their own; found twice: {', '.join(twice)}. {remedy}")
