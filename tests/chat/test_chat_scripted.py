"""The scripted double and the replay."""

from __future__ import annotations

import pytest

from lossagent.chat import AnswerFormat, Completion, Replay, Scripted
from lossagent.errors import ChatFailed, Damaged, Refused
from lossagent.records import Exchange, Message

FREE = AnswerFormat("pattern", None, None)


def ask(text: str, system: str = "rules") -> tuple[Message, ...]:
    return (Message(role="system", content=system), Message(role="user", content=text))


def recorded(text: str, raw: str | None, key: str = "pooled/0", **more: object) -> Exchange:
    return Exchange(key=key, author="llama", messages=ask(text), raw=raw, **more)


def test_a_list_is_read_in_order_and_calls_are_kept():
    failure = ChatFailed("down")
    cut = Completion("half", "x", finish="length")
    model = Scripted(["a", failure, cut])
    assert model.complete(ask("1"), FREE, 3, 1.0).text == "a"
    with pytest.raises(ChatFailed, match="down"):
        model.complete(ask("2"), FREE, 4, 1.0)
    assert model.complete(ask("3"), FREE, 5, 1.0) == cut
    with pytest.raises(ChatFailed, match="has 3 replies"):
        model.complete(ask("4"), FREE, 6, 1.0)
    assert [c.seed for c in model.calls] == [3, 4, 5, 6]
    assert model.calls[0].messages == ask("1")


def test_a_function_makes_it_stateless():
    def reply(messages, seed):
        return f"{messages[-1].content}/{seed}"

    one, two = Scripted(reply), Scripted(reply, name="double")
    two.complete(ask("earlier"), FREE, 0, 1.0)
    assert one.complete(ask("q"), FREE, 7, 1.0).text == two.complete(ask("q"), FREE, 7, 1.0).text == "q/7"
    assert two.complete(ask("q"), FREE, 7, 1.0).model == two.name == "double"


def test_replay_matches_messages_whatever_the_order_and_counts_repetitions():
    model = Replay(
        [
            recorded("q", "first", prompt_tokens=5, completion_tokens=2, seconds=1.5),
            recorded("other", "o"),
            recorded("q", "second"),
        ]
    )
    assert model.complete(ask("other"), FREE, 0, 1.0).text == "o"
    first = model.complete(ask("q"), FREE, 9, 1.0)
    assert first == Completion("first", "llama", 5, 2, 1.5)
    assert model.complete(ask("q"), FREE, 0, 1.0).text == "second"
    with pytest.raises(ChatFailed, match="asked 2 times in the recording"):
        model.complete(ask("q"), FREE, 0, 1.0)


def test_replay_repeats_a_recorded_failure():
    model = Replay([recorded("q", None, problem="the server hung")])
    with pytest.raises(ChatFailed, match="the server hung"):
        model.complete(ask("q"), FREE, 0, 1.0)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (ask("score 2.6"), r"'image:a/1'; first difference: message 2 \(user\), character 8"),
        (ask("score 2.5", "rules!"), r"message 1 \(system\), character 5"),
        (ask("score 2.5")[:1], "1 messages now, 2 recorded"),
        ((Message(role="user", content="rules"),), "role 'user' now, 'system' recorded"),
    ],
)
def test_replay_names_the_first_difference(asked, told):
    model = Replay([recorded("something else", "x"), recorded("score 2.5", "y", key="image:a/1")])
    if "role" in told:
        model = Replay([recorded("score 2.5", "y")])
    with pytest.raises(ChatFailed, match=told):
        model.complete(asked, FREE, 0, 1.0)


def test_replay_of_nothing_says_so():
    with pytest.raises(ChatFailed, match="holds no question"):
        Replay([]).complete(ask("q"), FREE, 0, 1.0)


def test_replay_reads_a_run_folder_and_drops_a_torn_last_line(tmp_path):
    folder = tmp_path / "exchanges"
    folder.mkdir()
    line = recorded("q", "a").model_dump_json()
    (folder / "state-0002.jsonl").write_text(recorded("q", "later").model_dump_json() + "\n")
    (folder / "state-0001.jsonl").write_text(line + "\n" + line[:20])
    model = Replay.from_folder(tmp_path)
    assert [model.complete(ask("q"), FREE, 0, 1.0).text for _ in range(2)] == ["a", "later"]

    (folder / "state-0001.jsonl").write_text(line[:20] + "\n" + line + "\n")
    with pytest.raises(Damaged, match="line 1"):
        Replay.from_folder(tmp_path)


def test_replay_refuses_a_folder_without_exchanges(tmp_path):
    with pytest.raises(Refused, match="nothing to replay"):
        Replay.from_folder(tmp_path)
