"""
Daemon threads at the end of the interpreter, wherever phanos calls it: the process ends cleanly.

Up to CPython 3.13 the end of the interpreter unwinds the stacks of daemon threads, through the
frames of phanos. It must not matter in which of them code of users runs, be it a hook that waits
or the finalizer of what it returned.
"""

from __future__ import annotations

import pytest
from support import output_of

pytestmark = pytest.mark.daemon_matrix

PRELUDE = """
import asyncio, contextvars, gc, io, logging, sys, threading, weakref
from fractions import Fraction
import phanos
from phanos import metrics, publisher, tree

inside = threading.Event()

def stay(*_, **__):
    if threading.current_thread() is threading.main_thread():
        return []  # The end itself may come by here.
    inside.set()
    while True:
        threading.Event().wait(0.0005)

class Final:
    def __del__(self):
        stay()

class FinalError(ValueError):
    __del__ = Final.__del__

class Handler(publisher.SyncBaseHandler):
    def __init__(self, handle=lambda records: None):
        super().__init__("h")
        self._handle = handle

    def handle(self, records, profiler_name="profiler"):
        return self._handle(records)

class Quiet(logging.Handler):
    def emit(self, record):
        pass

phanos.profiler.logger = logging.getLogger("quiet")
phanos.profiler.logger.addHandler(Quiet())
phanos.profiler.logger.propagate = False
phanos.profiler.config(phanos.profiler.logger, job="TEST", response_size_profile=True)
profiler = phanos.profiler

def serve(handler=None):
    profiler.add_handler(handler or publisher.StreamHandler("stream", output=io.StringIO()))

def raise_final(*_):
    raise FinalError

info = metrics.Info("info", "TEST")
counter = metrics.Counter("counter", "TEST", "units", {"label"})

@phanos.profile
def plain():
    return None

def keep():
    # What operations take they turn into plain values; what users store stays what it is.
    info.values.append(("info", Final()))
    info.label_values.append({})
    info.method.append("method")

@phanos.profile
def measure():
    keep()

@phanos.profile
def collected():
    return [[] for _ in range(3)]

@phanos.profile
def generator():
    yield

@phanos.profile
async def coroutine():
    pass
"""

# Each is what the thread does; the first lines of some are done by the main thread, up to `---`.
HOOKS = {
    f"{what} by {hook}": f"""
        serve()
        profiler.{hook} = {function}
        ---
        {call}
    """
    for hook in ("before_root_func", "before_func", "after_func", "after_root_func")
    for what, function, call in (
        ("returned", "lambda *_: Final()", "plain()"),
        ("returned, in a generator,", "lambda *_: Final()", "list(generator())"),
        ("returned, in a coroutine,", "lambda *_: Final()", "asyncio.run(coroutine())"),
        ("raised", "raise_final", "plain()"),
        ("added to kwargs", "lambda _, args, kwargs: kwargs.update(x=Final())", "plain()"),
    )
}

HANDLERS = {
    "returned by handle": """
        serve(Handler(lambda records: Final()))
        ---
        plain()
    """,
    "raised by handle": """
        serve(Handler(raise_final))
        ---
        plain()
    """,
    "added to the records": """
        serve(Handler(lambda records: records.append(Final())))
        ---
        plain()
    """,
    "added to a record": """
        serve(Handler(lambda records: records[0].update(x=Final())))
        ---
        plain()
    """,
    "name of a handler that fails": """
        class Failing(publisher.SyncBaseHandler):
            handler_name = property(stay, lambda self, value: None)

            def handle(self, records, profiler_name="profiler"):
                raise ValueError

        profiler._handle_of_test = handler = Failing("h")
        Failing.handler_name = "h"
        serve(handler)
        Failing.handler_name = property(stay)
        ---
        plain()
    """,
    "output that is a property": """
        class Stream(publisher.StreamHandler):
            output = property(lambda self: io.StringIO(), lambda self, value: None)

        serve(Stream("h"))
        Stream.output = property(stay)
        ---
        plain()
    """,
    "returned by write": """
        class Output(io.StringIO):
            def write(self, text):
                return Final()

        serve(publisher.StreamHandler("h", output=Output()))
        ---
        plain()
    """,
    "flush that is looked up": """
        class Output:
            write = print

            def __getattr__(self, name):
                stay()

        serve(publisher.StreamHandler("h", output=Output()))
        ---
        plain()
    """,
    "truth of isEnabledFor": """
        class Answer:
            __bool__ = stay

        logger = logging.getLogger("answers")
        serve(publisher.LoggerHandler("h", logger))
        logger.isEnabledFor = lambda level: Answer()
        ---
        plain()
    """,
    "handler that is deleted": """
        serve()
        handler = Handler()
        handler.held = Final()
        profiler.add_handler(handler)
        del handler
        ---
        profiler.delete_handler("h")
    """,
}

