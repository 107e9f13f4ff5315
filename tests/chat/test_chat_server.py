"""OpenAI-compatible servers, good and bad. Every call must end within its deadline."""

from __future__ import annotations

import asyncio
import email.utils
import json
import math
import time

import pytest

import fault_server as fs
from lossagent.chat import AnswerFormat, OpenAICompatible
from lossagent.chat import server as server_module
from lossagent.chat._reading import retry_after
from lossagent.errors import ChatFailed, Refused
from lossagent.records import Message

MESSAGES = (Message(role="system", content="rules"), Message(role="user", content="next weights?"))
FREE = AnswerFormat("pattern", None, None, max_tokens=32)
JSON = AnswerFormat("json", {"type": "object", "properties": {}}, 'root ::= "{}"')
PATTERN = AnswerFormat("pattern", None, 'root ::= "L1=1"')
KEY = "sk-secret-1234567890"


def client(url: str, **settings) -> OpenAICompatible:
    return OpenAICompatible(url, "m", **{"key_env": None, "answer_mode": "none", **settings})


def ask(model: OpenAICompatible, deadline: float = 1.0, form: AnswerFormat = FREE, seed: int = 5):
    """(text or failure message, seconds it took)."""
    begun = time.monotonic()
    try:
        said = model.complete(MESSAGES, form, seed, deadline).text
    except ChatFailed as failure:
        said = failure
    took = time.monotonic() - begun
    assert took < deadline + 0.5, f"took {took:.2f} s of {deadline} s"
    return said, took


def test_a_proper_answer(fault_server):
    fault_server.play(fs.answer("L1=1", model="llama-3"))
    model = client(fault_server.url, temperature=0.3)
    got = model.complete(MESSAGES, FREE, 5, 2.0)
    assert (got.text, got.model, got.finish) == ("L1=1", "llama-3", "stop")
    assert (got.prompt_tokens, got.completion_tokens) == (7, 3)
    assert 0 < got.seconds < 2
    (request,) = fault_server.requests
    assert request.path == "/v1/chat/completions"
    assert "authorization" not in request.headers
    assert request.body == {
        "model": "m", "messages": [{"role": m.role, "content": m.content} for m in MESSAGES], "max_tokens": 32,
        "seed": 5, "temperature": 0.3,
    }  # fmt: skip


def test_it_works_inside_a_running_event_loop(fault_server):
    async def notebook() -> str:
        return client(fault_server.url).complete(MESSAGES, FREE, 5, 2.0).text

    assert asyncio.run(notebook()) == "ok"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (fs.hang, "gave no whole answer in"),
        (fs.drip, "gave no whole answer in"),
        (fs.drip_headers, "gave no whole answer in"),
        (fs.drop, "the connection broke"),
        (fs.cut, "the connection broke"),
        (fs.raw(b""), "the body is empty"),
        (fs.raw(json.dumps(fs.completion("ok")).encode()[:60]), "no JSON or was cut off"),
        (fs.raw(b"<html>hello</html>"), "no JSON or was cut off"),
        (fs.raw(b"[" * 100_000), "no JSON or was cut off"),
        (fs.raw(b"\xff\xfe\x00"), "no JSON or was cut off"),
        (fs.raw(b'{"choices": []}'), r"no choices\[0\].message"),
        (fs.raw(b"NaN"), r"no choices\[0\].message"),
        (fs.answer("", finish="content_filter"), "content filter"),
        (fs.raw(json.dumps(fs.completion(None)).encode()), "is no text"),
        (fs.flood(1_000_000), "more than 256 KB"),
        (fs.flood(1_000_000, declared=False), "more than 256 KB"),
        (fs.raw(b"x", headers={"content-encoding": "gzip"}), "compressed"),
        (fs.redirect("http://evil.example/?token=1"), r"redirects to http://evil.example/\."),
        (fs.status(404, "no such model"), "no such model.*the model 'm'"),
        (fs.status(400, "bad <|im_start|> request"), "answered 400: .bad ‹.im_start.› request"),
        (fs.status(500), "answered 500"),
    ],
)  # fmt: skip
def test_a_fault_ends_in_time_with_words(fault_server, act, words):
    fault_server.play(act)
    endless = act in (fs.hang, fs.drip, fs.drip_headers)
    said, _ = ask(client(fault_server.url), deadline=1.0 if endless else 2.5)
    with pytest.raises(ChatFailed, match=words):
        raise said
    assert f"{fault_server.url}/chat/completions" in str(said)


def test_what_cannot_pass_is_not_retried(fault_server):
    for code in (400, 401, 403, 404, 422):
        fault_server.play(fs.status(code))
        assert isinstance(ask(client(fault_server.url))[0], ChatFailed)
        assert len(fault_server.requests) == 1, code


