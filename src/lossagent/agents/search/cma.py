"""CMA-ES, driven once more through every evaluation at each decision.

Source: Hansen, Ostermeier, "Completely derandomized self-adaptation in evolution strategies", Evolutionary
Computation 9(2), 2001; Hansen, "The CMA evolution strategy: a tutorial", arXiv 1604.00772. Told are the points that
were trained, which need not be the ones asked for: Hansen, "Injecting external solutions into CMA-ES",
arXiv 1110.4181 (without that paper's shortening of long steps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lossagent.agents.search.evaluations import Evaluation, graded
from lossagent.agents.search.space import Space


@dataclass(frozen=True)
class Candidate:
    """What CMA-ES asks for next.

    Attributes:
        point: log-ratios to the anchor, inside the space.
        generation: counted from 1.
        number: which of the generation, counted from 1.
    """

    point: tuple[float, ...]
    generation: int
    number: int


def next_candidate(space: Space, told: Sequence[Evaluation], population: int, sigma: float, seed: int) -> Candidate:
    """The next candidate after all evaluations so far.

    Each evaluation, in the order of decisions, takes the place of one candidate that was asked for, at the point that
    was trained; ``population`` of them make a generation, and an unfinished one simply goes on. Only the order within
    a generation counts, so a generation that was told stays told.

    Args:
        space: the box; candidates outside are drawn again, up to a hundred times, then moved to its edge.
        told: evaluations, the first stage (under the weights that the search begins at) among them.
        population: candidates of a generation, >= 2.
        sigma: standard deviation of the first generation, in log-ratio, > 0.
        seed: of all draws; the same one at each decision of a run.
    """
    from cmaes import CMA

    box = np.array([space.low, space.high], dtype=np.float64).T
    mean = np.array(space.middle, dtype=np.float64)
    strategy = CMA(mean=mean, sigma=sigma, bounds=box, seed=seed, population_size=population)
    generation: list[Evaluation] = []
    for evaluation in told:
        strategy.ask()  # the draw that this evaluation answers
        generation.append(evaluation)
        if len(generation) == population:
            values = graded(generation)  # CMA-ES minimises
            trained = [np.array(space.point(e.weights), dtype=np.float64) for e in generation]
            strategy.tell([(point, -value) for point, value in zip(trained, values, strict=True)])
            generation = []
    point = tuple(float(x) for x in strategy.ask())
    return Candidate(point, strategy.generation + 1, len(generation) + 1)
