"""The metrics of pyiqa (extra ``iqa``), reached late: the package is neither part of this one nor imported before use.

:func:`entry` tells what pyiqa's own table says of a metric without importing it; :class:`Network` is the metric itself,
made when it is first used. Its licence, PolyForm Noncommercial, is its own: see :func:`licence_notice`.
"""

from __future__ import annotations

from lossagent.iqa.listing import Entry, entry, installed, licence_notice, names, version
from lossagent.iqa.network import Network
from lossagent.iqa.options import Scalar, check_options

__all__ = [
    "Entry",
    "Network",
    "Scalar",
    "check_options",
    "entry",
    "installed",
    "licence_notice",
    "names",
    "version",
]
