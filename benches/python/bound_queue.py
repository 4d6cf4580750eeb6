"""
Bind a queue to the exchange that keeps one message and drops the others, so that the broker has
little to do with what is measured: `python bound_queue.py PORT`, under an interpreter with pika.
"""

from __future__ import annotations

import sys

import pika

connection = pika.BlockingConnection(pika.ConnectionParameters(port=int(sys.argv[1])))
channel = connection.channel()
channel.exchange_declare("profiling", "fanout")
channel.queue_declare("bench", durable=True, arguments={"x-max-length": 1})
channel.queue_bind("bench", "profiling")
connection.close()
