"""Somebody's executable, called with a deadline and listened to up to a limit."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO, cast

from lossagent.errors import Failed

LIMIT = 1 << 20
"""Most bytes that an executable may print."""
TAIL = 1 << 14
"""Bytes of its standard error that are kept, from the end."""
PAUSE = 0.1
"""Seconds between looks at an executable that prints nothing."""


def output_of(words: Sequence[str], given: bytes, deadline: float) -> bytes:
    """What an executable prints. No shell; it and all that it started are killed at the end, whatever happens.

    Args:
        words: the executable and its arguments.
        given: its standard input.
        deadline: seconds.

    Raises:
        Failed: it cannot be started, prints more than a mebibyte, misses the deadline, or ends with another status
            than 0; then the last line that it wrote to its standard error is in the message.
    """
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        try:
            process = subprocess.Popen(
                words,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a process group of its own, which can be killed as one
            )
        except (OSError, ValueError) as error:
            raise Failed(f"could not be started: {getattr(error, 'strerror', None) or error}") from error
    try:
        printed, said, late = _heard(process, time.monotonic() + deadline)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        for pipe in (process.stdout, process.stderr):
            cast("BinaryIO", pipe).close()
    last = _last_line(said)
    if late:
        raise Failed(f"gave nothing within {deadline:g} s and was ended{last}")
    if len(printed) > LIMIT:
        raise Failed(f"printed more than {LIMIT >> 20} MiB and was ended{last}")
    if status < 0:
        raise Failed(f"was ended by signal {-status}{last}")
    if status > 0:
        raise Failed(f"ended with status {status}{last}")
    return bytes(printed)


def _heard(process: subprocess.Popen[bytes], end: float) -> tuple[bytearray, bytearray, bool]:
    """(standard output, end of standard error, whether the deadline was missed)."""
    printed, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(cast("BinaryIO", process.stdout), selectors.EVENT_READ, printed)
        selector.register(cast("BinaryIO", process.stderr), selectors.EVENT_READ, said)
        while selector.get_map() and len(printed) <= LIMIT:
            left = end - time.monotonic()
            if left <= 0:
                return printed, said, True
            over = process.poll() is not None
            ready = selector.select(0 if over else min(PAUSE, left))
            if over and not ready:  # something it left running still holds the pipes
                break
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
            del said[:-TAIL]
    try:
        process.wait(max(0.0, end - time.monotonic()) if len(printed) <= LIMIT else 0)
    except subprocess.TimeoutExpired:
        return printed, said, len(printed) <= LIMIT
    return printed, said, False


def _last_line(said: bytearray) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return f"; its last words: {lines[-1].strip()[:200]!r}" if lines else ""
