"""How many bytes a response has, as far as it says: texts, bytes, and what frameworks return."""

from __future__ import annotations

from typing import Any


def body_size(response: Any) -> float | None:
    """
    Return the bytes of the body of `response`; None if it has none, or does not know, as a stream.

    Of a tuple, as Flask takes it (`body, status`), the first part is the body.
    """
    body: Any = response
    if isinstance(response, tuple) and response:
        body = response[0]  # pyright: ignore[reportUnknownVariableType]
    size = _length(body)
    for measure in (_calculated, _declared, _held):
        if size is None:
            size = measure(body)
    return None if size is None else float(size)


def _length(body: Any) -> int | None:
    if isinstance(body, str):
        return len(body.encode(errors="surrogatepass"))
    if isinstance(body, memoryview):
        return body.nbytes
    return len(body) if isinstance(body, (bytes, bytearray)) else None


def _calculated(response: Any) -> int | None:
    """Ask a response of Flask, or of another framework on Werkzeug."""
    calculate: Any = getattr(response, "calculate_content_length", None)
    # Of a stream it would be asked in vain, or would read it.
    is_known = callable(calculate) and getattr(response, "is_sequence", None) is True
    size: Any = calculate() if is_known else None
    return size if isinstance(size, int) else None


def _declared(response: Any) -> int | None:
    """Read the header of a response."""
    get: Any = getattr(getattr(response, "headers", None), "get", None)
    size: Any = get("content-length") if callable(get) else None
    return int(size) if isinstance(size, str) and size.isascii() and size.isdecimal() else None


def _held(response: Any) -> int | None:
    """Look at the body that a response of Starlette, or of Django, holds."""
    for name in ("body", "content"):
        size = _length(getattr(response, name, None))
        if size is not None:
            return size
    return None
