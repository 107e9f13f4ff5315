"""What the pages ask for, over HTTP. RUN is a run's id from ``/api/runs``, never a path.

Errors are ``{"error": sentence}`` with status 400 (bad request), 401 (log in first, at ``/login``), 403 (another site's
request), 404 (no such thing), 409 (answered already), 413, 415 or 429. Numbers that are NaN or infinite are ``null``.

``GET /``, ``GET /static/FILE``
    The page and the files of the package.
``GET /login``, ``POST /login`` (form field ``password``), ``POST /logout`` (with ``X-Lossagent: 1``)
    Only where a password is set. Pages without a session are sent to ``/login``; the API answers 401.
``GET /api/session``
    ``{password: bool}``: whether there is anything to log out of.
``GET /api/runs``
    ``[{id, name, folder, agent, status, scored, stages, selected, modified, open, problem}]``, newest first.
    status: running | waiting | paused | finished | between | stopped. modified: epoch seconds. selected: state or null.
    open: unanswered tasks for people. problem: why the run cannot be read, or null.
``GET /api/run/RUN``
    ``{id, name, folder, status, revision, changed: true, agent, goal: {targets: [{metric, direction, importance,
    unit}], constraints: [{metric, at_least, at_most, relative_to, unit}], wish, proxy: [like targets]},
    losses: [name], anchor, metrics: {name: {direction, low, high, unit, role: target|constraint|guard, implementation,
    version, needs_reference, tolerance}}, initial: {loss: w}, bounds: {low, high, per_loss: {loss: [low, high]}, trust,
    frozen: [loss], switch}, states: [STATE], head, selected, rule, images: [name], references: bool, inputs: bool,
    conditions: {image: condition}, requests: [{author, text, pending}], paused: bool, waiting: sentence|null,
    deadline: epoch seconds|null, open, warnings: [the last 20], panel: {comparisons, ratings, comments, raters: [name],
    consistency: {repeated, agreed}|null, strengths: {side: {value, low, high}}}, stages, seed, modified}``
    direction, unit, low, high and implementation are null where no facts are recorded (yet). goal of a run without
    one: no targets, no constraints, wish null. rule: how ``selected`` was chosen, in words. requests: what people asked
    for that no decision has followed yet; pending: in a letter that the run has not opened.
    modified also moves with the loss log, which alone changes no revision.
    STATE: ``{id, name, parent, depth, weights: {loss: w}|null, off: [loss], scores: {metric: mean|null},
    noise: {metric: [low, high]|null}, change: {metric: mean change against the parent|null}, beyond: {metric:
    bool|null}, raw: {loss: v}, means: {loss: v}, shares: {loss: 0..1}, author, adjusted_by: [word], restorable,
    trained: bool, scored: bool, judged, alarm: [sentence], problems: {name: why}, unanswered: bool, thoughts (the first
    300 characters), remarks: number of them, iterations, seconds, time: epoch seconds of its last event}``
    weights of S_0: null. off losses have weight 0. noise: the 95 % interval of ``change``, null where it cannot be
    estimated; beyond: whether the change is more than noise. raw: unweighted losses at the end of the stage, of losses
    that are off too; means: over the stage, of those that were on. shares: of the gradient, each 0..1.
``GET /api/run/RUN/changes?revision=R``
    The same object with ``states`` new or changed since R alone, and ``changed: false`` where nothing is. R is an
    opaque string; one from before a restart, or of a run that was begun anew, gives every state and ``reset: true``:
    drop the states you had.
``GET /api/run/RUN/decision/K``
    The decision that state K was trained under: ``{state, author, proposed: {loss: w}, weights: {loss: w}, off,
    restart_from, replicate, thoughts, adjusted_by, judged, asked, failed, exchanges: [{key, author, image, messages:
    [{role, content}], raw, problem, weights: {loss: w}|null, thoughts, finish, tokens, seconds}], remarks: [{author,
    image, text}], scores: {metric: {image: score|null}}, what_if: [{loss, factor, weights: {loss: w}, shares: {loss:
    0..1}, gradient}], before: {state, weights: {loss: w}, shares}}``
    remarks: what was said of the state that it starts from, which is what its author had read; scores: the scores of
    state K, image by image. what_if: what one weight times factor 0.25, 0.5, 2 or 4 would have done there (``before``);
    gradient: relative change of the norm of the composite gradient, 0.1 for +10 %, null where it cannot be told.
    A loss that is off is switched on by it, at its former size times the factor.
``GET /api/run/RUN/what-if/K``
    ``{state, weights, shares, what_if}`` at state K itself, under its own weights: for choosing the next ones.
``GET /api/run/RUN/state/K``
    ``{state, scores: {metric: {image: score|null}}, remarks: [{author, image, text}], problems: {name: why}}``
``GET /api/run/RUN/losses?state=K&points=400``
    ``{state: [...], iteration: [...], raw: {loss: [...]}, discriminator: {name: [...]}, total: [...], lr: [...]}``, at
    most ``points`` (10 to 2000) long, means over neighbours. Without ``state`` the whole log in the order of training;
    ``iteration`` counts within a state.
``GET /api/run/RUN/pareto?x=METRIC&y=METRIC``
    ``{x, y, directions: {x, y}, points: [{state, x, y, front: bool}]}``; front: no state is as good in one and better
    in the other. Without x and y: the first target and the next metric.
``GET /api/run/RUN/image/SIDE/NAME.png``
    SIDE: state-0003, input or reference. 404 where there is none.
``GET /api/run/RUN/tasks?rater=NAME``
    ``[{id, kind: pair|rating|comment, image, purpose: feedback|final, question: sentence}]`` still open for that rater,
    in order. Ids are opaque and end with this process: on 404 ask for the tasks again.
``GET /api/run/RUN/task/TOKEN/left.png``, ``right.png``
    Its pictures; rating and comment tasks have ``left.png`` alone.
``POST /api/run/RUN/letters``
    A letter as JSON, at most 64 kB, with ``X-Lossagent: 1`` and ``Content-Type: application/json``; ``{letter: id}``.
    Letters: ``{kind: judgement, task: TOKEN, rater, verdict: left|right|tie, rating: 1..5, comment}`` (a pair needs
    verdict, a rating needs rating, a comment needs comment), ``{kind: comment, rater, state, image: NAME|null, text}``,
    ``{kind: weights, author, weights: {loss: w >= 0}}`` (every loss; 0 is off), ``{kind: undo, author, state}``,
    ``{kind: pause|go-on|stop, author}``. The run reads them at its next stage boundary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lossagent.dashboard.auth import Gate
from lossagent.dashboard.decisions import decision_of, details_of, what_if_at
from lossagent.dashboard.errors import NoSuch
from lossagent.dashboard.finding import Runs
from lossagent.dashboard.live import LiveRun
from lossagent.dashboard.people import open_for
from lossagent.dashboard.pictures import blind, picture
from lossagent.dashboard.posting import post
from lossagent.dashboard.states import Plain, finite
from lossagent.dashboard.tokens import Place, Tokens
from lossagent.errors import Refused
from lossagent.feedback import Direction
from lossagent.pareto import front
from lossagent.preferences import wording

FEWEST_POINTS, MOST_POINTS, POINTS = 10, 2000, 400
RATER = 80
"""Characters of a rater's name."""


