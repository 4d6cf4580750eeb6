"""sentry_sdk: a span for each call, in a transaction for each root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from costs.measured.bare import NESTED, async_body, async_call, body, call, run_async
from costs.measured.case import Case


class Discarding(Transport):
    """Counts spans."""

    spans = 0

    def capture_envelope(self, envelope: Envelope) -> None:
        transaction: Any = envelope.get_transaction_event()
        if transaction is not None:
            type(self).spans += len(transaction["spans"])


def roots(run: Callable[[int], object]) -> Callable[[int], None]:
    """Runs of `NESTED` calls in a transaction."""

    def in_transactions(calls: int) -> None:
        for _ in range(calls // NESTED):
            with sentry_sdk.start_transaction(op="request", name="root"):
                run(NESTED)

    return in_transactions


def cases() -> list[Case]:
    sentry_sdk.init(
        "https://public@localhost/1",
        traces_sample_rate=1.0,
        transport=Discarding(),
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    traced, async_traced = sentry_sdk.trace(body), sentry_sdk.trace(async_body)
    runs = {
        "sync": roots(lambda calls: call(traced, calls)),
        "async": roots(lambda calls: run_async(async_call(async_traced, calls))),
    }
    return [
        Case(f"nested_{kind}", run, f"bare_{kind}", NESTED, NESTED, lambda: Discarding.spans)
        for kind, run in runs.items()
    ]
