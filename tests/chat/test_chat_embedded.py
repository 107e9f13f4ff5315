"""The embedded model; its engine and model file are optional, so most tests skip where they are missing."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lossagent.chat import AnswerFormat, Embedded, OpenAICompatible
from lossagent.errors import ChatFailed, LossAgentError, MissingAsset, MissingPackage, Refused
from lossagent.records import Message

GRAMMAR = r"""root ::= "L1:GAN=" number ":" number
number ::= [0-9] "." [0-9] [0-9]"""
PATTERN = AnswerFormat("pattern", None, GRAMMAR, max_tokens=24)
FREE = AnswerFormat("pattern", None, None, max_tokens=24)


def ask(text: str) -> tuple[Message, ...]:
    return (
        Message(role="system", content="You choose loss weights, L1:GAN=a:b."),
        Message(role="user", content=text),
    )


def model_file() -> Path:
    """A .gguf file, from the asset cache or from LOSSAGENT_GGUF."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed (extra 'llm')")
    if named := os.environ.get("LOSSAGENT_GGUF"):
        return Path(named)
    if importlib.util.find_spec("lossagent.assets") is None:
        pytest.skip("there is no asset table")
    try:
        return Path(importlib.import_module("lossagent.assets").locate("smollm2-135m-instruct"))
    except LossAgentError:
        pytest.skip("smollm2-135m-instruct is not on this machine: lossagent assets fetch, or set LOSSAGENT_GGUF")


@pytest.fixture(scope="module")
def model() -> Iterator[Embedded]:
    embedded = Embedded(model_file(), context=1024, threads=1, batch=64)
    yield embedded
    embedded.close()


def test_the_grammar_is_kept_and_the_seed_decides(model):
    first = model.complete(ask("next?"), PATTERN, 3, 60.0)
    assert first.text.startswith("L1:GAN=")
    assert first.finish == "stop"
    assert first.prompt_tokens == model.count_tokens(ask("next?"))
    assert first.completion_tokens > 0
    others = {model.complete(ask("next?"), PATTERN, seed, 60.0).text for seed in range(4, 8)}
    assert len(others) > 1


def test_repeatable_whatever_was_asked_before(model):
    question = ask("history: step 0, score 7.05. step 1, score 6.9. next?")
    first = model.complete(question, FREE, 11, 60.0).text
    model.complete(ask("history: step 0, score 7.05. next?"), FREE, 12, 60.0)
    assert model.complete(question, FREE, 11, 60.0).text == first


def test_a_schema_without_a_grammar_gives_json(model):
    schema = {
        "type": "object",
        "properties": {"move": {"type": "string", "enum": ["up", "down"]}},
        "required": ["move"],
        "additionalProperties": False,
    }
    got = model.complete(ask("next?"), AnswerFormat("json", schema, None, max_tokens=40), 1, 60.0)
    assert json.loads(got.text)["move"] in ("up", "down")


def test_a_long_prompt_is_refused_with_numbers(model):
    with pytest.raises(ChatFailed, match=r"prompt has \d+ tokens and the answer may have 24, .* context of 1024"):
        model.complete(ask("score 7.05. " * 200), FREE, 1, 10.0)


def test_the_deadline_holds_while_reading_and_while_writing(model):
    for question, cap in ((ask("score 7.05. " * 120), 24), (ask("Tell a long story."), 900)):
        begun = time.monotonic()
        # The second question may find the engine still busy with the last piece of the first one.
        with pytest.raises(ChatFailed, match=r"(no whole answer in|still stopping .* after) 0\.4 s"):
            model.complete(question, AnswerFormat("pattern", None, None, max_tokens=cap), 1, 0.4)
        assert time.monotonic() - begun < 0.4 + 0.75
    assert model.complete(ask("next?"), PATTERN, 3, 60.0).text.startswith("L1:GAN=")


def test_a_cut_off_answer_says_so(model):
    got = model.complete(ask("Tell a long story."), AnswerFormat("pattern", None, None, max_tokens=3), 1, 60.0)
    assert got.finish == "length"


def test_a_grammar_that_is_none_is_a_failure_in_words(model):
    with pytest.raises(ChatFailed, match="grammar"):
        model.complete(ask("next?"), AnswerFormat("pattern", None, "root ::= (", max_tokens=4), 1, 60.0)


def test_its_own_server_drives_the_client(model):
    client = OpenAICompatible(model.serve(), model.name, key_env=None)
    got = client.complete(ask("next?"), PATTERN, 3, 60.0)
    assert got.text.startswith("L1:GAN=")
    assert client.enforces is True
    assert model.url.startswith("http://127.0.0.1:")


def test_close_frees_and_ends(tmp_path):
    embedded = Embedded(model_file(), context=512, threads=1)
    url = embedded.serve()
    embedded.close()
    with pytest.raises(ChatFailed, match="no connection"):
        OpenAICompatible(url, "m", key_env=None, answer_mode="none").complete(ask("q"), FREE, 1, 0.3)
    with pytest.raises(Refused, match="closed"):
        embedded.complete(ask("q"), FREE, 1, 1.0)


def test_a_damaged_file_is_a_failure_in_words(tmp_path):
    whole = model_file()
    with whole.open("rb") as source:
        (tmp_path / "cut.gguf").write_bytes(source.read(500_000))
    with pytest.raises(ChatFailed, match="whole GGUF file"):
        Embedded(tmp_path / "cut.gguf", context=512, threads=1).serve()


def test_a_missing_file_and_a_missing_engine(tmp_path, monkeypatch):
    with pytest.raises(MissingAsset, match=r"no model file .*none\.gguf"):
        Embedded(tmp_path / "none.gguf").serve()
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    monkeypatch.setitem(__import__("sys").modules, "xllamacpp", None)
    with pytest.raises(MissingPackage, match=r"pip install 'lossagent\[llm\]'"):
        Embedded(tmp_path / "some.gguf").serve()


@pytest.mark.parametrize("bad", [{"context": 10}, {"batch": 0}, {"threads": 0}, {"temperature": float("nan")}])
def test_settings_that_cannot_work(bad):
    with pytest.raises(Refused):
        Embedded(**bad)