def answer(value: object, status: int = 200) -> Response:
    """JSON; a number that it has no word for is ``null``."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    return Response(text, status, media_type="application/json")


def _finite(value: Any) -> Any:  # noqa: ANN401  (plain JSON data)
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


class Api:
    """The answers.

    Args:
        runs: what is shown.
        gate: whether there is a password.
    """

    def __init__(self, runs: Runs, gate: Gate) -> None:
        self.runs, self.gate, self.tokens = runs, gate, Tokens()

    @property
    def routes(self) -> list[Route]:
        """Paths and what answers them; all but letters are answered in threads of their own."""
        ways: dict[str, Callable[[Request], Response]] = {
            "": self.run,
            "/changes": self.changes,
            "/decision/{state}": self.decision,
            "/what-if/{state}": self.what_if,
            "/state/{state}": self.state,
            "/losses": self.losses,
            "/pareto": self.pareto,
            "/image/{side}/{image}.png": self.image,
            "/tasks": self.tasks,
            "/task/{token}/{which}.png": self.task,
        }
        return [
            Route("/api/session", self.session),
            Route("/api/runs", self.all),
            *(Route(f"/api/run/{{run}}{way}", endpoint) for way, endpoint in ways.items()),
            Route("/api/run/{run}/letters", self.letters, methods=["POST"]),
        ]

    def session(self, request: Request) -> Response:
        """``/api/session``"""
        del request
        return answer({"password": self.gate.closed})

    def all(self, request: Request) -> Response:
        """``/api/runs``"""
        del request
        return answer(self.runs.all())

    def run(self, request: Request) -> Response:
        """``/api/run/RUN``"""
        return answer(self._run(request).summary())

    def changes(self, request: Request) -> Response:
        """``/api/run/RUN/changes``"""
        return answer(self._run(request).changes(request.query_params.get("revision", "")))

    def decision(self, request: Request) -> Response:
        """``/api/run/RUN/decision/K``"""
        run = self._run(request)
        return answer(decision_of(run.path, run.look(), _number(request.path_params["state"])))

    def what_if(self, request: Request) -> Response:
        """``/api/run/RUN/what-if/K``"""
        return answer(what_if_at(self._run(request).look(), _number(request.path_params["state"])))

    def state(self, request: Request) -> Response:
        """``/api/run/RUN/state/K``"""
        return answer(details_of(self._run(request).look(), _number(request.path_params["state"])))

    def losses(self, request: Request) -> Response:
        """``/api/run/RUN/losses``"""
        asked = request.query_params
        state = _number(asked["state"]) if asked.get("state") else None
        points = _number(asked.get("points") or str(POINTS), "points")
        return answer(self._run(request).curves.points(state, min(max(points, FEWEST_POINTS), MOST_POINTS)))

    def pareto(self, request: Request) -> Response:
        """``/api/run/RUN/pareto``"""
        run = self._run(request)
        return answer(pareto_of(run, request.query_params.get("x"), request.query_params.get("y")))

    def image(self, request: Request) -> Response:
        """``/api/run/RUN/image/SIDE/NAME.png``"""
        content, mark = picture(self._run(request).path, request.path_params["side"], request.path_params["image"])
        headers = {"cache-control": "private, no-cache", "etag": f'"{mark}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="image/png", headers=headers)

    def tasks(self, request: Request) -> Response:
        """``/api/run/RUN/tasks``"""
        run, rater = self._run(request), request.query_params.get("rater", "")
        if not rater.strip() or len(rater) > RATER:
            raise Refused(f"rater must be a name of 1 to {RATER} characters; found {len(rater)}.")
        own = str(run.settings.people.get("question") or "")
        return answer(
            [
                {
                    "id": self.tokens.of(Place(run.id, task.id, rater)),
                    "kind": task.kind,
                    "image": task.image,
                    "purpose": question.purpose,
                    "question": wording(task.kind, own),
                }
                for question, task in open_for(run.look().panel, run.pending(), rater)
            ]
        )

    def task(self, request: Request) -> Response:
        """``/api/run/RUN/task/TOKEN/left.png``"""
        run, which = self._run(request), request.path_params["which"]
        place = self.tokens.place(run.id, request.path_params["token"])
        task = run.look().panel.tasks.get(place.task)
        side = {"left": task.left, "right": task.right}.get(which) if task is not None else None
        if task is None or side is None:
            raise NoSuch("there is no such picture (any more): ask for the tasks again.")
        content, _ = picture(run.path, side, task.image)
        return Response(blind(content), media_type="image/png")

    async def letters(self, request: Request) -> Response:
        """``/api/run/RUN/letters``"""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return answer({"error": "a letter is JSON: Content-Type must be application/json."}, 415)
        body = await request.body()
        try:
            value = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise Refused("that is no JSON.") from None
        return answer({"letter": await run_in_threadpool(self._post, request, value)})

    def _post(self, request: Request, value: object) -> str:
        return post(self._run(request), self.tokens, value)

    def _run(self, request: Request) -> LiveRun:
        return self.runs.run(request.path_params["run"])


def pareto_of(run: LiveRun, x: str | None, y: str | None) -> Plain:
    """Scored states in two metrics, and which are on the front.

    Raises:
        Refused: an unknown metric, or one whose direction is not known.
    """
    trajectory, metrics = run.look(), run.metrics()
    usual = [name for name, facts in metrics.items() if facts["direction"] is not None]
    x = x or next(iter(usual), "")
    y = y or next((name for name in usual if name != x), "")
    directions: list[Direction] = []
    for name in (x, y):
        if name not in metrics:
            raise Refused(f"there is no metric {name[:80]!r}; known: {', '.join(metrics) or 'none'}.")
        if metrics[name]["direction"] is None:
            raise Refused(f"whether lower or higher is better in {name!r} is not recorded (yet).")
        directions.append(metrics[name]["direction"])
    rows = [
        (s.id, (finite(s.feedback.mean(x)), finite(s.feedback.mean(y))))
        for s in trajectory.states
        if s.feedback is not None
    ]
    rows = [(i, point) for i, point in rows if None not in point]
    best = front([point for _, point in rows], directions)
    points = [{"state": i, "x": p[0], "y": p[1], "front": f} for (i, p), f in zip(rows, best, strict=True)]
    return {"x": x, "y": y, "directions": dict(zip("xy", directions, strict=True)), "points": points}


def _number(text: str, what: str = "state") -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Refused(f"{what} must be a number; found {text[:20]!r}.")
    return int(text)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
