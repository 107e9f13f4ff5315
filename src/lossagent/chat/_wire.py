"""Where a chat server is, and messages as it takes them."""

from __future__ import annotations

from typing import Any

import httpx

from lossagent.chat.pictures import is_data_url
from lossagent.errors import ChatFailed, Refused
from lossagent.records import Message


def endpoint(base_url: str) -> tuple[str, str]:
    """(the URL to post to, the same as it may be shown: without a query)."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise Refused(f"base_url must be a URL such as http://127.0.0.1:8000/v1; {error}.") from None
    if url.scheme not in ("http", "https") or not url.host:
        found = without_secrets(base_url)
        raise Refused(f"base_url must begin with http:// or https:// and name a host; found {found!r}.")
    if url.userinfo:
        raise Refused("base_url must hold no user name or password; put the key in an environment variable (key_env).")
    full = url.copy_with(path=url.path.rstrip("/") + "/chat/completions", fragment=None)
    return str(full), str(full.copy_with(query=None))


def without_secrets(url: str) -> str:
    """A URL without user name, password and query."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))
    except httpx.InvalidURL:
        return "something that is no URL"


def on_the_wire(message: Message) -> dict[str, Any]:
    """Plain words as a string, which every server takes; words with pictures as content parts.

    Raises:
        ChatFailed: a picture that is only named, as a record names it.
    """
    if not message.images:
        return {"role": message.role, "content": message.content}
    if not all(is_data_url(image) for image in message.images):
        raise ChatFailed(
            "a picture of this question is only named, not there; recorded questions cannot be asked anew."
        )
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}]
    parts += [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
    return {"role": message.role, "content": parts}
