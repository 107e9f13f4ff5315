"""Pictures in chats: what is sent, what is recorded, how they are recognised and counted."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import fault_server as fs
from lossagent.chat import AnswerFormat, Completion, Embedded, OpenAICompatible, Replay
from lossagent.chat.pictures import data_url, fingerprint, pixels_of, reference, size_of, token_guess
from lossagent.chat.replay import digest
from lossagent.errors import ChatFailed, Refused
from lossagent.records import Exchange, Message

FREE = AnswerFormat("words", None, None, max_tokens=32)


@pytest.fixture
def picture(rng) -> np.ndarray:
    return rng.integers(0, 256, (20, 31, 3), dtype=np.uint8)


def client(url: str, **settings) -> OpenAICompatible:
    return OpenAICompatible(url, "m", **{"key_env": None, "retries": 0, **settings})


def test_a_data_url_is_lossless_and_its_header_tells_the_size(picture):
    url = data_url(picture)
    np.testing.assert_array_equal(pixels_of(url), picture)
    assert size_of(url) == (20, 31)
    assert token_guess(url) == 256 + 2
    assert size_of("data:image/png;base64,AAAA") == (0, 0)


@pytest.mark.parametrize("url", ["http://x/a.png", "data:image/png;base64,!!", "data:image/png;base64,QUJD", ""])
def test_what_is_no_picture_is_refused(url):
    with pytest.raises(Refused, match="PNG"):
        pixels_of(url)


def test_a_record_recognises_the_picture_that_was_sent(picture):
    url = data_url(picture)
    kept = reference("a (b)", url)
    assert kept.startswith("a (b) (")
    assert len(kept) < 100
    assert fingerprint(kept) == fingerprint(url)
    assert fingerprint(data_url(picture[:, ::-1].copy())) != fingerprint(url)


def test_words_with_pictures_are_content_parts_and_words_alone_a_string(fault_server, picture):
    url = data_url(picture)
    messages = (
        Message(role="system", content="rules"),
        Message(role="user", content="what is wrong?", images=(url, url)),
    )
    assert client(fault_server.url).complete(messages, FREE, 1, 2.0).text == "ok"
    (request,) = fault_server.requests
    shown = {"type": "image_url", "image_url": {"url": url}}
    assert request.body["messages"] == [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": [{"type": "text", "text": "what is wrong?"}, shown, shown]},
    ]


def test_a_recorded_picture_is_not_sent(fault_server, picture):
    message = Message(role="user", content="q", images=(reference("a", data_url(picture)),))
    with pytest.raises(ChatFailed, match="only named"):
        client(fault_server.url).complete((message,), FREE, 1, 2.0)
    assert fault_server.requests == []


def test_the_letters_of_a_picture_are_no_tokens(fault_server, rng):
    large = data_url(rng.integers(0, 256, (300, 300, 3), dtype=np.uint8))
    assert len(large) > 300_000
    message = Message(role="user", content="q", images=(large,))
    fault_server.play(fs.answer("fine", usage={}))
    model = client(fault_server.url, max_total_tokens=1000)
    model.complete((message,), FREE, 1, 2.0)
    assert 256 < model.spending.tokens < 500
    with pytest.raises(ChatFailed, match="max_total_tokens"):
        client(fault_server.url, max_total_tokens=200).complete((message,), FREE, 1, 2.0)


def test_the_embedded_model_says_that_it_sees_no_pictures(picture):
    message = Message(role="user", content="q", images=(data_url(picture),))
    with pytest.raises(ChatFailed, match="words only"):
        Embedded("smollm2-135m-instruct").complete((message,), FREE, 1, 2.0)


def test_a_replay_finds_questions_by_their_pictures(picture):
    url, other = data_url(picture), data_url(picture[::-1].copy())

    def question(*images: str) -> tuple[Message, ...]:
        return (Message(role="user", content="what is wrong?", images=images),)

    recorded = Exchange(key="review/v/a/0", author="m", messages=question(reference("a", url)), raw="blur")
    replay = Replay([Exchange.model_validate_json(recorded.model_dump_json())])
    assert replay.complete(question(url), FREE, 0, 1.0).text == "blur"
    with pytest.raises(ChatFailed, match="other pictures, 1 now, 1 recorded"):
        replay.complete(question(other), FREE, 0, 1.0)
    with pytest.raises(ChatFailed, match="other pictures, 0 now"):
        replay.complete(question(), FREE, 0, 1.0)


def test_the_digest_of_words_alone_is_what_it_was():
    words = (Message(role="user", content="q"),)
    assert digest(words) == hashlib.sha256(json.dumps([["user", "q"]]).encode()).hexdigest()


def test_an_answer_can_always_be_written_down():
    assert Completion("a\ud800b", "m").text == "a?b"
    assert Completion("é 𝟓", "m").text == "é 𝟓"
