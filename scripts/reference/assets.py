"""docs/reference/assets.md: the files that come from elsewhere."""

from __future__ import annotations

from lossagent.assets import ASSETS, Asset

INTRODUCTION = """\
# Asset files

<!-- Written by scripts/write_reference.py from lossagent.assets. -->

Weights that are no part of this package. Nothing is fetched unasked: a run that needs one says its name and the
command.

```sh
lossagent assets list                      # what is here, what is missing
lossagent assets fetch efficientnet-lite0  # by name; several at once
lossagent assets verify                    # sizes and SHA-256 of what is here
```

They lie in `$LOSSAGENT_HOME`, or `~/.cache/lossagent` where that is not set, under the file names below. Without a
network, put a file there by hand: it is held to the same size and SHA-256. Where a SHA-256 is not published, or only
its first digits are, the whole one is kept beside the file when it first arrives, and every later look is held to
that.

"""


def page() -> str:
    """The whole page."""
    rows = ["| name | what for | licence | size |", "|---|---|---|---|"]
    rows += [
        f"| [`{a.name}`](#{_anchor(a)}) | {_cell(a.what)} | {_cell(a.licence)} | {a.megabytes} |"
        for a in ASSETS.values()
    ]
    return INTRODUCTION + "\n".join(rows) + "\n\n" + "\n".join(map(_section, ASSETS.values()))


def _section(asset: Asset) -> str:
    size = "not published" if asset.size is None else f"{asset.size:,} bytes"
    digits = f"`{asset.sha256}`" if asset.sha256 else "not published"
    begins = " (its first digits)" if 0 < len(asset.sha256) < 64 else ""
    return f"""\
## {asset.name}

{asset.what}.

- licence: {asset.licence}
- file: `{asset.file}`, {size}
- SHA-256{begins}: {digits}
- from: `{asset.origin}`
"""


def _anchor(asset: Asset) -> str:
    return asset.name.replace(".", "").lower()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
