"""``lossagent steer``."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer
import yaml

from lossagent.commands.given import given
from lossagent.errors import Refused, UnknownName
from lossagent.feedback import Feedback
from lossagent.loops import read_settings, steer
from lossagent.loops.settings import ELSEWHERE
from lossagent.objectives.base import Pixels
from lossagent.objectives.given import pixels_of, pixels_sha256
from lossagent.records import Stage, StageReport
from lossagent.steering import Steering
from lossagent.steering.telling import feedback_of

Scores = Mapping[str, Mapping[str, float | int | None] | float | int | None]
Answer = dict[str, Any]


def steer_command(
    folder: Annotated[Path, typer.Option(help="Run folder; made by the first call.")],
    losses: Annotated[
        str | None, typer.Option(help="Weights of the first stage: l1=1,perceptual=0.1,gan=0.01.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="What is wanted, in short: niqe, or several: niqe,psnr_y.")] = None,
    state: Annotated[
        int | None, typer.Option(help="The state that training is in; with it a call may be repeated at any time.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of images that the network in that state restored.")
    ] = None,
    scores: Annotated[
        str | None,
        typer.Option(help='Scores of that state, computed elsewhere: {"niqe": 5.2} in a JSON file, or - for stdin.'),
    ] = None,
    raw: Annotated[str | None, typer.Option(help="Mean raw losses of the stage, unweighted: l1=0.03,gan=0.7.")] = None,
    iterations: Annotated[int | None, typer.Option(min=0, help="Optimizer steps that the stage took.")] = None,
    references: Annotated[Path | None, typer.Option(help="Folder of originals, for metrics that compare.")] = None,
    stages: Annotated[int | None, typer.Option(help="How many stages are trained at most; 10 if not said.")] = None,
    agent: Annotated[
        str | None, typer.Option(help="Who decides: a kind such as random, YAML such as '{kind: random}', or a file.")
    ] = None,
    chat: Annotated[str | None, typer.Option(help="Language model of an agent that asks one: as for --agent.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the agent's draws; 0 if not said.")] = None,
    can_restart: Annotated[
        bool, typer.Option("--can-restart", help="Every state was kept: a stage may start from an earlier one.")
    ] = False,
    config: Annotated[
        str | None, typer.Option(help="Further settings (goal, guards, bounds, people, ...): YAML, or a file of it.")
    ] = None,
    form: Annotated[Literal["json", "shell"], typer.Option("--format", help="One JSON object, or lines for eval.")] = (
        "json"
    ),
) -> None:
    """Steers a trainer of any language: one call a stage tells what became of it and answers the next weights.

    State 0 is the network before training. A call without images and scores answers what is to be trained now.

    Example: lossagent steer --losses l1=1,gan=0.01 --metric niqe --folder run --state 0 --images restored
    """
    named = _named(losses, metric, references, stages, agent, chat, seed, can_restart, config)
    with contextlib.redirect_stdout(sys.stderr):  # a metric may print: the answer stands alone
        told = _told(images, scores, raw, iterations)
        known = read_settings(folder)
        _refuse_early(known.losses if known else named.get("losses"), known is None, state, told, form)
        if known is None:
            named = {"by_calls": True, **({"score": ELSEWHERE} if scores is not None else {}), **named}
        with steer(folder, settings=named) as steering:
            answer = _answer(steering, state, told)
    typer.echo(json.dumps(answer) if form == "json" else "\n".join(shell_lines(answer)))


def _named(
    losses: str | None,
    metric: str | None,
    references: Path | None,
    stages: int | None,
    agent: str | None,
    chat: str | None,
    seed: int | None,
    can_restart: bool,
    config: str | None,
) -> dict[str, Any]:
    """The settings that the call names; what an option says stands above the file."""
    named = _config(config) if config is not None else {}
    if metric is not None:
        if "goal" in named:
            raise Refused("--metric says in short what goal in --config says; give one of them.")
        named["goal"] = {"targets": [{"metric": name.strip()} for name in metric.split(",")]}
    said = {
        "losses": _numbers(losses, "--losses") if losses is not None else None,
        "references": str(references) if references is not None else None,
        "stages": stages,
        "agent": given(agent, "agent") if agent is not None else None,
        "chat": given(chat, "chat") if chat is not None else None,
        "seed": seed,
        "can_restart": can_restart or None,
    }
    return named | {key: value for key, value in said.items() if value is not None}


def _config(text: str) -> dict[str, Any]:
    file = Path(text)
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8") if file.is_file() else text)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise Refused(f"--config {text!r} is neither YAML nor a file of settings: {error}") from error
    if not isinstance(data, dict):
        raise Refused(f"--config must be a file of settings, or YAML such as '{{guards: [psnr_y]}}'; found {text!r}.")
    return {str(key): value for key, value in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _numbers(text: str, option: str) -> dict[str, float]:
    """``l1=1,gan=0.01`` as a mapping."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, separator, value = (piece.strip() for piece in part.partition("="))
        try:
            number = float(value)
        except ValueError:
            number = None
        if not separator or not name or number is None:
            raise Refused(f"{option} must be NAME=NUMBER,NAME=NUMBER,...; found {part!r} in {text!r}.")
        if name in found:
            raise Refused(f"{option} names {name!r} twice: {text!r}.")
        found[name] = number
    return found


