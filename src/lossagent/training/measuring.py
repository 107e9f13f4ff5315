"""Gradients on the fixed batches, shared among the processes."""

from __future__ import annotations

from collections.abc import Sequence

from lossagent.losses import LossRepository
from lossagent.losses import evidence as measure
from lossagent.records import Evidence
from lossagent.training.randomness import EVIDENCE_WINDOW, saved_generators
from lossagent.training.sampler import Sampler
from lossagent.training.step import Stepper


def measured(stepper: Stepper, repository: LossRepository, sampler: Sampler, count: int, batch: int) -> Evidence:
    """Evidence of the networks as they are; the same with any number of processes.

    Each fixed batch is taken whole by one process: norms over a batch are no means of norms over its parts. The
    restorer's graph is not kept in it; what losses keep of a whole batch must fit.

    Args:
        stepper: has the networks.
        repository: the losses.
        sampler: training data.
        count: how many batches; 0 gives no evidence.
        batch: samples of each.

    Raises:
        Refused, Failed: see :func:`lossagent.losses.evidence`, on every process.
    """
    if count == 0:
        return Evidence()
    ranks = stepper.networks.ranks
    found: list[Evidence] = []
    with ranks.together(), saved_generators():
        for number in ranks.own(range(count)):
            example = stepper.example(sampler.batch(EVIDENCE_WINDOW, number, batch))
            found.append(measure(stepper.networks.restorer, repository, [example]))
    parts = ranks.gather(found)
    return mean_of([parts[number % ranks.size][number // ranks.size] for number in range(count)])


def mean_of(found: Sequence[Evidence]) -> Evidence:
    """The mean of each number."""

    def mean(values: Sequence[dict[str, float]]) -> dict[str, float]:
        return {name: sum(v[name] for v in values) / len(values) for name in values[0]}

    return Evidence(
        raw=mean([e.raw for e in found]),
        image_norms=mean([e.image_norms for e in found]),
        layer_norms=mean([e.layer_norms for e in found]),
        cosines=mean([e.cosines for e in found]),
    )
