"""What the servers of the tests serve: an application with one profiled view."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import phanos
from phanos.publisher import PrometheusHandler

phanos.profiler.config(job="JOB")
phanos.profiler.add_handler(
    PrometheusHandler("prometheus", **json.loads(os.environ["HANDLER_ARGUMENTS"]))
)


@phanos.profile
def load() -> int:
    return os.getpid()


@phanos.profile
def view() -> int:
    return load()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = str(view()).encode()
    start_response("200 OK", [("content-length", str(len(body)))])
    return [body]
