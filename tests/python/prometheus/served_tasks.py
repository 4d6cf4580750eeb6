"""What Celery's workers run in the tests: a task with one profiled call in it."""

from __future__ import annotations

import os

import phanos
from celery import Celery

# The application with its handler, loaded before workers are forked.
from served_app import load

app = Celery("served_tasks", broker=os.environ["CELERY_URL"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="view")
@phanos.profile
def view() -> int:
    return load()
