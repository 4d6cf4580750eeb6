"""What a broker says, told as it is and fit for a log."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from phanos.publisher import AsyncImpProfHandler, ImpProfHandler
from receiver import Receiver
from support import wait_until

from tools.rabbitmq import Node

FORGED = "x\r\nERROR root - forged \x1b[31m\u2028"
UNFIT = ("\r", "\n", "\x1b", "\u2028")


def test_a_text_of_the_broker_forges_no_line(
    broker: Node, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    # The broker repeats the type in its answer.
    with pytest.raises(RuntimeError, match="exchange type") as caught:
        ImpProfHandler("rabbit", port=broker.port, exchange_type=FORGED)
    handler = AsyncImpProfHandler("rabbit", port=broker.port, exchange_type=FORGED)
    assert not handler._delivery.connect().wait(20)
    handler._write_log_lines()
    texts = [str(caught.value), str(handler.stats()["last_error"]), *caplog.messages]
    assert len(texts) >= 4
    assert sum("forged" in text for text in texts) >= 3
    for text in texts:
        assert not any(character in text for character in UNFIT), repr(text)
    assert handler._delivery.stop().wait(20)


@pytest.mark.parametrize("limit", ["max-connections", "max-channels"])
def test_a_limit_of_the_user_is_told(broker: Node, limit: str) -> None:
    broker.ctl("add_user", limit, "secret")
    broker.ctl("set_permissions", limit, ".*", ".*", ".*")
    broker.ctl("set_user_limits", limit, f'{{"{limit}": 0}}')
    with pytest.raises(RuntimeError) as caught:
        ImpProfHandler("rabbit", port=broker.port, user=limit, password="secret")
    said = str(caught.value)
    assert f'a limit that the broker has for user "{limit}"' in said, said
    assert "was refused" not in said, said


def test_counts_of_any_moment_add_up(broker: Node, receiver: Receiver) -> None:
    handler = ImpProfHandler("rabbit", port=broker.port, buffer_bytes=20_000)
    record: Any = {"item": "A", "job": "JOB", "method": "A:root", "value": ("observe", 1.0)}

    def accounted_for(stats: dict[str, Any]) -> int:
        where = ("confirmed", "queued", "in_flight", "left")
        return sum(stats[name] for name in where) + sum(stats["dropped"].values())

    for handed_over in range(1, 500):
        handler.handle([record] * 100, "name")
        stats = handler.stats()
        assert stats["handed_over"] == handed_over * 100 == accounted_for(stats), stats
    assert handler.flush(20)
    wait_until(lambda: len(receiver.records) == handler.stats()["confirmed"], "all arrive")
    handler.close()
