"""How servers are told the form of an answer, and a question that shows whether they obey.

Servers ignore fields that they do not know, so acceptance proves nothing. The probe asks for one thing in words
and for another by schema or grammar: only a server that enforces gives the second.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from lossagent.chat.base import AnswerFormat
from lossagent.records import Message

Mode = Literal["json_schema", "grammar", "structured_outputs", "guided", "none"]
"""A way to hand the form over:

* ``json_schema``: ``response_format`` of OpenAI, vLLM, llama.cpp, Ollama; JSON answers only.
* ``grammar``: a GBNF grammar in the field ``grammar`` (llama.cpp).
* ``structured_outputs``: vLLM since 0.11, schema or grammar.
* ``guided``: vLLM before 0.12 (``guided_json``, ``guided_grammar``).
* ``none``: only the prompt says it.
"""

PROBE: tuple[Message, ...] = (Message(role="user", content="Reply with the single word hello and nothing else."),)
_WORD = "zq7-kx4"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"code": {"type": "string", "enum": [_WORD]}},
    "required": ["code"],
    "additionalProperties": False,
}


def fields(mode: Mode, answer: AnswerFormat) -> dict[str, Any]:
    """The fields of the request body for a form; empty where the mode cannot express it."""
    schema, grammar = answer.json_schema, answer.grammar
    match mode:
        case "json_schema" if schema is not None:
            named = {"name": answer.name, "schema": dict(schema), "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case "grammar" if grammar is not None:
            return {"grammar": grammar}
        case "structured_outputs" if schema is not None:
            return {"structured_outputs": {"json": dict(schema)}}
        case "structured_outputs" if grammar is not None:
            return {"structured_outputs": {"grammar": grammar}}
        case "guided" if schema is not None:
            return {"guided_json": dict(schema)}
        case "guided" if grammar is not None:
            return {"guided_grammar": grammar}
        case _:
            return {}


def candidates(answer: AnswerFormat) -> tuple[Mode, ...]:
    """The modes worth probing for a form, most widespread first."""
    if answer.json_schema is not None:
        return ("json_schema", "grammar") if answer.grammar is not None else ("json_schema",)
    return ("grammar", "structured_outputs") if answer.grammar is not None else ()


def probe_format(mode: Mode) -> AnswerFormat:
    """The form that contradicts :data:`PROBE`."""
    if mode == "json_schema":
        return AnswerFormat("probe", json_schema=_SCHEMA, grammar=None, max_tokens=32)
    return AnswerFormat("probe", json_schema=None, grammar=f'root ::= "{_WORD}"', max_tokens=32)


def obeyed(mode: Mode, text: str) -> bool:
    """Whether the answer to a probe followed the form instead of the words."""
    if mode != "json_schema":
        return text.strip() == _WORD
    try:
        return bool(json.loads(text) == {"code": _WORD})
    except (ValueError, RecursionError):
        return False
