"""Log-probabilities of options: from servers, the embedded model, the double and a recorded run."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fault_server as fs
from lossagent.assets import locate
from lossagent.chat import Completion, Embedded, OpenAICompatible, Ranking, RanksOptions, Replay, Scripted
from lossagent.chat.ranking import checked, matched, read, written
from lossagent.errors import ChatFailed, LossAgentError, Refused
from lossagent.records import Exchange, Message

AB = ("A", "B")
ASKED = (Message(role="system", content="rules"), Message(role="user", content="A or B?"))


def told(*tops: tuple[str, float | None], **facts: Any) -> fs.Act:
    """An answer with its most likely first tokens, as chats list them."""
    entry = {"token": tops[0][0], "logprob": tops[0][1], "top_logprobs": [_entry(t, p) for t, p in tops]}
    return said({"content": [entry]}, **facts)


def said(logprobs: object, **facts: Any) -> fs.Act:
    body = fs.completion("A", **facts)
    body["choices"][0]["logprobs"] = logprobs
    return fs.raw(json.dumps(body).encode())


def _entry(token: str, logprob: float | None) -> dict[str, object]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def client(server: fs.FaultServer, **settings: Any) -> OpenAICompatible:
    return OpenAICompatible(server.url, "m", key_env=None, retries=0, **settings)


def ranked(model: RanksOptions) -> dict[str, float]:
    return dict(model.option_logprobs(ASKED, AB, 5, 2.0).logprobs)


def test_a_server_is_asked_for_one_token_and_its_likeliest_twenty(fault_server: fs.FaultServer) -> None:
    fault_server.play(told(("A", -0.2), ("B", -1.9), ("The", -4.0)))
    model = client(fault_server)
    found = model.option_logprobs(ASKED, AB, 5, 2.0)
    assert found.logprobs == {"A": -0.2, "B": -1.9}
    assert (found.model, found.prompt_tokens, found.completion_tokens) == ("served", 7, 3)
    body = fault_server.requests[0].body
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"], body["temperature"]) == (True, 20, 1, 1.0)
    assert not {"response_format", "grammar"} & body.keys()  # forms change the numbers of some servers
    assert model.spending.tokens == 10


def test_a_server_that_takes_no_temperature_gets_none(fault_server: fs.FaultServer) -> None:
    fault_server.play(told(("A", -0.2), ("B", -1.9)))
    ranked(client(fault_server, temperature=None, limit_field="max_completion_tokens"))
    body = fault_server.requests[0].body
    assert "temperature" not in body
    assert body["max_completion_tokens"] == 1


@pytest.mark.parametrize(
    "tops",
    [
        [("A", math.log(0.5)), ("B", math.log(0.2))],
        [(" A", math.log(0.5)), ("b", math.log(0.2))],
        [("A", math.log(0.2)), (" A", math.log(0.2)), ("a", math.log(0.1)), ("\nB", math.log(0.2))],
        [("\u2581A", math.log(0.5)), ("\u0120B", math.log(0.2)), ("Aa", -1.0), ("", -2.0)],
        [("B", math.log(0.2)), ("x", math.nan), ("y", 0.7), ("A", math.log(0.5))],
    ],
)
def test_blanks_and_case_are_the_same_option_and_their_probabilities_are_added(
    tops: list[tuple[str, float]],
) -> None:
    assert matched(tops, AB, "m") == pytest.approx({"A": math.log(0.5), "B": math.log(0.2)})


def test_an_option_that_is_not_listed_is_given_an_upper_bound() -> None:
    assert matched([("A", -0.1), ("The", -3.0), ("To", -5.0)], AB, "m") == {"A": -0.1, "B": -5.0}


def test_older_servers_map_tokens_to_numbers(fault_server: fs.FaultServer) -> None:
    fault_server.play(said({"tokens": [" A"], "top_logprobs": [{" A": -0.3, " B": -1.5}]}))
    assert ranked(client(fault_server)) == {"A": -0.3, "B": -1.5}


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (fs.answer("A"), "tells no log-probabilities"),
        (said(None), "tells no log-probabilities"),
        (said({"content": []}), "tells no log-probabilities"),
        (said({"content": [{"token": "A", "logprob": -0.1}]}), "tells no log-probabilities"),
        (said({"content": [{"top_logprobs": [3, {"token": 4}, {"token": "A", "logprob": None}]}]}), "tells no"),
        (said("yes"), "tells no log-probabilities"),
        (fs.status(400, "logprobs is not supported"), "logprobs is not supported.*asked for log-probabilities"),
        (told(("<think>", -0.01), ("The", -5.0)), "none of A, B is among its 2 most likely.*'?‹think›"),
        (fs.status(401), "key"),
    ],
)
def test_servers_without_log_probabilities_fail_in_words(fault_server: fs.FaultServer, act: fs.Act, words: str) -> None:
    fault_server.play(act)
    with pytest.raises(ChatFailed, match=words):
        ranked(client(fault_server))


def test_the_deadline_holds(fault_server: fs.FaultServer) -> None:
    fault_server.play(fs.hang)
    with pytest.raises(ChatFailed, match="no whole answer"):
        client(fault_server).option_logprobs(ASKED, AB, 0, 0.3)


@pytest.mark.parametrize("options", [("A",), (), ("A", "a"), ("A", ""), ("A", "B C"), ("A", " B")])
def test_options_that_a_first_token_cannot_tell_apart_are_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="options must"):
        checked(options)


def test_what_is_written_is_read() -> None:
    text = written({"A": -1 / 3, "B": -2.0})
    assert json.loads(text) == {"A": -0.333333, "B": -2.0}
    assert read(text, AB, "m") == {"A": -0.333333, "B": -2.0}


@pytest.mark.parametrize(
    "text", ["", "A", "[1]", '{"A": -1}', '{"A": -1, "B": "x"}', '{"A": -1, "B": 2}', '{"A": NaN, "B": -1}', "[" * 9999]
)
def test_what_is_no_record_of_log_probabilities_is_refused(text: str) -> None:
    with pytest.raises(ChatFailed, match="must be JSON such as"):
        read(text, AB, "m")


def test_the_double_reads_its_script_as_a_record() -> None:
    reply = Completion('{"A": -0.5, "B": -1.0}', "x", prompt_tokens=9, completion_tokens=1, seconds=0.5)
    model = Scripted([reply, ChatFailed("down"), "A"])
    assert isinstance(model, RanksOptions)
    assert model.option_logprobs(ASKED, AB, 3, 1.0) == Ranking({"A": -0.5, "B": -1.0}, "x", 9, 1, 0.5)
    with pytest.raises(ChatFailed, match="down"):
        ranked(model)
    with pytest.raises(ChatFailed, match="must be JSON"):
        ranked(model)
    assert model.calls[0].messages == ASKED


def test_a_replay_needs_no_model() -> None:
    recorded = Exchange(
        key="pair:0-1/0",
        author="llama",
        messages=ASKED,
        raw=written({"A": -0.5, "B": -1.0}),
        prompt_tokens=9,
        seconds=2.0,
    )
    broken = recorded.model_copy(update={"raw": None, "problem": "the server hung"})
    other = recorded.model_copy(update={"raw": "B"})
    model = Replay([recorded, broken, other])
    assert isinstance(model, RanksOptions)
    assert model.option_logprobs(ASKED, AB, 0, 1.0) == Ranking({"A": -0.5, "B": -1.0}, "llama", 9, 0, 2.0)
    for words in ("the server hung", "must be JSON", "asked 3 times"):
        with pytest.raises(ChatFailed, match=words):
            ranked(model)


@pytest.fixture(scope="module")
def embedded() -> Iterator[Embedded]:
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed (extra 'llm')")
    try:
        file: Path = locate("smollm2-135m-instruct")
    except LossAgentError:
        pytest.skip("smollm2-135m-instruct is not on this machine: lossagent assets fetch")
    model = Embedded(file, context=512, threads=1)
    yield model
    model.close()


def test_the_embedded_model_tells_the_same_each_time_and_as_its_server_does(embedded: Embedded) -> None:
    assert isinstance(embedded, RanksOptions)
    question = (Message(role="user", content="A: a cat. B: a dog. Which one barks? Answer with A or B."),)
    found = embedded.option_logprobs(question, AB, 1, 60.0)
    assert all(value < 0 for value in found.logprobs.values())
    assert math.fsum(math.exp(value) for value in found.logprobs.values()) <= 1
    assert found.prompt_tokens > 10
    assert embedded.option_logprobs(question, AB, 99, 60.0).logprobs == found.logprobs
    served = OpenAICompatible(embedded.serve(), "m", key_env=None).option_logprobs(question, AB, 1, 60.0)
    assert served.logprobs["A"] == pytest.approx(found.logprobs["A"], abs=0.2)


def test_the_embedded_model_says_where_no_option_is_likely(embedded: Embedded) -> None:
    with pytest.raises(ChatFailed, match="none of zq7kx4, zq7kx5 is among its 500"):
        embedded.option_logprobs(ASKED, ("zq7kx4", "zq7kx5"), 1, 60.0)
