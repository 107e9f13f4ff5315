"""Black-box optimisers as agents: what people use where nothing but a score is known."""

from __future__ import annotations

import importlib.util
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lossagent.agents.base import Recall, View
from lossagent.agents.repeats import unrepeated
from lossagent.agents.rollback import best_restorable
from lossagent.agents.search.cma import next_candidate
from lossagent.agents.search.evaluations import Credit, Evaluation, evaluations
from lossagent.agents.search.samplers import NEWEST, next_point
from lossagent.agents.search.space import Space, space_of
from lossagent.errors import MissingPackage, Refused
from lossagent.records import Decision, State
from lossagent.weights import Weights

Method = Literal["gp", "tpe", "cmaes", "random"]
Start = Literal["head", "best", "start"]
PACKAGES: dict[Method, str] = {"cmaes": "cmaes", "tpe": "optuna", "gp": "optuna"}


@dataclass(frozen=True)
class Search:
    """Asks a black-box optimiser for the next weights, after telling it of every stage so far.

    The optimiser is built anew at each decision, from the trajectory and the run's seed. It searches the log-ratios to
    the anchor of the losses that are on; what is told are the weights that were trained, after bounds.

    Attributes:
        method: which optimiser.
        restart_from: the state that each stage starts from: the head, the best so far, or S_0.
        credit: what a stage is credited with, see :func:`lossagent.agents.search.evaluations.evaluations`.
        range: largest factor between a weight and the initial one, > 1.
        startup: evaluations before TPE's or the GP's model is asked, >= 1.
        population: candidates of a generation of CMA-ES, >= 2.
        sigma: standard deviation of its first generation, in natural log of a ratio, > 0.
    """

    method: Method = "gp"
    restart_from: Start = "best"
    credit: Credit = "change"
    range: float = 16.0
    startup: int = 3
    population: int = 4
    sigma: float = 1.5
    name: str = "search"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.range) and self.range > 1):
            raise Refused(f"range of the search agent must be a finite factor > 1; found {self.range}.")
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise Refused(f"sigma of the search agent must be a finite number > 0; found {self.sigma}.")
        if self.startup < 1:
            raise Refused(f"startup of the search agent must be at least 1; found {self.startup}.")
        if self.population < 2:
            raise Refused(f"population of the search agent must be at least 2; found {self.population}.")
        package = PACKAGES.get(self.method)
        if package is not None and importlib.util.find_spec(package) is None:
            raise MissingPackage(package, "search", f"agent 'search' with method {self.method!r}")

    @property
    def needs_restart(self) -> bool:
        """Unless each stage starts from the head."""
        return self.restart_from != "head"

    @property
    def needs_utility(self) -> bool:
        """Unless nothing is looked at: random search that does not go back to the best."""
        return self.method != "random" or self.restart_from == "best"

    def decide(self, view: View, recall: Recall) -> Decision:
        """The optimiser's next candidate; the previous weights where nothing can be moved.

        Raises:
            Refused: a utility is needed and the goal is a wish only.
        """
        del recall
        if self.needs_utility:
            view.goal.require_utility(f"agent {self.name!r}")
        start = self._start(view)
        previous = view.trajectory.weights_at(start.id)
        space = space_of(view.trajectory, previous, view.bounds, self.range)
        weights, thoughts = self._next(view, space, previous) if space.names else (previous, "Nothing to move.")
        decision = Decision(
            author=self.name, proposed=weights, weights=weights, restart_from=start.id, thoughts=thoughts
        )
        return unrepeated(decision, view) if self.needs_restart else decision

    def _start(self, view: View) -> State:
        if self.restart_from == "head" or view.pinned:
            return view.head
        if self.restart_from == "best":
            return best_restorable(view) or view.head
        return view.trajectory.start if view.trajectory.start.id in view.restorable else view.head

    def _next(self, view: View, space: Space, previous: Weights) -> tuple[Weights, str]:
        point, thoughts = self._ask(view, space, () if self.method == "random" else self._told(view, previous))
        return space.weights(point, previous), thoughts

    def _told(self, view: View, previous: Weights) -> tuple[Evaluation, ...]:
        return evaluations(view, self.credit, previous.off, NEWEST if self.method == "gp" else None)

    def _ask(self, view: View, space: Space, told: Sequence[Evaluation]) -> tuple[tuple[float, ...], str]:
        generator = view.rng(f"search/{self.method}")
        if self.method == "random":
            box = zip(space.low, space.high, strict=True)
            return tuple(generator.uniform(low, high) for low, high in box), "Drawn at random."
        if self.method == "cmaes":
            # One seed for the whole run, unlike that of View.rng: the same draws are made again at each decision.
            seed = random.Random(f"{view.seed}/search/cmaes").getrandbits(32)
            found = next_candidate(space, told, self.population, self.sigma, seed)
            place = f"candidate {found.number} of {self.population}"
            return found.point, f"CMA-ES: {place} of generation {found.generation}."
        point = next_point(space, told, self.method, self.startup, generator.getrandbits(32))
        return point, f"{self.method.upper()} after {len(told)} evaluations."