def test_refused_connection():
    said, _ = ask(client(f"http://127.0.0.1:{fs.closed_port()}/v1"))
    assert "no connection" in str(said)
    assert "Is the server running?" in str(said)


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_a_passing_fault_is_retried(fault_server, code):
    fault_server.play(fs.status(code), fs.answer("fine"))
    assert ask(client(fault_server.url), 2.0)[0] == "fine"


def test_a_hang_is_retried_where_a_try_is_shorter_than_the_deadline(fault_server):
    fault_server.play(fs.hang, fs.answer("fine"))
    assert ask(client(fault_server.url, timeout=0.3), 3.0)[0] == "fine"


def test_tries_are_counted(fault_server):
    fault_server.play(fs.status(503))
    said, _ = ask(client(fault_server.url, retries=1), 5.0)
    assert "Tried 2 times" in str(said)
    assert len(fault_server.requests) == 2


def test_retry_after_is_kept_and_capped_by_the_deadline(fault_server):
    fault_server.play(fs.status(429, headers={"retry-after": "0.2"}), fs.answer("fine"))
    said, took = ask(client(fault_server.url))
    assert said == "fine"
    assert took >= 0.2
    date = email.utils.formatdate(time.time() + 3600, usegmt=True)
    for value in ("30", date):
        fault_server.play(fs.status(429, "slow down", {"retry-after": value}))
        said, took = ask(client(fault_server.url), 4.0)
        assert "slow down" in str(said)
        assert took < 3.0


def test_retry_after_in_both_forms():
    assert retry_after({"retry-after": "2"}) == 2.0
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=50.0) == 10.0
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=90.0) == 0.0
    for value in ("soon", "nan", "inf", ""):
        assert retry_after({"retry-after": value}) is None


@pytest.mark.parametrize("text", ["L1=NaN", "L1=1e999", '{"L1": 1, "extra": 2}', "\u00e9\n", ""])
def test_odd_answers_pass_as_text(fault_server, text):
    fault_server.play(fs.answer(text))
    assert ask(client(fault_server.url))[0] == text


def test_extra_keys_odd_usage_and_half_characters(fault_server):
    body = json.dumps(fs.completion("a\ud800b", usage={"prompt_tokens": math.nan, "completion_tokens": -1}, x=[1]))
    fault_server.play(fs.raw(body.encode()))
    got = client(fault_server.url).complete(MESSAGES, FREE, 5, 1.0)
    got.text.encode()
    assert (got.prompt_tokens, got.completion_tokens) == (0, 0)


def test_a_cut_off_answer_says_so(fault_server):
    fault_server.play(fs.answer("L1=", finish="length"))
    assert client(fault_server.url).complete(MESSAGES, FREE, 5, 1.0).finish == "length"
    fault_server.play(fs.raw(json.dumps(fs.completion(None, finish="length")).encode()))
    assert client(fault_server.url).complete(MESSAGES, FREE, 5, 1.0).text == ""


def test_the_key_is_read_at_each_call_and_never_told(fault_server, monkeypatch):
    model = client(fault_server.url, key_env="TEST_CHAT_KEY")
    monkeypatch.delenv("TEST_CHAT_KEY", raising=False)
    fault_server.play(fs.status(401))
    assert "set the environment variable TEST_CHAT_KEY" in str(ask(model)[0])
    monkeypatch.setenv("TEST_CHAT_KEY", KEY + "\n")
    assert "does not accept the key in the environment variable TEST_CHAT_KEY" in str(ask(model)[0])
    assert fault_server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    for code in (400, 401, 403, 404, 500):
        fault_server.play(fs.status(code, f"Incorrect key {KEY}"))
        assert KEY not in str(ask(model, 0.4)[0])
    assert KEY not in repr(vars(model))
    monkeypatch.setenv("TEST_CHAT_KEY", "sk-\u00e9")
    assert "characters that no key can have" in str(ask(model)[0])


