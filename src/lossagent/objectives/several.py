"""Several experts at once: metrics, reviewers in words, people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    _said: dict[tuple[int, str], Feedback] = field(default_factory=dict[tuple[int, str], Feedback], repr=False)

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
        for name, expert in self.experts.items():
            key = (situation.state.id, name) if situation is not None else None
            said = self._said.get(key) if key is not None else None
            if said is None:
                said = expert(restored, situation)
            if key is not None:
                self._said[key] = said
            feedback = feedback.joined(said)
        self._said.clear()
        return feedback
