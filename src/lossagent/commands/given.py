"""Agents and language models as words of a command line: a kind, YAML in one line, or a file of settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lossagent.errors import Refused


def given(text: str, section: str) -> dict[str, Any]:
    """``respond``, ``{kind: climb, step: 2}``, or a file with such settings.

    Args:
        text: a kind, YAML, or the name of a file.
        section: ``"agent"`` or ``"chat"``; taken from a file that has more, such as an experiment's.

    Raises:
        Refused: neither.
    """
    file = Path(text)
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8") if file.is_file() else text)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise Refused(f"{section} {text!r} is neither a kind, nor YAML, nor a file of settings: {error}") from error
    if file.is_file() and isinstance(data, Mapping) and isinstance(data.get(section), Mapping):
        data = data[section]
    if isinstance(data, str):
        if file.suffix in (".yaml", ".yml"):
            raise Refused(f"{section}: there is no file {text}.")
        return {"kind": data}
    if not isinstance(data, Mapping):
        raise Refused(f"{section} must be a kind, YAML such as '{{kind: ...}}', or a file of settings; found {text!r}.")
    return {str(key): value for key, value in data.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
