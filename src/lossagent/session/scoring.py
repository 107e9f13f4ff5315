"""Scores of one image set under the networks of chosen states; what other runs have scored is not scored again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

from torch import nn

from lossagent import environment
from lossagent.build import Parts
from lossagent.build.scores import AGAINST_START
from lossagent.data import ImageSet
from lossagent.evaluation import Row
from lossagent.feedback import Feedback
from lossagent.metrics import correlated_noise
from lossagent.objectives.base import Pixels
from lossagent.records import State
from lossagent.restorers import from_uint8, to_uint8
from lossagent.session.memory import ScoreMemory, Seen, weights_digest
from lossagent.training.gallery import Gallery

SHARED_DEPTH = 1
"""States up to this depth are the same in many runs: S_0, and the first stage under the initial weights."""


class SetScoring:
    """One image set, as it is scored at the end of a run.

    Args:
        role: name of the set.
        images: the set.
        parts, gallery: of the run.
        network_of: gives the network of a state.
        start: S_0.
        memory: scores that other runs have taken, ``None`` for none.
        kept: how many restored images of a state are kept.
    """

    def __init__(
        self,
        role: str,
        images: ImageSet,
        parts: Parts,
        gallery: Gallery,
        network_of: Callable[[State], nn.Module],
        start: State,
        memory: ScoreMemory | None = None,
        kept: int = 0,
    ) -> None:
        self.role, self.images, self.parts, self.gallery = role, images, parts, gallery
        self.network_of, self.start, self.memory, self.kept = network_of, start, memory, kept
        self.objective = gallery.objective(role, lambda name: self.before.get(name))

    @cached_property
    def before(self) -> dict[str, Pixels]:
        """The set restored by S_0; made when something compares with it."""
        return self.gallery.restore(self.role, self.network_of(self.start))

    def of(self, state: State) -> Seen:
        """Scores of a state, and the first restored images."""

        def make() -> Seen:
            own = state.id == self.start.id
            restored = self.before if own else self.gallery.restore(self.role, self.network_of(state))
            return Seen(self.objective(restored), dict(list(restored.items())[: self.kept]))

        if self.memory is None or state.depth > SHARED_DEPTH:
            return make()
        row = {"network": weights_digest(self.network_of(state)), "kept": self.kept}
        return self.memory.recall({**self._facts, **row}, make)

    def noisy(self, seed: int) -> Feedback:
        """Scores of S_0's output with a little correlated noise on it: what a no-reference metric says for nothing."""

        def make() -> Seen:
            return Seen(self.objective(noisy(self.before, seed)))

        if self.memory is None:
            return make().feedback
        row = {"network": weights_digest(self.network_of(self.start)), "noise": seed}
        return self.memory.recall({**self._facts, **row}, make).feedback

    def reference_rows(self) -> dict[str, Row]:
        """The ground truth's own scores, see :meth:`lossagent.build.Parts.reference_rows`."""

        def make() -> Seen:
            rows = self.parts.reference_rows(self.images)
            return Seen(next((row.feedback for row in rows.values()), Feedback()))

        if self.memory is None or not self.images.reference:
            return self.parts.reference_rows(self.images)
        feedback = self.memory.recall({**self._facts, "reference": True}, make).feedback
        return {"ground truth": Row(None, None, feedback)} if feedback.scores else {}

    @cached_property
    def _facts(self) -> Mapping[str, Any]:
        """All that scores of this set depend on beside the network."""
        assert self.memory is not None
        training = self.parts.experiment.training
        return {
            "images": self.memory.digest(self.images),
            "metrics": {name: facts.model_dump(mode="json") for name, facts in self.objective.facts.items()},
            "start": weights_digest(self.network_of(self.start)) if self._compares_with_start else None,
            "application": asdict(self.parts.application),
            "training": [training.channels_last, training.precision, training.deterministic],
            "machine": [environment.versions(), environment.reproducibility(self.parts.device)],
        }

    @property
    def _compares_with_start(self) -> bool:
        return bool(AGAINST_START & set(self.objective.facts))


def noisy(images: Mapping[str, Pixels], seed: int) -> dict[str, Pixels]:
    """Images with a little correlated noise on them."""
    return {name: to_uint8(correlated_noise(from_uint8(image), seed)) for name, image in images.items()}
