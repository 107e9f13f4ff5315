"""Bad input about feedback: one clear message that names the key, exit status 2, and nothing is written."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from command_line import Outcome, command, written
from tiny import experiment

Data = dict[str, Any]

SCRIPTS = {"fails.sh": "echo no such model >&2; exit 1", "words.sh": "echo hello", "short.sh": "echo '[]'"}
FUNCTIONS = """
def good(image): return float(image.mean())
def two(image, reference): return 1.0
def nothing(image): pass
def nan(image): return float("nan")
def boom(image): return 1 / 0
def rows(image): return image.mean(axis=0)
number = 3
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, functions and executables, good and bad."""
    place = tmp_path_factory.mktemp("feedback")
    experiment(place)
    (place / "m.py").write_text(FUNCTIONS, encoding="utf-8")
    (place / "syntax.py").write_text("def x(:\n", encoding="utf-8")
    (place / "exits.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    for name, line in SCRIPTS.items():
        (place / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (place / name).chmod(0o755)
    (place / "noexec.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (place / "notes").mkdir()
    (place / "empty").write_text("\n", encoding="utf-8")
    return place


@pytest.fixture(autouse=True)
def _here(root: Path, monkeypatch: pytest.MonkeyPatch, no_assets: None) -> None:
    monkeypatch.chdir(root)


def listing(root: Path) -> set[Path]:
    return {p for p in root.rglob("*") if "__pycache__" not in p.parts}


def assert_refused(outcome: Outcome, *parts: str) -> None:
    assert outcome.status == 2, outcome
    assert "Traceback" not in outcome.err
    for part in parts:
        assert part in outcome.err


def assert_experiment_refused(root: Path, change: Data, *parts: str) -> None:
    """A run and its rehearsal are refused alike."""
    file = written(experiment(root, **change), root)
    before = listing(root)
    for words in (("--out", root / "run"), ("--dry-run",)):
        assert_refused(command("run", file, *words), *parts)
    assert listing(root) == before, "a refused run writes nothing"


def without(data: Data, key: str) -> Data:
    mine = {k: v for k, v in data["metrics"]["mine"].items() if k != key}
    return data | {"metrics": {"mine": mine}}


def function(**change: Any) -> Data:
    mine = {"kind": "python", "file": "m.py", "function": "good", "direction": "higher", "unit": 1.0}
    return {"metrics": {"mine": mine | change}, "guards": ["mine"]}


def program(*words: str, **change: Any) -> Data:
    mine = {"kind": "command", "command": list(words), "direction": "higher", "unit": 1.0}
    return {"metrics": {"mine": mine | change}, "guards": ["mine"]}


def foreign(**change: Any) -> Data:
    return {"metrics": {"mine": {"kind": "pyiqa", "name": "clipiqa"} | change}, "guards": ["mine"]}


# -- metrics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (function(kind="pythn"), ("metrics.mine: kind must be one of", "'command'", "found 'pythn'")),
        ({"metrics": {"mine": {"file": "m.py"}}}, ("metrics.mine: kind is required", "'python'", "only file")),
        ({"metrics": ["a"]}, ("metrics: must be a mapping of names", "['a']")),
        ({"metrics": {"mine": "m.py:good"}}, ("metrics.mine: must be a mapping of keys", "'m.py:good'")),
        ({"metrics": {"niqe": function()["metrics"]["mine"]}}, ("metrics", "'niqe' is taken")),
        ({"metrics": {"rating": function()["metrics"]["mine"]}}, ("metrics", "'rating' is taken")),
        ({"metrics": {"my metric": function()["metrics"]["mine"]}}, ("metrics.my metric: a name must match",)),
        (function(file="gone.py"), ("metrics.mine", "gone.py cannot be read", "No such file")),
        (function(file="notes"), ("metrics.mine", "notes cannot be read", "Is a directory")),
        (function(file="syntax.py"), ("metrics.mine", "SyntaxError", "line 1")),
        (function(file="exits.py"), ("metrics.mine", "SystemExit", "line 1")),
        (function(function="god"), ("metrics.mine", "no function 'god'", "It has: boom, good, nan")),
        (function(function="number"), ("metrics.mine", "must be a function; found int")),
        (function(function="two"), ("metrics.mine", "must take (image)", "reference: true")),
        (function(reference=True), ("metrics.mine", "must take (image, reference)", "found (image)")),
        (function(function="nan"), ("metric mine: gave NaN", "tried on the image 'p1-0'")),
        (function(function="boom"), ("metric mine", "ZeroDivisionError", "m.py, line 6")),
        (function(function="rows"), ("metric mine", "an array of shape (96, 3)")),
        (function(function="nothing"), ("metric mine", "NoneType in place of a number")),
        (without(function(), "direction"), ("metrics.mine.direction: is required", "found only kind, file")),
        (without(function(), "unit"), ("metrics.mine.unit: is required",)),
        (
            without(function(), "direction") | {"goal": {"targets": [{"metric": "mine"}]}, "tolerance": {}},
            ("goal.targets.0: metrics.mine.direction: is required",),
        ),
        (function(direction="up"), ("metrics.mine.direction", "'lower' or 'higher'", "found 'up'")),
        (function(unit=0), ("metrics.mine.unit", "greater than 0", "found 0")),
        (function(unit=float("nan")), ("metrics.mine.unit", "finite", "found nan")),
        (function(low=1, high=0), ("metrics.mine", "low must be below high", "1.0, 0.0")),
        (function(deadline=0), ("metrics.mine.deadline", "greater than 0")),
        (function(functon="x"), ("metrics.mine.functon: unknown key. Did you mean 'function'?",)),
        (program("./gone.sh"), ("metrics.mine: there is no executable", "gone.sh")),
        (program("nonexistingprogram"), ("metrics.mine", "in PATH", "./nonexistingprogram")),
        (program("./noexec.sh"), ("metrics.mine", "chmod +x")),
        (program(), ("metrics.mine.command: Tuple should have at least 1",)),
        (
            program() | {"metrics": {"mine": program()["metrics"]["mine"] | {"command": "./words.sh"}}},
            ("metrics.mine.command: must be a list; found './words.sh'",),
        ),
        (program("./fails.sh"), ("metric mine", "ended with status 1", "no such model")),
        (program("./words.sh"), ("metric mine", "printed no JSON but 'hello")),
        (program("./short.sh"), ("metric mine", "a list of 0 for 1 images")),
        (foreign(batch=0), ("metrics.mine.batch", "found 0")),
        (foreign(border=-1), ("metrics.mine.border", "found -1")),
        (foreign(options={"a": [1]}), ("metrics.mine.options.a: must be a text, a number, or true or false",)),
    ],
)
def test_a_metric_that_cannot_be(root: Path, change: Data, parts: tuple[str, ...]) -> None:
    assert_experiment_refused(root, change, *parts)


@pytest.mark.skipif(importlib.util.find_spec("pyiqa") is not None, reason="pyiqa is installed here")
@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (foreign(), ("metrics.mine",)),
        ({"guards": ["pyiqa:niqe"]}, ("guards", "pyiqa:niqe")),
        ({"goal": {"targets": [{"metric": "pyiqa:niqe"}]}, "tolerance": {}}, ("goal.targets.0",)),
    ],
)
def test_what_needs_pyiqa_names_its_key_and_the_command(root: Path, change: Data, parts: tuple[str, ...]) -> None:
    assert_experiment_refused(root, change, *parts, "pip install 'lossagent[iqa]'")


# -- the goal ---------------------------------------------------------------------------------------------

PSNR = {"metric": "psnr_y"}


def goal(*targets: object, **change: Any) -> Data:
    return {"goal": {"targets": list(targets)} | change, "tolerance": {}}


def limit(**change: Any) -> Data:
    return goal(PSNR, constraints=[{"metric": "psnr_y"} | change])


def wish(words: object = "no ringing", **change: Any) -> Data:
    return {"goal": {"wish": words} | change, "tolerance": {}}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (goal({"metric": "nique"}), ("goal.targets.0: Unknown metric 'nique'", "Did you mean 'niqe'?")),
        (goal({"direction": "higher"}), ("goal.targets.0.metric: is required; found only direction",)),
        (goal({"metric": 3}), ("goal.targets.0.metric", "found 3")),
        (goal({"metric": "niqe", "direction": "higher"}), ("goal.targets: 'niqe' says higher", "direction: lower")),
        (goal({"metric": "niqe", "direction": "lowr"}), ("goal.targets.0.direction", "found 'lowr'")),
        (goal(PSNR | {"importance": 0}), ("goal.targets.0.importance", "found 0")),
        (goal(PSNR | {"importance": float("inf")}), ("goal.targets.0.importance", "found inf")),
        (goal(PSNR | {"importance": float("nan")}), ("goal.targets.0.importance", "found nan")),
        (goal(PSNR | {"unit": float("inf")}), ("goal.targets.0.unit", "found inf")),
        (goal(PSNR | {"unit": -1}), ("goal.targets.0.unit", "found -1")),
        (goal(PSNR | {"weight": 1}), ("goal.targets.0.weight: unknown key. Known: direction, importance",)),
        (goal(PSNR, PSNR), ("goal: a metric may be a target once",)),
        (goal("niqe"), ("goal.targets.0: must be a mapping of keys (direction, importance, metric, unit)", "'niqe'")),
        ({"goal": {"targets": PSNR}}, ("goal.targets: must be a list",)),
        ({"goal": {}}, ("goal: a goal needs at least one target or a wish",)),
        (wish("  "), ("goal: a wish is made of words",)),
        (wish(7), ("goal.wish", "found 7")),
        (wish(), ("name a proxy metric (goal.proxy)",)),
        (wish(proxy=[{"metric": "niqee"}]), ("goal.proxy.0: Unknown metric 'niqee'", "Did you mean 'niqe'?")),
        (wish(proxy="niqe"), ("goal.proxy: must be a list; found 'niqe'",)),
        (wish(proxy=[{"metric": "niqe", "direction": "higher"}]), ("goal.proxy: 'niqe' says higher",)),
        (wish(proxy=[{"metric": "preference"}]), ("people: {ask: pairs}; found no people",)),
        (limit(), ("goal.constraints.0", "exactly one of at_least and at_most")),
        (limit(at_least=1, at_most=2), ("goal.constraints.0", "exactly one of at_least and at_most")),
        (limit(at_least=float("nan")), ("goal.constraints.0.at_least", "found nan")),
        (limit(at_most=float("inf")), ("goal.constraints.0.at_most", "found inf")),
        (limit(at_least="high"), ("goal.constraints.0.at_least", "found 'high'")),
        (limit(at_least=1, unit=0), ("goal.constraints.0.unit", "found 0")),
        (limit(at_least=1, unit=float("inf")), ("goal.constraints.0.unit", "found inf")),
        (limit(at_least=1, metric="psnry"), ("goal.constraints.0: Unknown metric 'psnry'", "'psnr_y'?")),
        (limit(at_least=1, direction="higher"), ("goal.constraints.0.direction: unknown key. Known: at_least",)),
        (limit(at_least=-1, relative_to="strt"), ("goal.constraints.0.relative_to", "'start'", "found 'strt'")),
        (limit(at_least=-1, relative_to="fixed"), ("relative to the fixed run", "fixed_run")),
        (limit(at_least=0, metric="rating"), ("people: {ask: rating}; found no people",)),
        (limit(at_least=-1, relative_to="fixed") | {"fixed_run": "notes"}, ("notes is no run folder",)),
        ({"fixed_run": 3}, ("fixed_run: must be a path; found 3",)),
        ({"tolerance": {"niqe": 0.1}}, ("tolerance", "'niqe'", "Known: psnr_y")),
        ({"tolerance": {"psnr_y": -1}}, ("tolerance of 'psnr_y'", "found -1")),
        ({"tolerance": {"psnr_y": "small"}}, ("tolerance.psnr_y", "found 'small'")),
        ({"tolerance": 0.1}, ("tolerance: must be a mapping of names; found 0.1",)),
        ({"losses": {"m": {"kind": "metric", "weight": 1.0}}}, ("losses.m", "pyiqa:NAME")),
        ({"losses": {"m": {"kind": "metric", "metric": "niqe", "weight": 1.0}}}, ("losses.m", "found 'niqe'")),
    ],
)
def test_a_goal_that_cannot_be(root: Path, change: Data, parts: tuple[str, ...]) -> None:
    assert_experiment_refused(root, change, *parts)


# -- reviewers --------------------------------------------------------------------------------------------


def reviewer(kind: str, **change: Any) -> Data:
    return {"reviewers": {"eye": {"kind": kind} | change}}


def server(**change: Any) -> Data:
    return reviewer("server", **({"base_url": "http://127.0.0.1:1/v1", "model": "m", "key_env": None} | change))


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (reviewer("describr"), ("reviewers.eye: kind must be one of", "'describer'", "found 'describr'")),
        ({"reviewers": {"eye": {"images": 2}}}, ("reviewers.eye: kind is required", "'co-instruct'")),
        ({"reviewers": {"eye": "describer"}}, ("reviewers.eye: must be a mapping of keys", "'describer'")),
        ({"reviewers": [{"kind": "describer"}]}, ("reviewers: must be a mapping of names",)),
        ({"reviewers": {"../x": {"kind": "describer"}}}, ("reviewers.../x: a name must match",)),
        (reviewer("describer", images=-1), ("reviewers.eye.images", "found -1")),
        (reviewer("describer", image=2), ("reviewers.eye.image: unknown key. Did you mean 'images'?",)),
        (reviewer("server", model="m"), ("reviewers.eye.base_url: is required",)),
        (server(base_url="localhost:1"), ("reviewers.eye: base_url must begin with http://", "'localhost:1'")),
        (server(base_url="http://me:secret@127.0.0.1/v1"), ("reviewers.eye: base_url must hold no user name",)),
        (server(model=""), ("reviewers.eye.model",)),
        (server(show="both"), ("reviewers.eye.show", "'pair'", "found 'both'")),
        (server(before="start"), ("reviewers.eye.before", "'parent'", "found 'start'")),
        (server(crop=0), ("reviewers.eye.crop", "32", "found 0")),
        (server(images=0), ("reviewers.eye.images", "found 0")),
        (server(samples=3, temperature=0), ("reviewers.eye: samples would all be the same",)),
        (server(max_cost=1.0), ("reviewers.eye: max_cost needs prompt_price and completion_price",)),
        (server(deadline=0), ("reviewers.eye.deadline", "found 0")),
        (server(question=""), ("reviewers.eye.question", "found ''")),
        (reviewer("co-instruct", model="nowhere"), ("reviewers.eye: nowhere", "trust_remote_code: true")),
        (reviewer("co-instruct", samples=2), ("reviewers.eye: samples would all be the same",)),
        (reviewer("co-instruct", device="gpu0"), ("reviewers.eye.device must be cpu, cuda", "'gpu0'")),
        (reviewer("co-instruct", device="cuda:64"), ("reviewers.eye.device", "CUDA devices", "'cuda:64'")),
        (reviewer("co-instruct", precision="int8"), ("reviewers.eye.precision", "found 'int8'")),
    ],
)
def test_a_reviewer_that_cannot_be(root: Path, change: Data, parts: tuple[str, ...]) -> None:
    assert_experiment_refused(root, change, *parts)


def test_a_key_written_into_a_reviewer_is_not_shown(root: Path) -> None:
    file = written(experiment(root, **server(api_key="sk-secret-1")), root)
    outcome = command("run", file, "--out", root / "run")
    assert_refused(outcome, "reviewers.eye.api_key: unknown key")
    assert "sk-secret" not in outcome.err
    nameless = written(experiment(root, reviewers={"eye": {"api_key": "sk-secret-1"}}), root)
    assert "sk-secret" not in command("run", nameless, "--out", root / "run").err


# -- people -----------------------------------------------------------------------------------------------


def people(target: str = "preference", **change: Any) -> Data:
    return {"people": {"patience": 0} | change} | goal({"metric": target})


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (people(ask="pair"), ("people.ask", "'pairs'", "found 'pair'")),
        (people(ask="rating"), ("people: {ask: pairs}", "found people.ask: rating")),
        (people("rating"), ("people: {ask: rating}", "found people.ask: pairs")),
        (goal({"metric": "preference"}), ("'preference' comes from people: {ask: pairs}; found no people",)),
        ({"guards": ["rating"]}, ("'rating' comes from people: {ask: rating}; found no people",)),
        (people(images=0), ("people.images", "found 0")),
        (people(against="start"), ("people.against", "'parent' or 'best'", "found 'start'")),
        (people(repeats=2), ("people.repeats", "found 2")),
        (people(raters=0), ("people.raters", "found 0")),
        (people(deadline=-1), ("people.deadline", "found -1")),
        (people(deadline=float("inf")), ("people.deadline", "found inf")),
        (people(patience=-1), ("people.patience", "found -1")),
        (people(final=-1), ("people.final", "found -1")),
        (people(question="x" * 501), ("people.question", "500")),
        (people(quesion="x"), ("people.quesion: unknown key. Did you mean 'question'?",)),
        ({"people": True}, ("people: must be a mapping of keys (against, ask", "found True")),
        (people() | {"tolerance": {"rating": 1}}, ("tolerance", "'rating'", "Known: preference")),
        (
            {"people": {}} | goal({"metric": "preference", "direction": "lower"}),
            ("goal.targets: 'preference' says lower is better", "direction: higher"),
        ),
    ],
)
def test_people_that_cannot_be_asked(root: Path, change: Data, parts: tuple[str, ...]) -> None:
    assert_experiment_refused(root, change, *parts)


# -- commands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("score nique data/test", ("Unknown metric 'nique'", "'niqe'?")),
        ("score niqe gone", ("no file or folder gone",)),
        ("score niqe m.py", ("m.py: cannot be read as an image",)),
        ("score niqe notes", ("the folder notes holds no image",)),
        ("score psnr data/test", ("--reference PATH",)),
        ("score niqe data/test --border -3", ("border must be >= 0", "-3")),
        ("score niqe data/test --option a=1", ("--option is for metrics of pyiqa", "'niqe'")),
        ("score niqe data/test --device cpu", ("--device is for metrics of pyiqa", "'niqe'")),
        ("score niqe data/test --download", ("--download is for metrics of pyiqa", "'niqe'")),
        ("score pyiqa:x data/test --option foo", ("--option must be NAME=VALUE", "'foo'")),
        ("score pyiqa:x data/test --option =3", ("--option must be NAME=VALUE", "'=3'")),
        ("score pyiqa:x data/test --option a=[1", ("--option must be NAME=VALUE", "'a=[1'")),
        ("score pyiqa:x data/test --option a=1 --option a=2", ("--option a was given twice",)),
        ("score niqe a:x:b", ("no file or folder a:x:b",)),
        ("score --lst", ("--lst", "--list")),
        ("rate gone", ("gone is no run folder",)),
        ("rate m.py", ("m.py is no run folder",)),
        ("resume gone", ("gone is no run folder",)),
        ("resume gone --tracker nope", ("Unknown tracker 'nope'", "Known: mlflow")),
        ("run e.yaml --tracker tensorbord", ("Unknown tracker 'tensorbord'", "'tensorboard'?")),
        ("run e.yaml --beside nobody", ("--beside takes fixed or random; found 'nobody'",)),
        ("run e.yaml --beside nobody --dry-run", ("--beside takes fixed or random; found 'nobody'",)),
        ("run e.yaml --beside fixed --tracker mlflow", ("--beside", "--tracker")),
        ("recipe demo --scale huge", ("'huge'", "Known: small")),
    ],
)
def test_a_command_that_cannot_be(root: Path, words: str, parts: tuple[str, ...]) -> None:
    written(experiment(root), root, "e.yaml")
    before = listing(root)
    assert_refused(command(*words.split()), *parts)
    assert listing(root) == before


@pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="needs the extra dashboard")
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("gone", ("gone is no folder",)),
        ("m.py", ("m.py is no folder",)),
        ("notes --host 0.0.0.0", ("'0.0.0.0'", "no password", "--password-env")),
        ("notes --host 10.1.2.3 --port 80", ("'10.1.2.3'", "no password", "--host 127.0.0.1")),
        ("notes --port 99999", ("--port", "65535")),
        ("notes --port abc", ("--port", "integer")),
        ("notes --password-env LOSSAGENT_NO_SUCH", ("--password-env", "'LOSSAGENT_NO_SUCH' is not set")),
        ("notes --password-file gone", ("--password-file: gone cannot be read",)),
        ("notes --password-file notes", ("--password-file: notes cannot be read",)),
        ("notes --password-file empty", ("--password-file", "is empty")),
        ("notes --password-env A --password-file empty", ("give one of them",)),
    ],
)
def test_a_dashboard_that_cannot_be(words: str, parts: tuple[str, ...]) -> None:
    assert "LOSSAGENT_NO_SUCH" not in os.environ
    assert_refused(command("dashboard", *words.split()), *parts)


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_rater_without_a_name_that_can_be_shown(name: str) -> None:
    assert_refused(command("rate", "notes", "--rater", name), "--rater must be a name of 1 to 80 characters")


def test_a_metric_that_nobody_names_is_told(root: Path) -> None:
    file = written(experiment(root, metrics=function()["metrics"]), root)
    rehearsed = command("run", file, "--dry-run")
    assert rehearsed.status == 0, rehearsed.err
    assert "metrics.mine is not measured: name it in the goal or in guards." in rehearsed.out
