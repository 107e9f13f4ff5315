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
    status: running | waiting | paused | finished | stopped. modified: epoch seconds. selected: state or null.
    open: unanswered tasks for people. problem: why the run cannot be read, or null.
``GET /api/run/RUN``
    ``{id, name, folder, status, revision, changed: true, agent, goal: {targets: [{metric, direction, importance, unit}],
    constraints: [{metric, at_least, at_most, relative_to}], wish}, losses: [name], anchor, metrics: {name: {direction,
    low, high, unit, role: target|constraint|guard, implementation, version, needs_reference, tolerance}}, initial:
    {loss: w}, bounds: {low, high, per_loss: {loss: [low, high]}, trust, frozen: [loss], switch}, states: [STATE], head,
    selected, rule, images: [name], references: bool, inputs: bool, conditions: {image: condition}, requests: [{author,
    text}], paused: bool, waiting: sentence|null, deadline: epoch seconds|null, open, warnings: [the last 20], panel:
    {comparisons, ratings, comments, raters, consistency: {repeated, agreed}|null}, stages, seed, modified}``
    direction, unit, low, high and implementation are null where no facts are recorded (yet). goal of a run without
    one: no targets, no constraints, wish null. rule: how ``selected`` was chosen, in words. requests: what people asked
    for that no decision has followed yet, letters that the run has not opened included.
    STATE: ``{id, name, parent, depth, weights: {loss: w}|null, off: [loss], scores: {metric: mean|null},
    noise: {metric: [low, high]|null}, change: {metric: mean change against the parent|null}, beyond: {metric:
    bool|null}, raw: {loss: v}, means: {loss: v}, shares: {loss: 0..1}, author, adjusted_by: [word], restorable,
    trained: bool, scored: bool, judged, alarm: [sentence], problems: {name: why}, unanswered: bool, thoughts (the first
    300 characters), remarks: number of them, iterations, seconds, time: epoch seconds of its last event}``
    weights of S_0: null. off losses have weight 0. noise: the 95 % interval of ``change``, null where it cannot be
    estimated; beyond: whether the change is more than noise. raw: unweighted losses at the end of the stage, of losses
    that are off too; means: over the stage, of those that were on. shares: of the gradient, each 0..1.
``GET /api/run/RUN/changes?revision=R``
    The same object with ``states`` new or changed since R alone, and ``changed: false`` where nothing is. R is an opaque
    string; one from before a restart, or of a run that was begun anew, gives every state and ``reset: true``: drop
    the states you had.
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
    ``[{id, kind: pair|rating|comment, image, purpose: feedback|final}]`` still open for that rater, in order. Ids are
    opaque and end with this process: on 404 ask for the tasks again.
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
