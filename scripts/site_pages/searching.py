"""The search index of the site, tuned for what people type: names of the API, commands, keys of settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

KINDS = {"reference/api/": "API", "reference/settings.html": "setting", "reference/command-line.html": "command"}
"""Pages whose headings are names -> what these are."""


def tune(index: Path) -> None:
    """Rewrites ``search.json`` so that a name finds first what is called just that.

    The search ranks by where in the title a word stands, then by where in the line below the title, then in the text,
    and takes a word for every longer one that begins with it. So a setting's title is its key alone, a command's its
    name; the line below begins with the name and says what it is and where, "batch: setting / training.batch"; the text
    begins with it, too; and of names that are still alike the shorter one stands first, the API before a setting.
    """
    found = json.loads(index.read_text(encoding="utf-8"))
    found["items"].sort(key=_tuned)
    index.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def _tuned(entry: dict[str, Any]) -> int:
    """Changes an entry; gives the length of the line that begins with its name, 0 for what is no name.

    Members of classes stay as they are, behind what is called by the same name itself.
    """
    page, _, anchor = entry["location"].partition("#")
    kind = next((KINDS[start] for start in KINDS if page.startswith(start)), "")
    if not anchor or not kind or (kind == "API" and entry["level"] > 2):
        return 0
    place = re.sub(r"<[^>]+>", "", entry["title"])
    if kind == "API":
        place, _, name = anchor.rpartition(".")
    else:
        name = place.removeprefix("lossagent ")
        if kind == "setting":
            name = re.split(r"[. ]", place.split(" of ")[0].replace("[]", ""))[-1]
        entry["title"] = f"<code>{name}</code>"
    entry["path"] = [f"{name}: {kind}", place]
    entry["text"] = f"<p><code>{name}</code></p> {entry['text']}"
    return len(entry["path"][0])
