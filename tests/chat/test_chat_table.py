"""Chat models from an experiment file."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from lossagent import chat
from lossagent.chat import ChatSettings, Embedded, OpenAICompatible, Replay, Scripted, create
from lossagent.errors import ChatFailed, Refused
from lossagent.records import Exchange, Message

SETTINGS = TypeAdapter(ChatSettings)


def test_each_kind_makes_its_model(tmp_path):
    (tmp_path / "exchanges").mkdir()
    line = Exchange(key="pooled/0", author="m", messages=(Message(role="user", content="q"),), raw="a")
    (tmp_path / "exchanges" / "state-0001.jsonl").write_text(line.model_dump_json() + "\n")
    written = {
        Embedded: {"kind": "embedded"},
        OpenAICompatible: {"kind": "server", "base_url": "http://127.0.0.1:1/v1", "model": "m"},
        Scripted: {"kind": "scripted", "replies": ["a"]},
        Replay: {"kind": "replay", "run": str(tmp_path)},
    }
    for kind, settings in written.items():
        parsed = SETTINGS.validate_python(settings)
        model = create(parsed)
        assert isinstance(model, kind)
        assert SETTINGS.validate_json(SETTINGS.dump_json(parsed)) == parsed
        model.close()


def test_every_setting_reaches_its_model():
    server = create(
        SETTINGS.validate_python(
            {"kind": "server", "base_url": "http://127.0.0.1:1/v1", "model": "m", "max_total_tokens": 5}
        )
    )
    with pytest.raises(ChatFailed, match="cap of 5 tokens"):
        server.complete([Message(role="user", content="q")], chat.AnswerFormat("pattern", None, None), 0, 1.0)
    embedded = create(SETTINGS.validate_python({"kind": "embedded", "model": "a/b.gguf", "context": 512, "threads": 3}))
    assert isinstance(embedded, Embedded)
    assert (embedded.name, embedded.context, embedded.threads) == ("b", 512, 3)


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "oracle"},
        {"kind": "embedded", "contxt": 5},
        {"kind": "embedded", "context": 5},
        {"kind": "embedded", "temperature": float("nan")},
        {"kind": "scripted", "replies": []},
        {"kind": "server", "model": "m"},
        {"kind": "server", "base_url": "http://h", "model": "m", "answer_mode": "magic"},
    ],
)
def test_unknown_keys_and_values_are_refused(bad):
    with pytest.raises(ValidationError):
        SETTINGS.validate_python(bad)


def test_a_key_written_into_the_file_is_refused_and_not_repeated():
    with pytest.raises(ValidationError) as caught:
        SETTINGS.validate_python({"kind": "server", "base_url": "http://h", "model": "m", "api_key": "sk-secret"})
    assert "sk-secret" not in str(caught.value)
    assert "api_key" in str(caught.value)


def test_cost_needs_prices():
    parsed = SETTINGS.validate_python({"kind": "server", "base_url": "http://h/v1", "model": "m", "max_cost": 1.0})
    with pytest.raises(Refused, match="prompt_price"):
        create(parsed)


def test_public_names_are_exported():
    assert sorted(chat.__all__) == chat.__all__
    assert all(hasattr(chat, name) for name in chat.__all__)
