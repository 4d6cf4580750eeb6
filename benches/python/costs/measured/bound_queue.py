"""
Bind a queue to the exchange that keeps one message and drops the others, so that the broker has
little to do with what is measured: `python -m costs.measured.bound_queue PORT`, with pika.
"""

from __future__ import annotations

import sys

import pika


def main(port: int) -> None:
    connection = pika.BlockingConnection(pika.ConnectionParameters(port=port))
    channel = connection.channel()
    channel.exchange_declare("profiling", "fanout")
    channel.queue_declare("bench", durable=True, arguments={"x-max-length": 1})
    channel.queue_bind("bench", "profiling")
    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
