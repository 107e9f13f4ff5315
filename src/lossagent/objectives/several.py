"""Several experts at once: metrics, reviewers in words, people."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lossagent.feedback import Feedback, MetricFacts
from lossagent.objectives.base import Objective, Pixels, Situation


@dataclass(frozen=True)
class Several:
    """The feedback of all experts on the same images, one after the other.

    What one expert has said of a state is kept while another one (a person) makes the run wait.

    Args:
        experts: name -> expert, asked in this order.
    """

    experts: Mapping[str, Objective]
    _said: dict[tuple[int, str, str], Feedback] = field(
        default_factory=dict[tuple[int, str, str], Feedback], repr=False
    )

    @property
    def facts(self) -> Mapping[str, MetricFacts]:
        """Facts of every metric that some expert gives."""
        return {name: facts for expert in self.experts.values() for name, facts in expert.facts.items()}

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """What all of them say.

        Raises:
            Waiting: people have not answered yet.
        """
        feedback = Feedback()
        shown = digest(restored) if situation is not None else ""
        for name, expert in self.experts.items():
            key = (situation.state.id, shown, name) if situation is not None else None
            said = self._said.get(key) if key is not None else None
            if said is None:
                said = expert(restored, situation)
            if key is not None:
                self._said[key] = said
            feedback = feedback.joined(said)
        self._said.clear()
        return feedback


def digest(images: Mapping[str, Pixels]) -> str:
    """A hash of names and pixels."""
    found = hashlib.blake2b(digest_size=16)
    for name, pixels in images.items():
        found.update(f"{name}/{pixels.shape}/".encode("utf-8", "replace"))
        found.update(np.ascontiguousarray(pixels).tobytes())
    return found.hexdigest()
