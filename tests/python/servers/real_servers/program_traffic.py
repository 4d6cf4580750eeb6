"""Requests that a program makes of itself, not over HTTP: it notes those it served in a file."""

from __future__ import annotations

import threading
from pathlib import Path

from tools.rabbitmq.ports import HOST

from .clients import READY, Answered, Log

LOOK_EVERY_S = 0.02


class ProgramTraffic:
    """
    Watches the file while the block lasts; the program makes its requests by itself.

    Args:
        answers: lines of `request pid time`, appended by the program.
    """

    def __init__(self, answers: Path) -> None:
        self.log = Log()
        self._answers = answers
        self._read = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def sending(self) -> bool:
        """Whether it has not been stopped."""
        return not self._stopping.is_set()

    def ready(self) -> bool:
        """Whether the program is at work."""
        return self._answers.exists()

    def __enter__(self) -> ProgramTraffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Read what is left."""
        self._stopping.set()
        self._thread.join(LOOK_EVERY_S * 100)
        assert not self._thread.is_alive(), "still reading"
        self._look()

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        with self._answers.open() as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            request, pid, at = line.split()
            if request != READY:
                self.log.add(Answered(request, int(pid), float(at)))


class Tasks(ProgramTraffic):
    """Sends tasks to Celery, a few more than are done; what is sent is served."""

    AHEAD = 40

    def __init__(self, answers: Path, broker_port: int) -> None:
        # Not installed for Python versions that do not run the servers.
        from celery import Celery

        super().__init__(answers)
        self._app = Celery(broker=f"pyamqp://guest:guest@{HOST}:{broker_port}//")
        self._asked = False
        self._sent = 0

    def ready(self) -> bool:
        """Whether a worker has served a task."""
        if not self._asked:
            self._asked = True
            self._send(READY)
        return super().ready()

    def stop(self) -> None:
        """Send no more; what was sent and not served stays in the queue."""
        super().stop()
        self._app.control.purge()
        self._app.close()

    def _send(self, request: str) -> None:
        self._app.send_task("view", args=[request])

    def _look(self) -> None:
        super()._look()
        with self.log.changed:
            ahead = self._sent - len(self.log.answered)
        while ahead < self.AHEAD and self.sending:
            self._send(f"task-{self._sent}")
            self._sent += 1
            ahead += 1
