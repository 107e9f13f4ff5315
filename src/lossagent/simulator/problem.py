"""A simulated task for agents: the same asking and telling as in a real run, in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lossagent import evaluation
from lossagent.agents.base import Agent
from lossagent.agents.fixed import Fixed
from lossagent.events import Answered
from lossagent.feedback import POOLED, Feedback
from lossagent.goal import Goal
from lossagent.records import State
from lossagent.runs import MemoryLog
from lossagent.session.fixed import FixedRun
from lossagent.simulator.model import Model
from lossagent.simulator.world import Latent, World
from lossagent.steering import Steering, Surroundings
from lossagent.study.outcome import Cost, Outcome
from lossagent.weights import Bounds, Weights


@dataclass(frozen=True)
class Problem:
    """What agents are tried on. Whatever comes from it is simulated.

    Attributes:
        model: the response model.
        goal, bounds, initial, stages: as recorded, or others.
        know_fixed: whether agents know the fixed run's scores of their seed at each depth.
        objective: name that outcomes carry.
        reference: whose runs under fixed weights are the fixed runs, ``None`` for its own.
    """

    model: Model
    goal: Goal
    bounds: Bounds
    initial: Weights
    stages: int
    know_fixed: bool = False
    objective: str = "goal"
    reference: Problem | None = None
    _fixed: dict[int, FixedRun] = field(default_factory=dict[int, FixedRun], init=False, repr=False, compare=False)

    @classmethod
    def of(cls, model: Model) -> Problem:
        """The problem that the recorded runs were about."""
        s = model.setting
        return cls(model, s.goal, s.bounds, s.initial, s.stages, s.know_fixed, s.objective)

    def start(self, seed: int) -> Feedback:
        """Scores of the feedback images before training."""
        world = World(self.model, seed)
        return world.feedback(world.start)

    def run(self, agent: Agent, seed: int, arm: str | None = None) -> Outcome:
        """One simulated run.

        Agents of one seed share the luck of training as real runs share their data, see :class:`World`.

        Args:
            agent: who decides; it may restart from any earlier state.
            seed: >= 0.
            arm: name in the outcome, the agent's by default.

        Raises:
            Refused: the agent and the goal do not go together, see :class:`lossagent.Steering`.
        """
        return self._run(agent, seed, arm or agent.name, self.beside(seed))

    def beside(self, seed: int) -> FixedRun:
        """The fixed run of a seed, where agents or constraints need it; else an empty one."""
        relative = any(c.relative_to == "fixed" for c in self.goal.constraints)
        if not (relative or self.know_fixed):
            return FixedRun()
        if seed not in self._fixed:
            limits = tuple(c for c in self.goal.constraints if c.relative_to != "fixed")
            free = self.goal.model_copy(update={"constraints": limits})
            base = replace(self.reference or self, goal=free, stages=self.stages, know_fixed=False, reference=None)
            one = base.run(Fixed(), seed)
            fed = {s.depth: s.feedback for s in one.states if s.feedback is not None}
            self._fixed[seed] = FixedRun(fed, {one.states[i].depth: f for i, f in one.selection.items()})
        return self._fixed[seed]

    def _run(self, agent: Agent, seed: int, arm: str, fixed: FixedRun) -> Outcome:
        world, setting, log = World(self.model, seed), self.model.setting, MemoryLog()
        steering = Steering(
            agent=agent,
            goal=self.goal,
            initial=self.initial,
            stages=self.stages,
            log=log,
            metrics=setting.facts,
            bounds=self.bounds,
            seed=seed,
            can_restart=True,
            surroundings=Surroundings(
                stage_iterations=setting.iterations,
                tolerance=setting.tolerance,
                loss_facts=setting.loss_facts,
                guards=frozenset(setting.guards),
                fixed=fixed.feedback,
            ),
        )
        states: dict[int, Latent] = {0: world.start}
        steering.tell(0, feedback=world.feedback(world.start), report=world.report(world.start))
        while stage := steering.ask():
            assert stage.parent is not None
            assert stage.weights is not None
            states[stage.state] = world.advance(states[stage.parent], stage.weights, stage.replicate)
            latent = states[stage.state]
            steering.tell(stage.state, feedback=world.feedback(latent), report=world.report(latent))
        trajectory = steering.trajectory

        def score(state: State) -> Feedback:
            found = world.selection(states[state.id])
            assert found is not None
            return found

        choice = evaluation.choose(
            trajectory, self.goal, score if self.model.selection is not None else None, fixed.selection
        )
        last = trajectory.scored[-1].id
        return Outcome(
            arm=arm,
            objective=self.objective,
            seed=seed,
            initial=self.initial,
            states=trajectory.states,
            selected=choice.state,
            rule=choice.rule,
            selection=dict(choice.scores),
            tests=self._tests(world, {"start": states[0], "selected": states[choice.state], "last": states[last]}),
            facts=setting.facts,
            goal=self.goal,
            guards=setting.guards,
            cost=_cost(log, trajectory.iterations),
        )

    def _tests(self, world: World, rows: Mapping[str, Latent]) -> dict[str, dict[str, Feedback]]:
        """Means of the rows of each test set, the recorded ones that no training changes included."""
        found: dict[str, dict[str, Feedback]] = {}
        for row, latent in rows.items():
            for name, means in world.tests(latent).items():
                found.setdefault(name, {})[row] = _pooled(means)
        for name, constant in self.model.readouts.constant.items():
            for row, means in constant.items():
                found.setdefault(name, {})[row] = _pooled(means)
        return found


def _pooled(means: Mapping[str, float]) -> Feedback:
    return Feedback(scores={metric: {POOLED: value} for metric, value in means.items()})


def _cost(log: MemoryLog, iterations: int) -> Cost:
    """Iterations that real training would have taken, and what was asked of language models."""
    answered = [e for e in log.events if isinstance(e, Answered)]
    exchanges = [e for state in {a.state for a in answered} for e in log.exchanges(state).values()]
    return Cost(
        iterations=iterations,
        llm_seconds=sum(e.seconds for e in answered),
        questions=len(answered),
        prompt_tokens=sum(e.prompt_tokens for e in exchanges),
        completion_tokens=sum(e.completion_tokens for e in exchanges),
    )
