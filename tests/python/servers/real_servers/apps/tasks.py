"""The shop behind Celery, configured before any worker is forked."""

from __future__ import annotations

import os

import shop
from celery import Celery

app = Celery("tasks", broker=f"pyamqp://guest:guest@127.0.0.1:{os.environ['BROKER_PORT']}//")
app.conf.broker_connection_retry_on_startup = True


@app.task(name="view")
def view(request: str) -> None:
    shop.view(request)
    shop.tell(request)


shop.configure()
# The process that workers are forked from is connected and delivers already.
shop.view("ready")
