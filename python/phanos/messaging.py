"""Publishers to RabbitMQ. Not in this release: constructing one says so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from .handlers import NOT_IN_THIS_RELEASE
from .types import LoggerLike, Record

__all__ = [
    "NETWORK_ERRORS",
    "AsyncioPublisher",
    "BasePublisher",
    "BlockingPublisher",
    "LoggerLike",
]

NETWORK_ERRORS: tuple[type[BaseException], ...] = (ConnectionError, OSError)
"""What talking to a broker can raise."""


class BasePublisher(ABC):
    """Base of the publishers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__}: {NOT_IN_THIS_RELEASE}")

    @abstractmethod
    def publish(self, records: list[Record]) -> Any:
        """Send a batch; true if the broker has it."""
        raise NotImplementedError(NOT_IN_THIS_RELEASE)


class BlockingPublisher(BasePublisher):
    """Publishes and waits."""

    def publish(self, records: list[Record]) -> bool:
        """Not in this release."""
        raise NotImplementedError(NOT_IN_THIS_RELEASE)


class AsyncioPublisher(BasePublisher):
    """Publishes from coroutines."""

    async def publish(self, records: list[Record]) -> bool:
        """Not in this release."""
        raise NotImplementedError(NOT_IN_THIS_RELEASE)
