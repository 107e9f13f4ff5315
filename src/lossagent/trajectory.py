"""The trajectory {S_0 .. S_i}: a tree of states, folded from the event log; the paper's is a path of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lossagent.events import AnyEvent, Decided, Finished, Pruned, Retold, Rewound, Scored, Started, Trained
from lossagent.records import State
from lossagent.weights import Weights


@dataclass(frozen=True)
class Trajectory:
    """A tree of states: a pure fold of the event log.

    Attributes:
        states: in the order of decisions; ``states[0]`` is S_0.
        initial: the weights of the first stage, the paper's w^1.
        stages: how many stages were asked for.
        head: id of the state that comes next unless an agent restarts elsewhere.
        finished: the last event, if the run is over.
    """

    states: tuple[State, ...]
    initial: Weights
    stages: int
    head_id: int = 0
    finished: Finished | None = None

    @classmethod
    def fold(cls, events: Iterable[AnyEvent]) -> Trajectory:
        """The trajectory that a log of events describes."""
        states: dict[int, State] = {0: State(id=0, parent=None, depth=0)}
        initial: Weights | None = None
        stages, head, finished = 0, 0, None
        for event in events:
            match event:
                case Started():
                    initial, stages = event.initial, event.stages
                case Decided(state=i, decision=decision):
                    parent = states[decision.restart_from]
                    states[i] = State(id=i, parent=parent.id, depth=parent.depth + 1, decision=decision)
                case Trained(state=i, report=report):
                    states[i] = states[i].model_copy(update={"report": report})
                    head = i
                case Scored(state=i, feedback=feedback, seconds=seconds):
                    states[i] = states[i].model_copy(update={"feedback": feedback, "score_seconds": seconds})
                case Pruned(state=i):
                    states[i] = states[i].model_copy(update={"restorable": False})
                case Rewound(state=i) | Retold(state=i):
                    head = i
                case Finished():
                    finished = event
                case _:
                    pass
        if initial is None:
            raise ValueError("an event log begins with a 'started' event; found none")
        return cls(tuple(states[i] for i in sorted(states)), initial, stages, head, finished)

    @property
    def start(self) -> State:
        """S_0."""
        return self.states[0]

    @property
    def head(self) -> State:
        """The state that training last reached (or was rewound to)."""
        return self.states[self.head_id]

    @property
    def last(self) -> State:
        """The newest state."""
        return self.states[-1]

    @property
    def scored(self) -> tuple[State, ...]:
        """States with feedback."""
        return tuple(s for s in self.states if s.feedback is not None)

    @property
    def iterations(self) -> int:
        """Optimizer steps spent, rejected stages included."""
        return sum(s.report.iterations for s in self.states if s.report is not None)

    def path(self, state: int) -> tuple[State, ...]:
        """S_0 .. the state, through its ancestors."""
        path = [self.states[state]]
        while (parent := path[-1].parent) is not None:
            path.append(self.states[parent])
        return tuple(reversed(path))

    def children(self, state: int) -> tuple[State, ...]:
        """States trained from a state."""
        return tuple(s for s in self.states if s.parent == state)

    def weights_at(self, state: int) -> Weights:
        """The weights under which a state was reached; the initial ones for S_0."""
        return self.states[state].weights or self.initial
