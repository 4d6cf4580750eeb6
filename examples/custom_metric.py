"""Record what matters to you besides time: a metric of your own, fed by hooks.

Try it:

    python examples/custom_metric.py
"""

import phanos
from phanos.handlers import StreamHandler
from phanos.metrics import Counter, Enum


class BytesRead(Counter):
    """A counter with an operation of its own, which stores through an inherited one."""

    def __init__(self):
        super().__init__("bytes_read", job="import", units="B", labels={"kind"})

    def read(self, text, kind):
        self.inc(len(text.encode()), label_values={"kind": kind})


bytes_read = BytesRead()
outcome = Enum("outcome", job="import", states=["empty", "loaded"])


def before_function(func, args, kwargs):
    """Runs before every profiled call."""
    bytes_read.read(args[0], kind=func.__name__)


def after_root_function(fn_result, args, kwargs):
    """Runs when a call from outside has ended, here with what it returned."""
    outcome.state("loaded" if fn_result else "empty")


@phanos.profile
def parse(line):
    return line.split(",")


@phanos.profile
def load(text):
    return [parse(line) for line in text.splitlines()]


if __name__ == "__main__":
    phanos.profiler.dict_config(
        {
            "job": "import",
            "time_profile": False,
            "error_raised_label": False,
            "handlers": {"out": {"class": StreamHandler, "handler_name": "out"}},
        }
    )
    phanos.profiler.add_metric(bytes_read)
    phanos.profiler.add_metric(outcome)
    phanos.profiler.before_func = before_function
    phanos.profiler.after_root_func = after_root_function

    load("1,anna\n2,jiří\n")
    load("")
