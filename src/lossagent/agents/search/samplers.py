"""TPE and Gaussian-process search through Optuna, in a study in memory that is built anew at each decision.

Source: Akiba et al., "Optuna", KDD 2019, arXiv 1907.10902; TPE: Bergstra et al., "Algorithms for hyper-parameter
optimization", NeurIPS 2011; GP: Matern-5/2 kernel with a noise variance that is fitted, log expected improvement
(Ament et al., arXiv 2310.20708).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from lossagent.agents.search.evaluations import Evaluation, graded
from lossagent.agents.search.silence import quiet_optuna
from lossagent.agents.search.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

Sampler = Literal["tpe", "gp"]
NEWEST = 20
"""The GP is told of so many stages at most: fitting costs the cube of their number."""


def next_point(space: Space, told: Sequence[Evaluation], method: Sampler, startup: int, seed: int) -> tuple[float, ...]:
    """The next point: a random one until ``startup`` evaluations are told, then the sampler's.

    Args:
        space: the box.
        told: evaluations; one outside the box is left out, since a sampler knows no points out there.
        method: which sampler.
        startup: evaluations before its model is asked, the first stage among them.
        seed: of this decision's draws. The study is new each time, so it must differ between decisions.
    """
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution

    ranges: dict[str, BaseDistribution] = {
        name: FloatDistribution(low, high) for name, low, high in zip(space.names, space.low, space.high, strict=True)
    }
    placed = [(e, point) for e in told if (point := space.inside(space.point(e.weights))) is not None]
    trials = [
        optuna.trial.create_trial(params=dict(zip(space.names, point, strict=True)), distributions=ranges, value=value)
        for (_, point), value in zip(placed, graded([e for e, _ in placed]), strict=True)
    ]
    with quiet_optuna():
        study = optuna.create_study(direction="maximize", sampler=_sampler(method, startup, seed))
        study.add_trials(trials)
        found = study.ask(ranges).params
    return tuple(float(found[name]) for name in space.names)


def _sampler(method: Sampler, startup: int, seed: int) -> BaseSampler:
    from optuna.samplers import GPSampler, TPESampler

    if method == "tpe":
        return TPESampler(n_startup_trials=startup, seed=seed)
    return GPSampler(n_startup_trials=startup, seed=seed, warn_independent_sampling=False)
