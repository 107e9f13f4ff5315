"""docs/reference/settings.md: every setting, from the published JSON Schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from lossagent.schema import schema

INTRODUCTION = """\
# Every setting

<!-- Written by scripts/write_reference.py from the settings themselves. -->

Unknown keys are refused, with the key that was probably meant. Any key can be set on the command line by its path, as
in `lossagent run experiment.yaml training.stages=12`. `lossagent recipe classical-sr` prints a complete, commented file
to start from; `lossagent run experiment.yaml --dry-run` says what the settings together lead to.

**In an editor.** `lossagent schema experiment --out experiment.schema.json` writes what is below as a JSON Schema (also
`study` and `loop`; here as files: [experiment](../schema/experiment.json), [study](../schema/study.json),
[loop](../schema/loop.json)). With this first line an editor with a YAML language server completes keys, shows what they
mean and marks what is wrong:

```yaml
# yaml-language-server: $schema=experiment.schema.json
```

How to read the tables: `NAME` is a name of your own, `[]` an entry of a list. A default of `null` means: none, or what
the text says.

"""
LOOP = """\
## A loop of your own

`lossagent.steer` takes the first of these as arguments and the others in `settings`; they are kept in the run folder as
`loop.yaml`. Sections that an experiment has, too, mean the same: see there.

"""
STUDY = """\
## Study

The file that `lossagent compare` runs: see [studies](../studies.md).

