"""Everything that is not training: objective + agent + trajectory + log (Figure 1, parts II and III).

The built-in trainer is only its first client. For a loop of your own::

    steering = Steering(agent=Random(), goal=goal, initial=Weights.of({"l1": 1, "gan": 0.1}), stages=10,
                        log=RunFolder.at(Path("run")))              # started again, it goes on
    steering.tell(0, scores={"niqe": {"baboon": 5.7}})          # S_0, before training
    while stage := steering.ask():                               # decides w^i from {S_0 .. S_i-1}, eq. (6)
        train(net, stage.weights.values())                       # S_i-1 -> S_i under L_i
        steering.tell(stage.state, scores=score(net))            # F_i = O(I_Si)
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lossagent.agents.base import Agent, View
from lossagent.errors import Refused
from lossagent.events import (
    Decided,
    Finished,
    Pruned,
    Resumed,
    Rewound,
    Scored,
    Started,
    Told,
    Trained,
    Warned,
)
from lossagent.feedback import Feedback, MetricFacts
from lossagent.goal import Goal
from lossagent.mailbox import Mailbox
from lossagent.objectives.base import Objective, Pixels
from lossagent.objectives.given import GivenImages, pixels_of, pixels_sha256
from lossagent.records import Recall, Stage, StageReport, State
from lossagent.runs import Log, MemoryLog, RunFolder
from lossagent.steering.book import Book
from lossagent.steering.checks import refuse_other, refuse_unfit, refuse_unscored
from lossagent.steering.deciding import last_told, next_decision, view_of
from lossagent.steering.people import People
from lossagent.steering.pruning import superfluous
from lossagent.steering.retelling import retell
from lossagent.steering.telling import BEST, LAST, Answer, oddities, refuse_incomplete, reported
from lossagent.trajectory import Trajectory
from lossagent.weights import Bounds, Weights


@dataclass(frozen=True)
class Surroundings:
    """What an agent is told beside the trajectory; see :class:`lossagent.agents.base.View`."""

    stage_iterations: int = 1
    tolerance: Mapping[str, float] = field(default_factory=dict[str, float])
    ceiling: Mapping[str, float] = field(default_factory=dict[str, float])
    loss_facts: Mapping[str, str] = field(default_factory=dict[str, str])
    guards: frozenset[str] = frozenset()
    fixed: Mapping[int, Feedback] = field(default_factory=dict[int, Feedback])


class Steering:
    """Asks the agent, scores the states, and keeps the log.

    Args:
        agent: trajectory -> decision.
        goal: what is wanted.
        initial: the weights of the first stage, the paper's w^1.
        stages: how many stages are trained at most, rejected ones included.
        log: where events go; a log that holds some already is gone on with.
        objective: scores restored images; without one every :meth:`tell` brings its scores.
        metrics: facts of the metrics told, where there is no objective.
        bounds: what answers are projected into.
        seed: seed of the agent's draws.
        can_restart: whether the trainer can start a stage from an earlier state.
        surroundings: further things an agent is told.
        name: name of the run.
        keep: newest states that stay restorable beside S_0, the best and the last; ``None`` keeps all.
        release: deletes the checkpoint of a state that was let go.
        environment: versions and hardware, recorded at the start and at each resume.
        mailbox: where letters of people come in: answers, comments, and steering by hand.
        on_event: called after each recorded event, for progress and trackers; its errors are the caller's.
        by_calls: whether each process comes for one call: that another one comes back is then no interruption.

    Raises:
        Refused: the agent needs restarts or a utility that are not to be had; a target without facts;
            a log of another run; a constraint relative to a fixed run that is not known
            at every depth.
    """

    def __init__(
        self,
        *,
        agent: Agent,
        goal: Goal,
        initial: Weights,
        stages: int,
        log: Log | None = None,
        objective: Objective | None = None,
        metrics: Mapping[str, MetricFacts] | None = None,
        bounds: Bounds | None = None,
        seed: int = 0,
        can_restart: bool = False,
        surroundings: Surroundings | None = None,
        keep: int | None = None,
        release: Callable[[State], None] | None = None,
        name: str = "run",
        environment: Mapping[str, str | int | float | bool | None] | None = None,
        mailbox: Mailbox | None = None,
        on_event: Callable[[Trajectory], None] | None = None,
        by_calls: bool = False,
    ) -> None:
        self.surroundings = surroundings or Surroundings()
        refuse_unfit(agent, goal, stages, can_restart, self.surroundings.fixed)
        self.agent, self.goal, self.bounds, self.seed = agent, goal, bounds or Bounds(), seed
        self.objective = objective
        self.metrics = dict(objective.facts if objective is not None else metrics or {})
        refuse_unscored(goal, self.metrics, objective is not None)
        self.can_restart = can_restart
        self._keep, self._release, self._replaced = keep, release, False
        log = log if log is not None else MemoryLog()
        begun = bool(log.events)
        if begun:
            refuse_other(log, initial, stages)
        else:
            facts = dict(environment or {})
            log.append(Started(run=name, initial=initial, stages=stages, environment=facts, told=self.told))
        self.book = Book(log, on_event)
        self.people = People(self.book, mailbox, can_restart)
        if begun:
            self._resume(dict(environment or {}), by_calls)

    def _resume(self, environment: dict[str, str | int | float | bool | None], by_calls: bool) -> None:
        """Records that the run goes on, which it does past a stop that was asked for."""
        told = self.told if last_told(self.book.log.events) != self.told else None
        if by_calls:  # nobody was away, unless a call before this one ended with the stop
            if self.trajectory.stopped is None and told is None:
                return
        else:
            self.people.collect()  # before the event: a resume goes past a "stop" that nobody was there to read
        self.book.append(Resumed(environment=environment, told=told))

    @property
    def told(self) -> Told:
        """What the agent is told beside the trajectory."""
        around = self.surroundings
        return Told(
            agent=self.agent.name,
            goal=self.goal,
            bounds=self.bounds,
            metrics=self.metrics,
            seed=self.seed,
            stage_iterations=around.stage_iterations,
            tolerance=dict(around.tolerance),
            ceiling=dict(around.ceiling),
            loss_facts=dict(around.loss_facts),
            guards=tuple(sorted(around.guards)),
            fixed=dict(around.fixed),
            can_restart=self.can_restart,
        )

    @property
    def trajectory(self) -> Trajectory:
        """Every state so far."""
        return self.book.trajectory

    @property
    def weights(self) -> Weights:
        """The weights to train with now: of the stage that was asked for; the initial ones before the first.

        Raises:
            Refused: a later :func:`lossagent.steer` has taken the folder over.
        """
        if self._replaced:
            raise Refused(
                "this steering was replaced by a later steer() in the same folder: make what follows it (a "
                "WeightedSum, a Course) again, of the new one."
            )
        return (self._undone() or self.trajectory.head).weights or self.trajectory.initial

    @property
    def newest(self) -> int | None:
        """The state that the next stage goes on from; ``None`` before S_0 was told."""
        head = self.trajectory.head
        return head.id if head.feedback is not None else head.parent  # one that was killed on the way is trained again

    @property
    def pending(self) -> Stage | None:
        """What was given and is not told yet: S_0 before training, or a stage; ``None`` where :meth:`ask` decides."""
        waiting = self.trajectory.start if self.newest is None else self._undone()
        return self._stage(waiting) if waiting is not None else None

    def close(self) -> None:
        """Lets go of the run folder: another process may go on with it. Harmless a second time."""
        if isinstance(self.book.log, RunFolder):
            self.book.log.close()

    def replace(self) -> None:
        """Lets go of the run folder for another steering in this process; :attr:`weights` say so from then on."""
        self.close()
        self._replaced = True

    def __reduce__(self) -> str:
        raise Refused("a steering cannot be pickled, since it holds a run folder: save state_dict() of what uses it.")

    def __deepcopy__(self, memo: Mapping[int, object]) -> Steering:
        """Itself: a copy of a network that holds it, such as an average of weights, follows the same steering."""
        return self

    def __enter__(self) -> Steering:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the built-in loop: next, trained, scored ----------------------------------------------------------

    def next(self) -> Stage | None:
        """The next undone moment: S_0, a stage to train, a trained one to score; ``None`` when all is done.

        A decided stage is never asked for again, a trained one never trained again.

        Raises:
            Waiting: a person has paused the run.
            Interrupted: a person has stopped it.
        """
        self.people.collect()
        trajectory = self.trajectory
        for state in trajectory.states:
            if state.feedback is None:
                return self._stage(state)
        if len(trajectory.states) > trajectory.stages:
            return None
        self.people.heed()
        return self._stage(self._decide())

    def trained(self, stage: Stage, report: StageReport) -> None:
        """Records that a stage's checkpoint and restored images are on disk."""
        self.book.append(Trained(state=stage.state, report=report))

    def scored(self, stage: Stage, restored: Mapping[str, Pixels]) -> Feedback:
        """Scores a trained state and records the feedback."""
        return self._tell(stage, Answer(images=restored), StageReport()).feedback or Feedback()

    # -- ask and tell, for anyone's loop -------------------------------------------------------------------

    def ask(self, at: int | None = None) -> Stage | None:
        """The stage to train next, or ``None`` when all stages are told; then :meth:`best` is recorded as the choice.

        Args:
            at: id of the state that the caller's network is in, from its own checkpoint; the newest told one without
                it. Being behind is a recorded rewind: lost stages are given again, under the weights decided for them.

        Raises:
            Refused: S_0 has not been told, or ``at`` was never told.
            Waiting, Interrupted: a person has paused or stopped the run.
        """
        self.people.collect()
        if self.newest is None:
            raise Refused("the scores before training are missing: call tell(0, ...) first.")
        if at is not None and at != self.trajectory.head.id:
            if at not in (known := [s.id for s in self.trajectory.scored]):
                raise Refused(f"at={at} is no state that was told; told so far: {known}.")
            self.book.append(Rewound(state=at))
        if (undone := self._undone()) is not None:
            return self._stage(undone)
        if len(self.trajectory.states) > self.trajectory.stages:
            if self.trajectory.finished is None:
                self.finish(self.best().id, BEST if self.goal.has_utility else LAST)
            return None
        self.people.heed()
        return self._stage(self._decide())

    def tell(
        self,
        state: int | Stage,
        images: GivenImages | None = None,
        *,
        scores: Mapping[str, Mapping[str, float | None] | float | int | None] | None = None,
        feedback: Feedback | None = None,
        losses: Mapping[str, float | int] | None = None,
        report: StageReport | None = None,
    ) -> State:
        """Records what became of a stage; exactly one of ``images``, ``scores`` and ``feedback`` is given.

        Telling the same state twice is accepted: the first record stands and is returned, a difference is logged.

        Args:
            state: the :class:`Stage`, or its number; 0 for the network before training.
            images: the restored feedback images, scored by the objective: tensors, arrays, files or a folder, see
                :func:`lossagent.objectives.pixels_of`.
            scores: metric -> image -> score, or metric -> one score of them all.
            feedback: scores and remarks.
            losses: loss name -> its mean raw value over the stage, unweighted.
            report: losses, evidence and cost, as far as the caller knows them.

        Raises:
            Refused: an unknown state, nothing (or too much) to score by, images that cannot be used, scores that lack
                a metric, or losses that the run does not have.
            Waiting: people are asked and have not answered yet; tell the same again later.
        """
        answer = Answer(images, scores, feedback)
        told = self._tell(state, answer, reported(report, losses, self.trajectory.initial))
        if feedback is None:
            for text in oddities(told, self.trajectory.start, self.goal):
                warnings.warn(text, stacklevel=2)
        return told

    def _tell(self, state: int | Stage, answer: Answer, report: StageReport) -> State:
        number, states = state.state if isinstance(state, Stage) else state, self.trajectory.states
        if number not in range(len(states)):
            raise Refused(f"state {number!r} was never asked for; known: 0 to {len(states) - 1}.")
        known = states[number]
        began = time.perf_counter()
        if answer.images is not None:
            if self.objective is None:
                raise Refused("images were told and there is no objective to score them; tell scores.")
            pixels = pixels_of(answer.images)
            report = report.model_copy(update={"images": {n: pixels_sha256(p) for n, p in pixels.items()}})
            self.people.collect()
            feedback = self.objective(pixels, self.people.situation(known))
        else:
            feedback = answer.told
            ours = self.metrics if self.objective is not None and answer.scores is not None else {}
            refuse_incomplete(feedback, ours, "this run measures")
        refuse_incomplete(feedback, self.goal.moved, "the goal is about")
        if known.feedback is not None:
            retell(self.book, known, feedback)
            return known
        if known.report is None:
            self.book.append(Trained(state=known.id, report=report))
        self.people.close(known.id, "feedback", feedback.unanswered)
        self.book.append(Scored(state=known.id, feedback=feedback, seconds=time.perf_counter() - began))
        self._prune()
        return self.trajectory.states[known.id]

    # -- the end ------------------------------------------------------------------------------------------

    def finish(self, selected: int, rule: str) -> None:
        """Records which state was chosen, and how; said again otherwise, the last word stands.

        Raises:
            Refused: a state that was not told.
        """
        if selected not in (known := [s.id for s in self.trajectory.scored]):
            raise Refused(f"selected={selected} is no state that was told; told so far: {known}.")
        before = self.trajectory.finished
        if before is None or (before.selected, before.rule) != (selected, rule):
            self.book.append(Finished(selected=selected, rule=rule))

    def warn(self, text: str) -> None:
        """Records something that a reader of the run should know."""
        self.book.append(Warned(text=text))

    # -- inside -------------------------------------------------------------------------------------------

    def view(self, head: State) -> View:
        """What the agent sees when it is asked at a state."""
        return view_of(self.told, self.trajectory, head)

    def best(self) -> State:
        """The best scored state that is restorable, by the goal on the feedback images; the last without a utility."""
        states = [s for s in self.trajectory.scored if s.restorable]
        start = self.trajectory.start.feedback
        if not self.goal.has_utility or start is None:
            return states[-1]
        return max(states, key=self.view(states[-1]).rank)

    def _prune(self) -> None:
        """Lets go of checkpoints; S_0, the best, the last and the newest ``keep`` stay."""
        if self._keep is None or self._release is None:
            return
        for state in superfluous(self.trajectory, self.best(), self._keep):
            self.book.append(Pruned(state=state.id))  # said before it is done: a decision can no longer ask for it
            self._release(state)

    def _decide(self) -> State:
        state = len(self.trajectory.states)

        def recall(prefix: str) -> Recall:
            return self.book.recall(state, prefix)

        decision = next_decision(self.told, self.trajectory, self.agent, recall)
        self.book.append(Decided(state=state, decision=decision))
        return self.trajectory.last

    def _undone(self) -> State | None:
        """The stage that was decided and is not told; after a rewind that of the recorded path."""
        trajectory, last = self.trajectory, self.trajectory.last
        if last.feedback is None and (self.can_restart or trajectory.head.id in (last.parent, last.id)):
            return last
        again = trajectory.children(trajectory.head.id)
        return again[-1] if again else None

    def _stage(self, state: State) -> Stage:
        replicate = state.decision.replicate if state.decision is not None else 0
        return Stage(state.id, state.parent, state.depth, state.weights, replicate, state.report)
