"""The trajectory {S_0 .. S_i}: a tree of states, folded from the event log; the paper's is a path of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lossagent.events import (
    AnyEvent,
    Asked,
    Closed,
    Commented,
    Decided,
    Finished,
    Ignored,
    Pruned,
    Rated,
    Requested,
    Resumed,
    Retold,
    Rewound,
    Scored,
    Started,
    Trained,
)
from lossagent.feedback import POOLED, Remark
from lossagent.judgements import PREFERENCE, Judgement, Panel, Question, refold, side_of
from lossagent.preferences import comparisons_of, values
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
        panel: what people were asked and said. The strengths that follow from their comparisons are each state's
            score ``preference``, computed anew whenever there are more of them.
        requests: steering by hand that the next decision has to heed, in order.
        paused: the request that holds the run at the next stage boundary.
        stopped: the request that ends it there.
        letters: ids of the letters that were read.
    """

    states: tuple[State, ...]
    initial: Weights
    stages: int
    head_id: int = 0
    finished: Finished | None = None
    panel: Panel = field(default_factory=Panel)
    requests: tuple[Requested, ...] = ()
    paused: Requested | None = None
    stopped: Requested | None = None
    letters: frozenset[str] = frozenset()

    @classmethod
    def fold(cls, events: Iterable[AnyEvent]) -> Trajectory:
        """The trajectory that a log of events describes."""
        states: dict[int, State] = {0: State(id=0, parent=None, depth=0)}
        initial: Weights | None = None
        stages, head, finished = 0, 0, None
        people, hands = _People(), _Hands()
        for event in events:
            people.hear(event)
            hands.hear(event)
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
                    head, finished = i, None  # it goes over what it had done: the choice is made again
                case Finished():
                    finished = event
                case _:
                    pass
        if initial is None:
            raise ValueError("an event log begins with a 'started' event; found none")
        panel = Panel(tuple(people.questions), tuple(people.judgements))
        return cls(
            states=people.judged(panel, tuple(states[i] for i in sorted(states))),
            initial=initial,
            stages=stages,
            head_id=head,
            finished=finished,
            panel=panel,
            requests=tuple(hands.requests),
            paused=hands.paused,
            stopped=hands.stopped,
            letters=frozenset(hands.letters),
        )

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


@dataclass
class _People:
    """What people were asked and said, as far as a log was read."""

    questions: list[Question] = field(default_factory=list[Question])
    judgements: list[Judgement] = field(default_factory=list[Judgement])
    remarks: dict[int, list[Remark]] = field(default_factory=dict[int, list[Remark]])

    def hear(self, event: AnyEvent) -> None:
        match event:
            case Asked():
                self.questions.append(Question(event.state, event.purpose, event.tasks, event.deadline))
            case Rated(judgement=judgement):
                self.judgements.append(judgement)
            case Commented(state=i, remark=remark):
                self.remarks.setdefault(i, []).append(remark)
            case Closed():
                self.questions = refold(self.questions, event.state, event.purpose, event.unanswered)
            case _:
                pass

    def judged(self, panel: Panel, states: tuple[State, ...]) -> tuple[State, ...]:
        """The states with remarks that came later, and with the strengths that follow from all comparisons."""
        found = comparisons_of(panel.tasks, panel.judgements)
        known = values(found, side_of(0)) if found else {}
        return tuple(self._added(state, known.get(side_of(state.id))) for state in states)

    def _added(self, state: State, strength: float | None) -> State:
        if state.feedback is None or (strength is None and state.id not in self.remarks):
            return state
        update: dict[str, object] = {}
        if strength is not None:
            update["scores"] = {**state.feedback.scores, PREFERENCE: {POOLED: strength}}
        if state.id in self.remarks:
            update["remarks"] = (*state.feedback.remarks, *self.remarks[state.id])
        return state.model_copy(update={"feedback": state.feedback.model_copy(update=update)})


@dataclass
class _Hands:
    """Steering by hand, as far as a log was read."""

    requests: list[Requested] = field(default_factory=list[Requested])
    paused: Requested | None = None
    stopped: Requested | None = None
    letters: set[str] = field(default_factory=set[str])

    def hear(self, event: AnyEvent) -> None:
        match event:
            case Rated(judgement=judgement):
                self.letters.add(judgement.letter)
            case Commented(letter=letter) | Ignored(letter=letter):
                self.letters.add(letter)
            case Decided():
                self.requests = []
            case Resumed():
                self.stopped = None
            case Requested(request=request):
                self.letters.add(event.letter)
                match request.kind:
                    case "pause":
                        self.paused = event
                    case "go-on":
                        self.paused = None
                    case "stop":
                        self.stopped = event
                    case _:
                        self.requests.append(event)
            case _:
                pass