class _Told:
    """What a call says of a state.

    Attributes:
        images: the restored images.
        feedback: its scores.
        losses: mean raw losses.
        report: what it took.
    """

    def __init__(
        self,
        images: Mapping[str, Pixels] | None,
        feedback: Feedback | None,
        losses: Mapping[str, float] | None,
        report: StageReport,
    ) -> None:
        self.images, self.feedback, self.losses, self.report = images, feedback, losses, report

    @property
    def content(self) -> object:
        """What two tellings of one state have in common."""
        if self.images is not None:
            return {name: pixels_sha256(pixels) for name, pixels in self.images.items()}
        return _plain(self.feedback or Feedback())


def _told(images: Path | None, scores: str | None, raw: str | None, iterations: int | None) -> _Told | None:
    if images is not None and scores is not None:
        raise Refused("--images and --scores say the same of a state; give one of them.")
    if images is None and scores is None:
        if raw is not None or iterations is not None:
            raise Refused("--raw and --iterations go with --images or --scores: they are about the state that is told.")
        return None
    return _Told(
        pixels_of(images) if images is not None else None,
        _scores(scores) if scores is not None else None,
        _numbers(raw, "--raw") if raw is not None else None,
        StageReport(iterations=iterations or 0),
    )


def _scores(source: str) -> Feedback:
    """Scores from a JSON file, or from the standard input."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        data: object = json.loads(text)
    except OSError as error:
        raise Refused(f"--scores {source} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Refused(f"--scores {source} is no JSON: {error}.") from error
    return feedback_of(data, f"--scores {source}")


def _refuse_early(losses: object, new: bool, state: int | None, told: _Told | None, form: str) -> None:
    """Refuses what can be refused before a folder is made or a state is told.

    Args:
        losses: their names, as keys; anything else is complained of where settings are read.
        new: whether the folder holds no run yet.
        state: which one is named.
        told: what is said of it.
        form: of the answer.
    """
    if new and state not in (None, 0):
        raise Refused(f"--state {state}: the folder holds no run yet, and state 0, before training, comes first.")
    if not isinstance(losses, Mapping):
        return
    names = [str(name) for name in cast("Mapping[object, object]", losses)]
    if form == "shell":
        shell_names(names)
    for name in (told.losses if told is not None else None) or ():
        if name not in names:
            raise UnknownName("loss of --raw", name, names)


def _answer(steering: Steering, state: int | None, told: _Told | None) -> Answer:
    """Tells what there is to tell, and asks."""
    if told is not None:
        state = _pending(steering, told) if state is None else state
        _tell(steering, state, told)
    elif state not in (None, steering.newest or 0):
        return _next(steering, steering.ask(state))  # training went back to it
    start = steering.pending
    return _next(steering, start if start is not None and start.state == 0 else steering.ask())


def _pending(steering: Steering, told: _Told) -> int:
    """The state that is told where none is named.

    Raises:
        Refused: nothing is pending, or the same was told before: a repeated call would count as the next stage.
    """
    pending, trajectory = steering.pending, steering.trajectory
    for known in trajectory.scored:
        assert known.feedback is not None
        images = known.report.images if known.report is not None else {}
        before = images if told.images is not None else _plain(known.feedback)
        if before == told.content and (pending is None or known.id != pending.state):
            raise Refused(
                f"state {known.id} was told with exactly these {'images' if told.images is not None else 'scores'}. "
                f"If this call repeats that one, add --state {known.id}"
                + (f"; if they are of state {pending.state}, add --state {pending.state}." if pending else ".")
            )
    if pending is None:
        raise Refused("no stage is pending: call without --images and --scores for the next one, or name the --state.")
    return pending.state


def _plain(feedback: Feedback) -> str:
    """Scores as text: a NaN told twice is the same."""
    return json.dumps(feedback.scores, sort_keys=True)


def _tell(steering: Steering, state: int, told: _Told) -> None:
    known = steering.trajectory.states[state : state + 1]
    before = bool(known) and known[0].feedback is not None
    scores = told.feedback.scores if told.feedback is not None else None
    steering.tell(state, told.images, scores=scores, losses=told.losses, report=told.report)
    if before:
        typer.echo(f"State {state} was told before: its first record stands.", err=True)


def _next(steering: Steering, stage: Stage | None) -> Answer:
    trajectory = steering.trajectory
    if stage is None:
        finished = trajectory.finished
        assert finished is not None, "asking for a stage when all are told records the choice"
        return {"done": True, "state": trajectory.head_id, "of": trajectory.stages, "best": finished.selected}
    return {
        "done": False,
        "state": stage.state,
        "stage": stage.state,
        "of": trajectory.stages,
        "start_from": stage.parent,
        "weights": (stage.weights or trajectory.initial).values(),
    }


def shell_lines(answer: Mapping[str, Any]) -> list[str]:
    """An answer as assignments: ``state=3``, ``weights=l1=1.0,gan=0.01``, ``weight_l1=1.0``, ...

    Raises:
        Refused: two losses become one name.
    """
    keys = ("done", "state", "stage", "of", "start_from", "best")
    lines = [f"{key}={_word(answer.get(key))}" for key in keys]
    weights = cast("dict[str, float]", answer.get("weights", {}))
    lines.append(f"weights={shlex.quote(','.join(f'{name}={weight!r}' for name, weight in weights.items()))}")
    return [*lines, *(f"{name}={weights[loss]!r}" for loss, name in shell_names(weights).items())]


def shell_names(losses: Iterable[str]) -> dict[str, str]:
    """Loss name -> the shell variable of its weight.

    Raises:
        Refused: two losses become one variable.
    """
    names = {name: "weight_" + re.sub(r"\W", "_", name) for name in losses}
    if len(set(names.values())) < len(names):
        raise Refused(f"the losses {', '.join(names)} are not told apart as names of a shell; take --format json.")
    return names


def _word(value: bool | int | None) -> str:
    return "" if value is None else str(value).lower()
