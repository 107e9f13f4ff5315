"""Grammars for engines, as regular expressions that tests can match with."""

from __future__ import annotations

import json
import re


def as_regex(grammar: str) -> re.Pattern[str]:
    """A GBNF grammar without recursion as a regular expression."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.split("\n"))

    def translate(body: str) -> str:
        parts: list[str] = []
        for token in re.findall(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\](?:\{[\d,]+\})?|[a-z]+|[()|]', body):
            if token[0] == '"':
                parts.append(re.escape(json.loads(token)))
            elif token[0] == "[" or token in "()|":
                parts.append(token)
            else:
                parts.append(f"(?:{translate(rules[token])})")
        return "".join(parts)

    return re.compile(translate(rules["root"]))
