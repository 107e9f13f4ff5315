"""The password: a form, a session cookie, and patience with wrong tries."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict

SESSIONS = 1000
"""Logins that are remembered; the oldest ends when there are more."""
TRIES, WINDOW = 5, 60.0
"""Wrong tries from one address within so many seconds."""
ALL_TRIES = 60
"""Wrong tries from all addresses within the same time."""
FORM = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lossagent: log in</title>
<link rel="stylesheet" href="/static/style.css">
</head>
<body class="login">
<main>
<h1>lossagent</h1>
<form method="post" action="/login">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button>
<p role="alert">{message}</p>
</form>
</main>
</body>
</html>
"""
"""``{message}`` takes a sentence of ours, never anything that was sent."""


class Gate:
    """Who may come in.

    Args:
        password: what opens it; ``None`` leaves it open.
    """

    def __init__(self, password: str | None) -> None:
        self._key = secrets.token_bytes(32)
        self._wanted = self._digest(password) if password is not None else None
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()
        self.cookie = f"lossagent-{secrets.token_hex(4)}"

    @property
    def closed(self) -> bool:
        """Whether a password is asked for."""
        return self._wanted is not None

    def admits(self, session: str | None) -> bool:
        """Whether a session cookie opens it."""
        if self._wanted is None:
            return True
        with self._lock:
            return session is not None and session in self._sessions

    def wait(self, address: str) -> float:
        """Seconds until an address may try again; 0.0 for now."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            own = self._wrong.get(address, [])
            every = sorted(t for several in self._wrong.values() for t in several)
        waits = [0.0]
        if len(own) >= TRIES:
            waits.append(own[-TRIES] + WINDOW - now)
        if len(every) >= ALL_TRIES:
            waits.append(every[-ALL_TRIES] + WINDOW - now)
        return max(waits)

    def enter(self, address: str, password: str) -> str | None:
        """A new session for the right password; ``None`` for a wrong one, which counts against the address."""
        if self._wanted is None or not hmac.compare_digest(self._digest(password), self._wanted):
            with self._lock:
                self._wrong.setdefault(address, []).append(time.monotonic())
            return None
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._wrong.pop(address, None)
            self._sessions[session] = None
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def leave(self, session: str | None) -> None:
        """Ends a session."""
        with self._lock:
            self._sessions.pop(session or "", None)

    def _digest(self, password: str) -> bytes:
        """Of one length whatever was sent, so that a comparison takes the same time."""
        return hmac.new(self._key, password.encode(errors="surrogatepass"), hashlib.sha256).digest()

    def _forget(self, now: float) -> None:
        for address in list(self._wrong):
            recent = [t for t in self._wrong[address] if now - t < WINDOW]
            if recent:
                self._wrong[address] = recent
            else:
                del self._wrong[address]
