"""A forked child records for itself and hands nothing over that its parent will."""

from __future__ import annotations

import pytest
from support import run_python

PROGRAM = """
import os, sys
import phanos

profiler = phanos.publisher.Profiler()
profiler.config(job="TEST")
profiler.add_handler(phanos.publisher.StreamHandler("stdout"))
mode = sys.argv[1]

@profiler.profile
def before():
    pass

@profiler.profile
def after():
    pass

@profiler.profile
def root():
    before()
    child = os.fork()
    if child == 0:
        after()
        if mode == "exit inside":
            sys.exit(0)
        return None
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    after()
    return child

child = root()
assert profiler.curr_node.get() is profiler.tree.root
assert profiler.tree.root.children == []
if child is None:
    sys.exit(0)
"""


@pytest.mark.parametrize("mode", ["exit inside", "return"])
def test_records_of_parent_and_child_go_out_once(mode: str) -> None:
    done = run_python(PROGRAM, mode)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    methods = [line.split(", ")[1].removeprefix("method: ") for line in done.stdout.splitlines()]
    # The child writes first: the parent waits for it. `before` is the parent's alone.
    assert methods == [
        "__main__:root.after",
        "__main__:root",
        "__main__:root.before",
        "__main__:root.after",
        "__main__:root",
    ]


WHILE_ANOTHER_THREAD_BEGINS = """
import io, os, signal, sys, threading, time, warnings
from support import CollectingHandler, drive, make_profiler

profiler = make_profiler(CollectingHandler())
# A file would have a lock of Python's, which a forked child waits for in the same way.
profiler.add_handler(__import__("phanos").publisher.StreamHandler("stream", io.StringIO()))

class Owner:
    @profiler.profile
    def method(self, fails=False):
        if fails:
            raise ValueError

    @profiler.profile
    async def coroutine(self):
        return self.method()

    @profiler.profile
    def generator(self):
        yield self.method()

def call_everything():
    Owner().method()
    drive(Owner().coroutine())
    list(Owner().generator())
    try:
        Owner().method(fails=True)
    except ValueError:
        pass

warnings.simplefilter("ignore", DeprecationWarning)  # From 3.12 on, of forks beside threads.
thread = threading.Thread(target=call_everything)
# Threads take turns whenever one lets go of the interpreter lock, and hardly otherwise.
sys.setswitchinterval(1)
children = []
thread.start()
while thread.is_alive() or not children:
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        call_everything()
        os._exit(0)
    children.append(child)
    time.sleep(0)
thread.join()
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_child_forked_while_another_thread_makes_its_first_call() -> None:
    done = run_python(WHILE_ANOTHER_THREAD_BEGINS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
