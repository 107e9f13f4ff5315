"""A metric whose failures are sentences: nothing that it does stops a run, except an interrupt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from lossagent.chat.neutral import quote
from lossagent.errors import LossAgentError, Refused
from lossagent.feedback import POOLED, MetricFacts
from lossagent.metrics import Metric
from lossagent.metrics.command import OfFiles
from lossagent.metrics.own import FunctionMetric, OfPixels, number, told
from lossagent.objectives.pairs import Pair, Tensors, batches
from lossagent.objectives.workers import Late, Worker

T = TypeVar("T")
NAMED = 3
"""Different failures that one sentence names."""
LONGEST = 160
"""Characters of a failure that are quoted."""


@runtime_checkable
class Batched(Protocol):
    """A metric that is faster on several images of one size at a time."""

    @property
    def batch(self) -> int:
        """How many."""
        ...


@runtime_checkable
class Releases(Protocol):
    """A metric that can give its memory back."""

    def release(self) -> None:
        """Frees the network; the next call loads it again."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a metric says of a set.

    Attributes:
        scores: image name, or ``POOLED`` -> score; ``None`` where there is none.
        problem: why some are missing, one sentence.
    """

    scores: Mapping[str, float | None]
    problem: str | None = None


@dataclass(frozen=True)
class _Call:
    """One call of a metric: the images it is about, and what makes it."""

    pairs: tuple[Pair, ...]
    make: Callable[[], Mapping[str, object]]


@dataclass
class _Findings:
    """Scores and failures while they come in."""

    names: Sequence[str]
    scores: dict[str, float] = field(default_factory=dict[str, float])
    reasons: dict[str, str] = field(default_factory=dict[str, str])

    def take(self, call: _Call, values: Mapping[str, object]) -> None:
        """Keeps what is a number and notes what is not."""
        if POOLED in values:
            self._keep(POOLED, values[POOLED])
            return
        for pair in call.pairs:
            if pair.name in values:
                self._keep(pair.name, values[pair.name])
            else:
                self.reasons[pair.name] = "gave nothing"

    def _keep(self, name: str, value: object) -> None:
        try:
            found = number(value)
        except Refused as error:
            self.reasons[name] = str(error)
            return
        if math.isfinite(found):
            self.scores[name] = found
        else:
            self.reasons[name] = "gave NaN" if math.isnan(found) else f"gave {found}"

    def answer(self, metric: str) -> Answer:
        """All of it, in the order of the images."""
        if POOLED in self.scores or POOLED in self.reasons:
            problem = self.reasons.get(POOLED)
            sentence = f"metric {metric}: {quote(problem, LONGEST)}" if problem is not None else None
            return Answer({POOLED: self.scores.get(POOLED)}, sentence)
        scores = {name: self.scores.get(name) for name in self.names}
        counted: dict[str, int] = {}
        for reason in self.reasons.values():
            counted[reason] = counted.get(reason, 0) + 1
        shown = [f"{quote(r, LONGEST)} for {n} of {len(self.names)} images" for r, n in list(counted.items())[:NAMED]]
        if len(counted) > NAMED:
            shown.append(f"and {len(counted) - NAMED} other failures")
        return Answer(scores, f"metric {metric}: {'; '.join(shown)}" if shown else None)


@dataclass(eq=False)
class Guarded:
    """A metric that is asked with care; itself a metric.

    Attributes:
        metric: what is asked. One with :meth:`~lossagent.metrics.own.OfPixels.of_pixels` gets 8-bit arrays, one with
            :meth:`~lossagent.metrics.command.OfFiles.of_files` all images at once, any other tensors.
        deadline: seconds that one call may take (of one image, or one batch); it then runs in a thread. A call that
            hangs cannot be ended: the metric is not asked again before it comes back. ``None`` for metrics that are
            trusted, and for executables, which keep their own.
        unload: whether its memory is given back after each scoring.
    """

    metric: Metric
    deadline: float | None = None
    unload: bool = False
    _worker: Worker = field(default_factory=Worker)

    @property
    def facts(self) -> MetricFacts:
        """The metric's."""
        return self.metric.facts

    def __call__(
        self,
        restored: Float[Tensor, "batch 3 height width"],
        reference: Float[Tensor, "batch 3 reference_height reference_width"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """The metric's scores, NaN where it gives none.

        Raises:
            Refused: whatever else went wrong, in words.
        """
        try:
            values = self._made(lambda: _scored(self.metric, restored, reference))
        except (Refused, KeyboardInterrupt):
            raise
        except Late:
            raise Refused(self._late()) from None
        except Exception as error:  # somebody's metric may raise anything
            raise Refused(self._reason(error)) from error
        return torch.tensor(values, dtype=torch.float64)

    def answer(self, name: str, pairs: Sequence[Pair], tensors: Tensors) -> Answer:
        """Scores of images, and what went wrong, if anything did.

        Args:
            name: what the metric is called in the problem.
            pairs: the images.
            tensors: converts them.
        """
        findings = _Findings([pair.name for pair in pairs])
        if not pairs:
            return Answer({})
        if self._worker.busy:
            sentence = f"metric {name} was not asked: a call that gave nothing within {self.deadline:g} s still hangs"
            return Answer(dict.fromkeys(findings.names), sentence)
        try:
            for call in self._calls(pairs, tensors):
                self._take(call, findings, tensors)
            if self.unload and isinstance(self.metric, Releases):
                self._made(self.metric.release)
        except Late:
            scores: dict[str, float | None] = {n: findings.scores.get(n) for n in findings.names}
            return Answer(scores, f"metric {name} {self._late()}; not asked again in this process while it hangs")
        except KeyboardInterrupt:
            raise
        except Exception as error:
            return Answer(findings.answer(name).scores, f"metric {name}: its memory was not freed: {told(error)}")
        return findings.answer(name)

    def _take(self, call: _Call, findings: _Findings, tensors: Tensors) -> None:
        try:
            findings.take(call, self._made(call.make))
        except (Late, KeyboardInterrupt):
            raise
        except Exception as error:  # somebody's metric may raise anything
            if len(call.pairs) > 1 and not isinstance(self.metric, OfFiles):
                for pair in call.pairs:  # one image, or too many at a time: the others are not to suffer
                    self._take(self._batch((pair,), tensors), findings, tensors)
                return
            findings.reasons.update(dict.fromkeys((pair.name for pair in call.pairs), self._reason(error)))

    def _calls(self, pairs: Sequence[Pair], tensors: Tensors) -> Iterator[_Call]:
        metric = self.metric
        if isinstance(metric, OfFiles):
            images = {pair.name: pair.pixels for pair in pairs}
            references = {pair.name: pair.reference for pair in pairs if pair.reference is not None}
            yield _Call(tuple(pairs), lambda: metric.of_files(images, references))
        elif isinstance(metric, OfPixels):
            for one in pairs:
                yield _Call((one,), lambda one=one: {one.name: metric.of_pixels(one.pixels, one.reference)})
        else:
            for batch in batches(pairs, metric.batch if isinstance(metric, Batched) else 1):
                yield self._batch(batch, tensors)

    def _batch(self, batch: tuple[Pair, ...], tensors: Tensors) -> _Call:
        def make() -> dict[str, object]:
            restored = tensors.batch([pair.pixels for pair in batch])
            others = [pair.reference for pair in batch if pair.reference is not None]
            values = _scored(self.metric, restored, tensors.batch(others) if others else None)
            return dict(zip((pair.name for pair in batch), values, strict=True))

        return _Call(batch, make)

    def _made(self, call: Callable[[], T]) -> T:
        """The value of a call; an attempt to end the process is a failure like others."""
        try:
            return call() if self.deadline is None else self._worker.run(call, self.deadline)
        except SystemExit as error:
            raise RuntimeError(f"tried to end the process with {error.code!r}") from error

    def _reason(self, error: Exception) -> str:
        if isinstance(error, LossAgentError):  # written for people already
            return str(error).rstrip(".") or type(error).__name__
        return f"failed with {told(error, self.metric.file if isinstance(self.metric, FunctionMetric) else None)}"

    def _late(self) -> str:
        return f"gave nothing within {self.deadline:g} s"


def _scored(metric: Metric, restored: Tensor, reference: Tensor | None) -> list[float]:
    """One number for each image.

    Raises:
        Refused: the metric gives something else.
    """
    with torch.inference_mode():
        values = cast("object", metric(restored, reference))  # what somebody's metric really gives
    if not isinstance(values, Tensor):
        raise Refused(f"gave a value of type {type(values).__name__} in place of a tensor")
    if values.shape != (restored.shape[0],):
        raise Refused(f"gave a tensor of shape {tuple(values.shape)} for {restored.shape[0]} images")
    return [float(value) for value in values.detach().cpu()]