def test_a_redirect_does_not_take_the_key_along(fault_server, monkeypatch):
    monkeypatch.setenv("TEST_CHAT_KEY", KEY)
    with fs.FaultServer() as other:
        fault_server.play(fs.redirect(f"{other.url}/chat/completions"))
        assert "Redirects are not followed" in str(ask(client(fault_server.url, key_env="TEST_CHAT_KEY"))[0])
        assert other.requests == []


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(fault_server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{fs.closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask(client(fault_server.url))[0] == "ok"


def test_a_query_is_sent_and_not_shown(fault_server):
    fault_server.play(fs.status(400))
    said, _ = ask(client(f"{fault_server.url}?api-version=1"))
    assert "api-version" not in str(said)
    assert fault_server.requests[0].path == "/v1/chat/completions?api-version=1"


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80/v1", "ftp://h/v1", "http:///v1", "http://me:pass@h/v1", "http://h:port/v1"]
)
def test_base_urls_that_cannot_work(url):
    with pytest.raises(Refused, match="base_url") as caught:
        client(url)
    assert "pass@" not in str(caught.value)


def test_no_time_no_try(fault_server):
    assert "was over before" in str(ask(client(fault_server.url), 0.0)[0])
    assert fault_server.requests == []


def test_caps_on_tokens_and_cost(fault_server):
    model = client(fault_server.url, max_total_tokens=100)
    assert ask(model)[0] == "ok"
    assert model.spending.tokens == 10
    model.spending.add(50, 5)
    assert "cap of 100 tokens (max_total_tokens)" in str(ask(model)[0])
    assert len(fault_server.requests) == 1

    costly = client(fault_server.url, max_cost=1e-4, prompt_price=1.0, completion_price=2.0)
    assert ask(costly)[0] == "ok"
    assert math.isclose(costly.spending.cost, 13e-6)
    costly.spending.add(50, 0)
    assert "max_cost" in str(ask(costly)[0])


def test_where_no_usage_is_told_it_is_estimated_for_the_cap(fault_server):
    fault_server.play(fs.answer("x" * 30, usage="none"))
    model = client(fault_server.url, max_total_tokens=1000)
    assert model.complete(MESSAGES, FREE, 5, 1.0).completion_tokens == 0
    assert model.spending.tokens >= 18


def obedient(request: fs.Request) -> str:
    """A server that follows schemas and grammars."""
    if "grammar" in request.body:
        return request.body["grammar"].split('"')[1]
    if "response_format" in request.body:
        schema = request.body["response_format"]["json_schema"]["schema"]
        return json.dumps({k: v["enum"][0] for k, v in schema["properties"].items()})
    return "hello"


def test_auto_finds_what_the_server_enforces_once(fault_server):
    fault_server.play(fs.answer(obedient))
    model = client(fault_server.url, answer_mode="auto")
    assert model.enforces is None
    assert ask(model, form=JSON)[0] == "{}"
    assert model.probed == {"json_schema": True}
    assert ask(model, form=PATTERN)[0] == "L1=1"
    assert model.probed == {"json_schema": True, "grammar": True}
    assert model.enforces is True
    before = len(fault_server.requests)
    ask(model, form=JSON)
    ask(model, form=PATTERN)
    ask(model, form=FREE)
    assert len(fault_server.requests) == before + 3 == 7
    assert "grammar" not in fault_server.requests[-1].body


def test_auto_with_a_server_that_ignores_forms(fault_server):
    fault_server.play(fs.answer("hello"))
    model = client(fault_server.url, answer_mode="auto")
    assert ask(model, form=JSON)[0] == "hello"
    assert model.enforces is False
    assert model.probed == {"json_schema": False, "grammar": False}
    assert not {"response_format", "grammar"} & fault_server.requests[-1].body.keys()


def test_auto_with_a_server_that_refuses_the_field(fault_server):
    def act(reply: fs.Reply) -> None:
        strict = "response_format" in reply.request.body
        (fs.status(422, "unknown field") if strict else fs.answer(obedient))(reply)

    fault_server.play(act)
    model = client(fault_server.url, answer_mode="auto")
    assert ask(model, form=JSON)[0] == "{}"
    assert model.probed == {"json_schema": False, "grammar": True}


def test_a_probe_in_trouble_says_nothing_and_leaves_time_for_the_question(fault_server):
    fault_server.play(fs.hang, fs.answer("hello"))
    model = client(fault_server.url, answer_mode="auto")
    assert ask(model, 1.5, form=JSON)[0] == "hello"
    assert model.enforces is None


def test_a_probe_with_a_wrong_key_ends_the_call(fault_server):
    fault_server.play(fs.status(401))
    assert "key" in str(ask(client(fault_server.url, answer_mode="auto"), form=JSON)[0])
    assert len(fault_server.requests) == 1


@pytest.mark.parametrize(
    ("mode", "form", "sent"),
    [
        ("json_schema", JSON, {"response_format"}),
        ("json_schema", PATTERN, set()),
        ("grammar", JSON, {"grammar"}),
        ("structured_outputs", JSON, {"structured_outputs"}),
        ("guided", JSON, {"guided_json"}),
        ("guided", PATTERN, {"guided_grammar"}),
        ("none", JSON, set()),
    ],
)
def test_modes_send_their_field_without_a_probe(fault_server, mode, form, sent):
    model = client(fault_server.url, answer_mode=mode, temperature=None, limit_field="max_completion_tokens")
    ask(model, form=form)
    (request,) = fault_server.requests
    assert request.body.keys() - {"model", "messages", "seed", "max_completion_tokens"} == sent
    assert model.enforces is None


def test_the_limit_is_256_kb():
    assert server_module.LARGEST == 262144