METRICS = {
    "__sizeof__ of a result": """
        serve()
        class Result:
            __sizeof__ = stay

        @phanos.profile
        def call():
            return Result()
        ---
        call()
    """,
    "__str__ of a label": """
        serve()
        profiler.add_metric(counter)
        class Label:
            __str__ = stay

        @phanos.profile
        def call():
            counter.inc(1.0, {"label": Label()})
        ---
        call()
    """,
    "__eq__ of a name of a label": """
        serve()
        profiler.add_metric(counter)
        class Name(str):
            __hash__ = str.__hash__
            __eq__ = stay
        ---
        counter.inc(1.0, {Name("label"): 1})
    """,
    "__repr__ of a value": """
        serve()
        profiler.add_metric(info)
        class Value:
            __repr__ = stay

        @phanos.profile
        def call():
            info.info_({"value": Value()})
        ---
        call()
    """,
    "__repr__ of a value that is refused": """
        profiler.add_metric(counter)
        class Value:
            __repr__ = stay
        ---
        counter.inc(Value(), {"label": 1})
    """,
    "__float__ of a value": """
        profiler.add_metric(counter)
        class Number(Fraction):
            __float__ = stay
        ---
        counter.inc(Number(1, 2), {"label": 1})
    """,
    "states of an enumeration": """
        class Enum(metrics.Enum):
            states = property(stay, lambda self, value: None)

        enum = Enum("enum", "TEST", ["a"])
        profiler.add_metric(enum)
        ---
        enum.state("a")
    """,
    "label_names that are overridden": """
        class Counter(metrics.Counter):
            pass

        counter = Counter("own", "TEST", "units")
        profiler.add_metric(counter)
        Counter.label_names = property(stay)
        ---
        counter.inc(1.0, {"label": 1})
    """,
    "freed by a hand-over": """
        serve()
        profiler.add_metric(info)
        ---
        measure()
    """,
    "freed by cleanup": """
        profiler.add_metric(info)
        keep()
        ---
        info.cleanup()
    """,
    "freed with a metric": """
        keep()
        holder = [info]
        del info
        ---
        holder.clear()
    """,
    "freed by delete_metric": """
        profiler.add_metric(info)
        keep()
        del info
        ---
        profiler.delete_metric("info")
        profiler.clear()
    """,
    "freed by clearing a column": """
        keep()
        ---
        info.values.clear()
    """,
    "freed by an override of cleanup": """
        class Info(metrics.Info):
            def cleanup(self):
                super().cleanup()
                return Final()

        own = Info("own", "TEST")
        serve()
        profiler.add_metric(own)
        ---
        plain()
    """,
    "iterated from to_records": """
        class Records:
            def __iter__(self):
                stay()
                return iter(())

        class Info(metrics.Info):
            def to_records(self):
                return Records()

        serve()
        profiler.add_metric(Info("own", "TEST"))
        ---
        plain()
    """,
    "returned by to_records": """
        class Info(metrics.Info):
            def to_records(self):
                return (Final() for _ in range(1))

        serve(Handler(lambda records: None))
        profiler.add_metric(Info("own", "TEST"))
        ---
        plain()
    """,
    "as JSON": """
        from phanos._phanos import records_to_json
        class Value:
            __str__ = stay
            __repr__ = stay
        ---
        records_to_json([{"value": Value()}])
    """,
}

