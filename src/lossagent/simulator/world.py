"""Simulated training: states as numbers, moved on stage by stage under weights."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from lossagent.feedback import Feedback
from lossagent.records import StageReport
from lossagent.simulator.channels import FEEDBACK, SELECTION, report_of
from lossagent.simulator.images import ImageModel
from lossagent.simulator.model import Model
from lossagent.simulator.transitions import Array, step_key
from lossagent.weights import Weights


@dataclass(frozen=True)
class Latent:
    """What is known of a simulated state.

    Attributes:
        path: the stages behind it, from S_0.
        values: (c,) its numbers.
        previous: (c,) the change that led to it.
        feedback, selection: (metrics, images) deviations of single images.
    """

    path: tuple[str, ...]
    values: Array
    previous: Array
    feedback: Array
    selection: Array | None

    @property
    def depth(self) -> int:
        """Stages from S_0."""
        return len(self.path)


class World:
    """The training of one seed.

    Noise is a function of the seed, the depth and the replicate, as a real run's training data are, and of the path
    from S_0: what stages on the same data have in common in the recorded runs (:attr:`Model.shared`) they have in
    common here, whoever decides; the same weights throughout lead to the same state.

    Args:
        model: the response model.
        seed: >= 0.
    """

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.seed = model, seed
        spread = np.array([r.start_spread for r in model.responses])
        starts = model.starts + spread * self._draws("start", 0, 0, ()).standard_normal(len(model.starts))
        selection = model.selection.still() if model.selection is not None else None
        self.start = Latent((), starts, np.zeros_like(starts), model.feedback.still(), selection)

    def advance(self, latent: Latent, weights: Weights, replicate: int = 0) -> Latent:
        """The state after a stage.

        Args:
            latent: the parent.
            weights: that the stage is trained under.
            replicate: > 0 for other training data.
        """
        model, depth = self.model, latent.depth + 1
        path = (*latent.path, step_key(weights, replicate))
        x = model.space.ratios(weights)
        expected = model.expected(x, latent.values, latent.previous, depth, self.start.values)
        common = self._draws("data", depth, replicate, ())
        own = self._draws("path", depth, replicate, path)

        def drawn(shape: int | tuple[int, ...]) -> Array:
            share = model.shared
            return math.sqrt(share) * common.standard_normal(shape) + math.sqrt(1 - share) * own.standard_normal(shape)

        after = expected + model.factor @ drawn(len(expected))
        feedback = model.feedback.moved(latent.feedback, drawn(latent.feedback.shape))
        selection = latent.selection
        if model.selection is not None and selection is not None:
            selection = model.selection.moved(selection, drawn(selection.shape))
        return Latent(path, after, after - latent.values, feedback, selection)

    def feedback(self, latent: Latent) -> Feedback:
        """Scores of the feedback images."""
        return self._scores(FEEDBACK, self.model.feedback, latent.values, latent.feedback)

    def selection(self, latent: Latent) -> Feedback | None:
        """Scores of the selection images; ``None`` where the recorded runs had none."""
        if self.model.selection is None or latent.selection is None:
            return None
        return self._scores(SELECTION, self.model.selection, latent.values, latent.selection)

    def report(self, latent: Latent) -> StageReport:
        """Raw losses and gradient evidence."""
        numbers = {c: float(v) for c, v in zip(self.model.channels, latent.values, strict=True) if not c.is_score}
        setting = self.model.setting
        if latent.depth == 0:
            numbers = {c: v for c, v in numbers.items() if c.remembers}
        return report_of(numbers, setting.iterations if latent.depth else setting.warmup)

    def tests(self, latent: Latent) -> dict[str, dict[str, float]]:
        """Test set -> metric -> mean."""
        model, rows = self.model, self.model.readouts.readouts
        changes = {
            c.key: float(now - then)
            for c, now, then in zip(model.channels, latent.values, self.start.values, strict=True)
            if c.is_score
        }
        noise = np.zeros(len(rows))
        if latent.depth and rows:
            draws = self._draws("test", latent.depth, 0, latent.path).standard_normal(len(rows))
            correlation = np.array(model.readouts.correlation).reshape(len(rows), len(rows))
            noise = np.linalg.cholesky(correlation) @ draws
        found: dict[str, dict[str, float]] = {}
        for one, luck in zip(rows, noise, strict=True):
            selected = one.on_selection * changes.get(f"{SELECTION}/{one.metric}", 0.0)
            fed = one.on_feedback * changes.get(f"{FEEDBACK}/{one.metric}", 0.0)
            found.setdefault(one.set, {})[one.metric] = one.start + selected + fed + one.spread * float(luck)
        return found

    def _scores(self, group: str, images: ImageModel, values: Array, deviations: Array) -> Feedback:
        means = {c.name: float(v) for c, v in zip(self.model.channels, values, strict=True) if c.group == group}
        return images.feedback(means, deviations)

    def _draws(self, purpose: str, depth: int, replicate: int, path: tuple[str, ...]) -> np.random.Generator:
        text = f"{self.seed}/{purpose}/{depth}/{replicate}/{'|'.join(path)}".encode()
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:16], "big"))
