"""Waiting records on their way out: when asked for, at the end, after a fork."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ._overridden import overridden
from ._parts import ProfilerParts
from ._phanos import flush_future
from ._plan import RECORD_METHODS
from ._rabbitmq import RabbitMQHandler
from ._settings import checked_timeout
from ._waiting import wait
from .messaging import answered
from .metrics import MetricWrapper

if TYPE_CHECKING:
    from ._delivery import Delivery


class HandingOver(ProfilerParts):
    """The part of `Profiler` that gives records to handlers."""

    def handle_records_clear(self) -> Any:
        """Hand all waiting records to the handlers; to be awaited after `async_config`."""
        return None if self.profile_ext is None else self.profile_ext.handle_records_clear()

    def force_handle_records_clear(self) -> Any:
        """Hand all waiting records over; to be awaited after `async_config`."""
        return None if self.profile_ext is None else self.profile_ext.force_handle_records_clear()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """
        Hand all waiting records to the handlers.

        Args:
            timeout_s: seconds to wait for handlers that deliver in the background.

        Returns True if nothing is left; batches for asynchronous handlers are left if no
        event loop has delivered them yet (see `aflush`), and records for RabbitMQ if the broker
        has not confirmed them.
        """
        checked_timeout(timeout_s)
        end = time.monotonic() + timeout_s
        self._hand_over()
        # All at once: a broker that is away takes no time from the others.
        answers = [(handler, handler._flushed()) for handler in self._to_rabbitmq()]
        delivered = [bool(wait(answer, _left(end))) for _, answer in answers]
        for handler, _ in answers:
            handler._log_notices()
        return all(delivered) and self._nothing_waits()

    async def aflush(self, timeout_s: float = 5.0) -> bool:
        """
        Hand all waiting records to the handlers and await the asynchronous ones.

        Args:
            timeout_s: seconds to wait; what is not done by then goes on being delivered.

        Returns True if nothing is left.
        """
        checked_timeout(timeout_s)
        end = time.monotonic() + timeout_s
        done: bool = await flush_future(self._core, self._aflush(), timeout_s)
        answers = [(handler, handler._flushed()) for handler in self._to_rabbitmq()]
        delivered = [bool(await answered(answer, _left(end))) for _, answer in answers]
        for handler, _ in answers:
            handler._log_notices()
        return done and all(delivered) and self._nothing_waits()

    async def _aflush(self) -> None:
        self._hand_over()
        courier = self._courier_made()
        if courier is not None:
            await courier.flush()

    def _to_rabbitmq(self) -> list[RabbitMQHandler[Any]]:
        handlers: list[Any] = list(self.handlers.values())
        # One whose constructor was replaced may have no network side.
        return [
            handler
            for handler in handlers
            if hasattr(handler, "_network") and isinstance(handler, RabbitMQHandler)
        ]

    def _hand_over(self) -> None:
        deliveries = self._core.hand_over()
        if deliveries:
            self._courier().queue(deliveries)

    def _hand_over_rest(self, metric: MetricWrapper) -> None:
        """Hand over what came into a metric while handlers ran that got the rest of it."""
        if not len(metric.values):
            return
        metric._attach(None)
        own = overridden(metric, MetricWrapper, RECORD_METHODS)
        deliveries = self._core.hand_over_rest(metric, own)
        if deliveries:
            self._courier().queue(deliveries)

    def _nothing_waits(self) -> bool:
        courier = self._courier_made()
        return self._core.waiting == 0 and (courier is None or courier.waiting == 0)

    def _abandon_batches(self) -> int:
        """Forget the batches for asynchronous handlers; return the number of their records."""
        courier = self._courier_made()
        return 0 if courier is None else courier.abandoned()

    def _queue_deliveries(self, deliveries: list[Delivery]) -> None:
        self._courier().queue(deliveries)

    async def _deliver(self, deliveries: list[Delivery]) -> None:
        await self._courier().deliver(deliveries)

    def _exit(self) -> None:
        """Hand over at the end of the interpreter; what no loop can deliver is counted."""
        self._hand_over()
        self._tell_drops()
        abandoned = self._abandon_batches()
        if abandoned:
            self.error(
                "%d records for asynchronous handlers were never delivered: no event loop ran "
                "after the calls that made them",
                abandoned,
            )

    def _forget_inherited(self) -> None:
        """Drop what a forked child inherited: the parent hands it over."""
        for metric in self.metrics.values():
            metric._forget_inherited()
        self._core.forget_inherited()
        self._abandon_batches()


def _left(end: float) -> float:
    return max(end - time.monotonic(), 0.0)