OBJECTS = {
    "attribute of a node that is set": """
        node = tree.MethodTreeNode()
        node.held = Final()
        ---
        node.held = None
    """,
    "attribute of a node that is freed": """
        holder = [tree.MethodTreeNode()]
        holder[0].held = Final()
        ---
        holder.clear()
    """,
    "attribute of a context that is set": """
        context = tree.Context()
        context.held = Final()
        ---
        context.held = None
    """,
    "attribute of a current node": """
        serve()
        @phanos.profile
        def call():
            profiler.curr_node.get().held = Final()
        ---
        call()
    """,
    "method of a node": """
        class Method(Final):
            __name__ = "method"

            def __call__(self):
                pass

        holder = [tree.MethodTreeNode(Method())]
        ---
        holder.clear()
    """,
    "callback of a reference to a node": """
        node = tree.MethodTreeNode()
        reference = weakref.ref(node, stay)
        holder = [node]
        del node
        ---
        holder.clear()
    """,
    "attribute of a function that is set": """
        plain.held = Final()
        ---
        plain.held = None
    """,
    "attribute of a function that is freed": """
        holder = [phanos.profile(lambda: None)]
        holder[0].held = Final()
        ---
        holder.clear()
    """,
    "function that is freed": """
        holder = [phanos.profile(lambda argument=Final(): None)]
        ---
        holder.clear()
    """,
    "callback of a reference to a function": """
        holder = [phanos.profile(lambda: None)]
        reference = weakref.ref(holder[0], stay)
        ---
        holder.clear()
    """,
    "attribute of what is decorated": """
        class Callable:
            def __call__(self):
                pass

            def __getattr__(self, name):
                if name == "wanted":
                    stay()
                raise AttributeError(name)

        function = phanos.profile(Callable())
        ---
        function.wanted
    """,
    "decorated with a property": """
        class Callable:
            def __call__(self):
                pass

            def __getattr__(self, name):
                stay()
        ---
        phanos.profile(Callable())
    """,
    "argument of a generator that is dropped": """
        serve()
        @phanos.profile
        def generator(argument):
            yield
        ---
        next(generator(Final()))
    """,
    "argument of a coroutine that is dropped": """
        serve()
        @phanos.profile
        async def coroutine(argument):
            pass
        ---
        asyncio.run(coroutine(Final()))
    """,
    "value of a context variable": """
        serve()
        variable = contextvars.ContextVar("variable")
        @phanos.profile
        def call():
            variable.set(None)
        ---
        variable.set(Final())
        call()
    """,
    "hook that is replaced": """
        class Hook(Final):
            def __call__(self, *_):
                pass

        profiler.before_func = Hook()
        ---
        profiler.before_func = None
    """,
}

# A collection begins where the object is made that is one too many.
COLLECT = """
        kept = [({}, [], (number,)) for number in range(300)]  # What is free counts for nothing.
        cycle = [Final()]
        cycle.append(cycle)
        del cycle
        gc.enable()
        gc.set_threshold(1)
"""
COLLECTIONS = {
    f"collection in {where}": f"""
        gc.disable()
        gc.collect()
        {before}
        ---
        {COLLECT}
        for _ in range(100):
            {call}
        stay()  # From 3.12 on the collector does not run in there.
    """
    for where, before, call in (
        ("a call", "serve(Handler())", "plain()"),
        ("a call with hooks", "serve(); profiler.before_func = lambda *_: None", "plain()"),
        ("a coroutine", "serve()", "coroutine().close()"),
        ("a generator", "serve()", "list(generator())"),
        ("records of a handler", "serve(Handler())", "plain()"),
        ("decorating", "function = lambda: None", "phanos.profile(function)"),
        (
            "to_records",
            "profiler.add_metric(counter); counter.inc(1, {'label': 1})",
            "counter.to_records()",
        ),
        ("children", "root = profiler.tree.root", "root.children"),
    )
}

PLACES = HOOKS | HANDLERS | METRICS | OBJECTS | COLLECTIONS


def program_of(place: str) -> str:
    """The program whose thread stays in `place` when the main thread ends."""
    lines = [line.removeprefix("        ") for line in PLACES[place].splitlines()]
    cut = lines.index("---") if "---" in lines else 0
    body = "\n    ".join(["pass", *lines[cut + 1 :]])
    return "\n".join(
        [
            PRELUDE,
            *lines[:cut],
            f"def work():\n    {body}",
            "threading.Thread(target=work, daemon=True).start()",
            'assert inside.wait(10), "the place was not reached"',
        ]
    )


@pytest.mark.parametrize("place", PLACES)
def test_the_end_is_clean(place: str) -> None:
    output_of(program_of(place), timeout_s=20)


BUSY = """
serve(Handler(lambda records: [dict(record) for record in records]))
profiler.before_func = lambda func, args, kwargs: kwargs.update(more={})
profiler.add_metric(counter)

class Label:
    def __str__(self):
        return "".join(["label"])

@phanos.profile
def call():
    counter.inc(1, {"label": Label()})
    list(generator())
    return [{}]

def work():
    while True:
        call()
        coroutine().close()
        inside.set()

sys.setswitchinterval(1e-6)
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
assert inside.wait(10)
"""


@pytest.mark.parametrize("attempt", range(4))
def test_the_end_is_clean_in_the_middle_of_calls(attempt: int) -> None:
    output_of(PRELUDE + BUSY, timeout_s=20)
