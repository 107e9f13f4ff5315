"""docs/reference/settings.md: every setting, from the published JSON Schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from lossagent.schema import schema
from reference.linking import linked

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

How to read it: `NAME` is a name of your own, `[]` an entry of a list. Under each key stand its type, its unit and its
default, then what it means, and why the default is what it is or when to take another. A default of `null` means: none,
or what the text says.

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
_KIND = " kind: "


def page() -> str:
    """The whole page."""
    experiment, study, loop = (Book(schema(kind), kind) for kind in ("experiment", "study", "loop"))
    parts = [INTRODUCTION, "## Experiment\n\n", experiment.text()]
    parts += [STUDY, study.text()]
    parts += [LOOP, loop.text(known=experiment)]
    return "".join(parts)


class Book:
    """What a kind of file holds.

    Args:
        whole: its JSON Schema.
        kind: the kind; what the headings of its parts begin with, but for an experiment's.
    """

    def __init__(self, whole: Schema, kind: str) -> None:
        self.whole = whole
        self.prefix = "" if kind == "experiment" else f"{kind.capitalize()}: "
        self.before: Book | None = None
        self.places: dict[str, list[str]] = {}
        self.keys: dict[str, list[tuple[str, Schema, bool]]] = {}
        self._visit(whole, "")
        for places in self.places.values():
            places.sort(key=lambda place: place.partition(_KIND)[0].count("."))

    def text(self, known: Book | None = None) -> str:
        """Its entries: the file's own keys, then a section for each part that is not in a book that comes before."""
        self.before = known
        parts = [self._keys(self.whole, "")]
        for name, (place, *others) in self.places.items():
            if known is None or name not in known.places:
                part = _object(self.whole["$defs"][name])
                also = f"Also {', '.join(f'`{other.partition(_KIND)[0]}`' for other in others)}.\n\n" if others else ""
                key = next((key for key in self.keys[name] if self._opens(key[0], name)), None)
                text = part.get("description", "")
                own = self._own(*key[1:], text) if key else ""
                about = f"{own}{also}{linked(text)}{_guide(place)}"
                parts.append(f"### {self._heading(place)}\n\n{about}\n\n{self._keys(part, place)}")
        return "".join(parts)

    def _heading(self, place: str) -> str:
        path, _, kind = place.partition(_KIND)
        return f"{self.prefix}`{path}`" + (f" of kind `{kind}`" if kind else "")

    def _opens(self, path: str, name: str) -> bool:
        """Whether a key's entry and the section of a part would have one heading: then they are one."""
        return _slug(self._heading(path)) == _slug(self._heading(self.places[name][0]))

    def _visit(self, part: Schema, path: str) -> None:
        for key, entry in _object(part).get("properties", {}).items():
            here = f"{path}.{key}" if path else key
            for name, place in self._parts(entry, here):
                self.keys.setdefault(name, []).append((here, entry, key in _object(part).get("required", ())))
                places = self.places.setdefault(name, [])
                if place not in places and place.replace("[]", "") not in places:
                    places.append(place)
                    if len(places) == 1:
                        self._visit(self.whole["$defs"][name], place.partition(_KIND)[0])

    def _parts(self, entry: Schema, path: str) -> Iterator[tuple[str, str]]:
        """(name of a definition, where it stands) of what a value may be made of."""
        if "$ref" in entry:
            name = _name(entry)
            kind = _object(self.whole["$defs"][name]).get("properties", {}).get("kind", {}).get("const")
            yield name, path if kind is None else f"{path}{_KIND}{kind}"
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
        return _slug(self._heading(self.places[name][0]))

    def _keys(self, part: Schema, place: str) -> str:
        """An entry with a heading of its own for each key, so that the search finds it and narrow windows hold it."""
        path, _, kind = place.partition(_KIND)
        entries: list[str] = []
        sections: list[str] = []
        for key, entry in part.get("properties", {}).items():
            here = f"{path}.{key}" if path else key
            opened = next((name for name, _ in self._parts(entry, here) if self._is_here(name, here)), None)
            if opened is not None:
                sections.append(f"[`{here}`](#{self._anchor(opened)})")
            elif not (key == "kind" and "const" in entry):  # the heading of the section says it
                of = f" of `{kind}`" if kind else ""
                about = self._about(entry, key in part.get("required", ()))
                text = linked(_sentence(entry.get("description", "")))
                entries.append(f"#### {self.prefix}`{here}`{of}\n\n{about}{text}{_reason(entry)}\n\n")
        return "".join([*entries, f"Sections of their own: {', '.join(sections)}.\n\n" if sections else ""])

    def _is_here(self, name: str, path: str) -> bool:
        """Whether a key is the one that a section of this book opens with."""
        return (self.before is None or name not in self.before.places) and self._opens(path, name)

    def _own(self, entry: Schema, required: bool, part: str) -> str:
        """What is to be said of a key whose section begins here."""
        facts = re.sub(r"\[(section)\]\([^)]*\)", r"\1", self._about(entry, required))
        text = _sentence(entry.get("description", ""))
        said = part.startswith(text.removesuffix("."))
        return f"{facts}{'' if said else linked(text)}{_reason(entry)}".rstrip() + "\n\n"

    def _about(self, entry: Schema, required: bool) -> str:
        """Type, unit and default."""
        unit = f" · {entry['x-unit']}" if "x-unit" in entry else ""
        return f"{self._type(entry)}{unit} · {'**required**' if required else _default(entry)}\n\n"

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
            kinds = _kinds(entry)
            words = (
                "the kind alone" if kinds and set(choice.get("enum", ("",))) - {None} <= kinds else self._type(choice)
                for choice in choices
                if choice.get("const") is not False  # what YAML 1.1 makes of "off"
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


def _slug(heading: str) -> str:
    """What a heading can be linked to as."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def _guide(place: str) -> str:
    """How a kind is written, and the page about an agent."""
    path, _, kind = place.partition(_KIND)
    page = f" [All about it](../agents/{kind}.md)." if path == "agent" and kind else ""
    return f" Written `kind: {kind}`.{page}" if kind else page


def _reason(entry: Schema) -> str:
    return f"\n\n*Why:* {linked(entry['x-reason'])}" if "x-reason" in entry else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _default(entry: Schema) -> str:
    if "x-default" in entry:
        return f"default: {linked(entry['x-default'])}"
    value = entry["default"]
    if isinstance(value, dict) and len(value) > 2:
        return "default: those below"
    return f"default: `{_yaml(value)}`"


def _yaml(value: object) -> str:
    if value in ("on", "off"):  # quotes are YAML 1.1's, whose "off" is false; as a setting it means the same
        return str(value)
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()
