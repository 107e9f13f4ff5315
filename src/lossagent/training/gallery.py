"""Image sets that are restored and scored by all processes, each its share of the images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lossagent.data import ImageSet
from lossagent.feedback import Feedback, MetricFacts
from lossagent.objectives import Objective, Pixels, Scores, Situation
from lossagent.training.crew import Crew
from lossagent.training.pictures import Application, Pictures
from lossagent.training.ranks import Ranks

Lookup = Callable[[str], Pixels | None]
MakeObjective = Callable[[ImageSet, Lookup], Scores]
"""(images, S_0's output by image name) -> what scores them."""


@dataclass
class Gallery:
    """The image sets of a run. Process 0 asks; the others do their share of what it asks for.

    Attributes:
        sets: role -> images, the same on every process.
        objective_of: makes the objective of a set.
        application: how a network is applied to whole images.
        device: where networks are.
        network: a network of the right kind, for weights that process 0 sends.
        ranks: the processes.
        crew: the processes at work, where there are several.
    """

    sets: Mapping[str, ImageSet]
    objective_of: MakeObjective
    application: Application
    device: torch.device
    network: nn.Module
    ranks: Ranks
    crew: Crew | None = None
    _asked: nn.Module | None = None
    _told: list[list[tuple[str, Pixels, Pixels | None]]] | None = None
    _objectives: dict[str, Scores] = field(default_factory=dict[str, Scores])
    _starts: dict[str, Pixels | None] = field(default_factory=dict[str, "Pixels | None"])
    _spare: nn.Module | None = None
    _latest: tuple[str, Pictures] | None = None

    # -- on process 0 -------------------------------------------------------------------------------------

    def restore(self, role: str, network: nn.Module) -> dict[str, Pixels]:
        """Every image of a set restored by a network of process 0."""
        self._asked = network
        return self._order("restore", role)

    def objective(self, role: str, start: Lookup) -> Objective:
        """What scores the restored images of a set.

        Args:
            role: the set.
            start: S_0's output by image name.
        """
        if self.ranks.size == 1:
            return self.objective_of(self.sets[role], start)
        # What wants all images of a set at once is asked here, not of each process about its share.
        every = self.objective_of(self.sets[role], start)
        return SharedObjective(self, role, start, every.facts, every.parted()[1])

    def score(self, role: str, restored: Mapping[str, Pixels], start: Lookup) -> Feedback:
        """Scores of restored images, in their order; those of one process would be the same."""
        names = self.sets[role].names
        self._told = [
            [(n, restored[n], start(n)) for n in names[rank :: self.ranks.size] if n in restored]
            for rank in range(self.ranks.size)
        ]
        return merged(self._order("score", role), tuple(restored))

    def _order(self, what: str, role: str) -> Any:  # noqa: ANN401  (whatever the duty gives)
        return self.duties()[what](role) if self.crew is None else self.crew.order(what, role)

    # -- on every process ---------------------------------------------------------------------------------

    def duties(self) -> dict[str, Callable[[str], object]]:
        """What the crew can be ordered to do here."""
        return {"restore": self._restore, "score": self._score}

    def _restore(self, role: str) -> dict[str, Pixels]:
        network = self._asked
        if self.ranks.size > 1:
            weights = self.ranks.from_main(self._weights)
            if network is None:
                network = self._spare = self._spare or copy.deepcopy(self.network)
                network.load_state_dict(weights)
        assert network is not None
        with self.ranks.together():
            pictures = self._pictures(role)
        return pictures.restore(network)

    def _pictures(self, role: str) -> Pictures:
        if self._latest is None or self._latest[0] != role:
            inputs = {item.name: item.lq for item in self.sets[role]}
            self._latest = role, Pictures(inputs, self.application, self.device, self.ranks)
        return self._latest[1]

    def _weights(self) -> dict[str, Tensor]:
        assert self._asked is not None
        return {name: tensor.detach().cpu() for name, tensor in self._asked.state_dict().items()}

    def _score(self, role: str) -> list[Feedback]:
        share = self.ranks.scatter(self._told)
        feedback = Feedback()
        with self.ranks.together():
            if share:
                self._starts = {name: start for name, _, start in share}
                feedback = self.share_objective(role)({name: image for name, image, _ in share})
        return self.ranks.collect(feedback)

    def share_objective(self, role: str) -> Scores:
        """What scores this process's share of a set."""
        if role not in self._objectives:
            images = self.sets[role]
            own = images.take(self.ranks.own(images.names))
            self._objectives[role] = self.objective_of(own, lambda name: self._starts.get(name)).parted()[0]
        return self._objectives[role]


@dataclass(frozen=True)
class SharedObjective:
    """The objective of a set, computed by all processes.

    Attributes:
        gallery: knows them.
        role: the set.
        start: S_0's output by image name.
        facts: of every metric.
        whole: the metrics that want all images of the set at once.
    """

    gallery: Gallery
    role: str
    start: Lookup
    facts: Mapping[str, MetricFacts]
    whole: Scores

    def __call__(self, restored: Mapping[str, Pixels], situation: Situation | None = None) -> Feedback:
        """Scores of 8-bit images."""
        found = self.gallery.score(self.role, restored, self.start).joined(self.whole(restored, situation))
        # In the order in which one process has them: prompts show it.
        return found.model_copy(update={"scores": {m: found.scores[m] for m in self.facts if m in found.scores}})


def merged(parts: Sequence[Feedback], names: Sequence[str]) -> Feedback:
    """The feedback of several processes as one, images in the order given."""
    metrics = list(dict.fromkeys(metric for part in parts for metric in part.scores))
    scores: dict[str, dict[str, float | None]] = {}
    for metric in metrics:
        every = {n: s for part in parts for n, s in part.scores.get(metric, {}).items()}
        scores[metric] = {name: every[name] for name in names if name in every}
    conditions = {n: c for part in parts for n, c in part.conditions.items()}
    problems: dict[str, list[str]] = {}
    for part in parts:
        for metric, problem in part.problems.items():
            problems.setdefault(metric, []).append(problem)
    return Feedback(
        scores=scores,
        problems={metric: "; ".join(dict.fromkeys(found)) for metric, found in problems.items()},
        conditions={name: conditions[name] for name in names if name in conditions},
    )