"""
Schema = Mapping[str, Any]


def page() -> str:
    """The whole page."""
    experiment, study, loop = (Book(schema(kind), kind) for kind in ("experiment", "study", "loop"))
    parts = [INTRODUCTION, "## Experiment\n\n", experiment.text()]
    parts += [STUDY, study.text()]
    parts += [LOOP, loop.text(known=experiment)]
    return "".join(parts)


class Book:
    """The tables of one kind of file.

    Args:
        whole: its JSON Schema.
        kind: the kind; what the headings of its parts begin with, but for an experiment's.
    """

    def __init__(self, whole: Schema, kind: str) -> None:
        self.whole = whole
        self.prefix = "" if kind == "experiment" else f"{kind.capitalize()}: "
        self.before: Book | None = None
        self.places: dict[str, list[str]] = {}
        self._visit(whole, "")
        for places in self.places.values():
            places.sort(key=lambda place: place.partition(" ")[0].count("."))

    def text(self, known: Book | None = None) -> str:
        """The tables: the file's own keys, then a section for each part that is not in a book that comes before."""
        self.before = known
        parts = [self._table(self.whole)]
        for name in self.places:
            if known is None or name not in known.places:
                part = _object(self.whole["$defs"][name])
                also = self._also(name)
                parts.append(f"### {self._heading(name)}\n\n{also}{part.get('description', '')}\n\n{self._table(part)}")
        return "".join(parts)

    def _heading(self, name: str) -> str:
        path, _, kind = self.places[name][0].partition(" kind: ")
        return f"{self.prefix}`{path}`" + (f" of kind `{kind}`" if kind else "")

    def _also(self, name: str) -> str:
        others = [place.partition(" kind: ")[0] for place in self.places[name][1:]]
        return f"Also {', '.join(f'`{other}`' for other in others)}.\n\n" if others else ""

    def _visit(self, part: Schema, path: str) -> None:
        for key, entry in _object(part).get("properties", {}).items():
            here = f"{path}.{key}" if path else key
            for name, place in self._parts(entry, here):
                places = self.places.setdefault(name, [])
                if place not in places and place.replace("[]", "") not in places:
                    places.append(place)
                    if len(places) == 1:
                        self._visit(self.whole["$defs"][name], place.split(" ")[0])

    def _parts(self, entry: Schema, path: str) -> Iterator[tuple[str, str]]:
        """(name of a definition, where it stands) of what a value may be made of."""
        if "$ref" in entry:
            name = _name(entry)
            kind = _object(self.whole["$defs"][name]).get("properties", {}).get("kind", {}).get("const")
            yield name, path if kind is None else f"{path} kind: {kind}"
        for inner in (*entry.get("anyOf", ()), *entry.get("oneOf", ())):
            yield from self._parts(inner, path)
        if isinstance(entry.get("items"), Mapping):
            yield from self._parts(entry["items"], f"{path}[]")
        for inner in (*entry.get("patternProperties", {}).values(), entry.get("additionalProperties")):
            if isinstance(inner, Mapping):
                yield from self._parts(inner, f"{path}.NAME")

    def _anchor(self, name: str) -> str:
        """What Markdown makes of the heading."""
        if self.before is not None and name in self.before.places:
            return self.before._anchor(name)
        return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", self._heading(name)).strip().lower())

    def _table(self, part: Schema) -> str:
        properties = part.get("properties")
        if not properties:
            return "\n"
        rows = ["| key | meaning | type | default | unit |", "|---|---|---|---|---|"]
        for key, entry in sorted(properties.items(), key=lambda item: item[0] != "kind"):
            default = "**required**" if key in part.get("required", ()) else _default(entry)
            if key == "kind" and "const" in entry:
                default = "**required**"
            cells = (f"`{key}`", entry.get("description", ""), self._type(entry), default, entry.get("x-unit", ""))
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return "\n".join(rows) + "\n\n"

    def _type(self, entry: Schema) -> str:
        """The type of a value in words."""
        if "$ref" in entry:
            name = _name(entry)
            return f"[section](#{self._anchor(name)})" if name in self.places else "section"
        if "const" in entry:
            return f"`{entry['const']}`"
        if "enum" in entry:
            return " or ".join(f"`{_yaml(value)}`" for value in entry["enum"])
        if choices := (*entry.get("anyOf", ()), *entry.get("oneOf", ())):
            if "discriminator" in entry:
                links = (self._link(kind, ref) for kind, ref in entry["discriminator"]["mapping"].items())
                return "kind: " + ", ".join(links)
            kinds = {kind for choice in choices for kind in choice.get("discriminator", {}).get("mapping", ())}
            words = (
                "the kind alone" if kinds >= set(choice.get("enum", ("",))) else self._type(choice)
                for choice in choices
            )
            return " or ".join(dict.fromkeys(words))
        return self._plain(entry)

    def _link(self, kind: str, ref: str) -> str:
        name = ref.rsplit("/", 1)[-1]
        return f"[`{kind}`](#{self._anchor(name)})" if name in self.places else f"`{kind}`"

    def _plain(self, entry: Schema) -> str:
        named = [v for v in (*entry.get("patternProperties", {}).values(), entry.get("additionalProperties")) if v]
        match entry.get("type"):
            case "array" if "prefixItems" in entry:
                return "list: " + ", ".join(self._type(item) for item in entry["prefixItems"])
            case "array":
                return f"list of {self._type(entry.get('items', {}))}"
            case "object" if named and isinstance(named[0], Mapping):
                return f"name: {self._type(named[0])}"
            case "object":
                return "mapping"
            case "boolean":
                return "`true` or `false`"
            case "null":
                return "`null`"
            case "integer" | "number" as number:
                return " ".join([number, ", ".join(_limits(entry))]).strip()
            case "string":
                return "path" if entry.get("format") == "path" else "text"
            case _:
                return "anything"


def _object(part: Schema) -> Schema:
    """The mapping among the forms that a part may have."""
    return next((form for form in part.get("anyOf", ()) if "properties" in form), part)


def _name(entry: Schema) -> str:
    return entry["$ref"].rsplit("/", 1)[-1]


def _kinds(entry: Schema) -> set[str]:
    """The kinds that a value may have, however deep they stand."""
    inner = (*entry.get("anyOf", ()), *entry.get("oneOf", ()))
    return set(entry.get("discriminator", {}).get("mapping", ())).union(*map(_kinds, inner))


def _limits(entry: Schema) -> list[str]:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [(sign, entry[key]) for key, sign in signs.items() if key in entry]
    return [f"{sign} {'2^63' if value == 2**63 else value}" for sign, value in limits]


def _default(entry: Schema) -> str:
    if "default" not in entry:
        return ""
    value = entry["default"]
    if isinstance(value, dict) and len(value) > 2:
        return "those below"
    return f"`{_yaml(value)}`"


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()
