"""Children of `multiprocessing`, however they are started, deliver what they record."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from programs import Program, expect
from receiver import Receiver
from support import output_of

from tools.rabbitmq import Node

pytestmark = pytest.mark.every_version

START_METHODS = ("fork", "forkserver", "spawn")

FAMILY = """
    import multiprocessing

    phanos.profiler.config(job="TEST")
    if sys.argv[3] == "fork":
        phanos.profiler.add_handler(handler_to(PORT))

    @phanos.profile
    def parent():
        pass

    @phanos.profile
    def child():
        pass

    @phanos.profile
    def grandchild():
        pass

    def settle():
        if "rabbit" not in phanos.profiler.handlers:
            phanos.profiler.add_handler(handler_to(PORT))

    def run_grandchild():
        settle()
        for _ in range(3):
            grandchild()

    def run_child(context):
        settle()
        for _ in range(5):
            child()
        process = context.Process(target=run_grandchild)
        process.start()
        process.join(30)
        assert process.exitcode == 0
        child()

    def main():
        settle()
        context = multiprocessing.get_context(sys.argv[3])
        for _ in range(1000):
            parent()
        processes = [context.Process(target=run_child, args=(context,)) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(30)
            assert process.exitcode == 0
        parent()

    if __name__ == "__main__":
        main()
"""
EXECUTOR = """
    import concurrent.futures, multiprocessing

    @phanos.profile
    def task():
        return os.getpid()

    def set_up():
        phanos.profiler.config(job="TEST")
        phanos.profiler.add_handler(handler_to(PORT))

    def run_task(_):
        return task()

    def main():
        context = multiprocessing.get_context(sys.argv[3])
        executor = concurrent.futures.ProcessPoolExecutor(
            2, mp_context=context, initializer=set_up
        )
        with executor:
            pids = set(executor.map(run_task, range(200)))
        assert os.getpid() not in pids

    if __name__ == "__main__":
        main()
"""
FAILING_CHILD = """
    import multiprocessing

    profiler = profiler_with(handler_to(PORT))

    @profiler.profile
    def failing():
        raise SystemExit(7)

    context = multiprocessing.get_context("fork")
    process = context.Process(target=failing)
    process.start()
    process.join(30)
    assert process.exitcode == 7
"""

IMPORTED_BY_A_CHILD = """
    import multiprocessing, sys

    def run():
        import phanos
        from phanos.publisher import ImpProfHandler

        phanos.profiler.config(job="TEST")
        handler = ImpProfHandler("rabbit", port=int(sys.argv[1]), exchange_name=sys.argv[2])
        phanos.profiler.add_handler(handler)

        @phanos.profile
        def late():
            pass

        late()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert "phanos" not in sys.modules
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_three_generations(
    program: Callable[..., Program], received: Receiver, method: str
) -> None:
    program(FAMILY, method).end_clean()
    expect(received, {"parent": 1001, "child": 18, "grandchild": 9})


@pytest.mark.parametrize("method", START_METHODS)
def test_process_pool_executor(
    program: Callable[..., Program], received: Receiver, method: str
) -> None:
    program(EXECUTOR, method).end_clean()
    expect(received, {"task": 200})


def test_a_child_that_exits_in_a_call(program: Callable[..., Program], received: Receiver) -> None:
    program(FAILING_CHILD).end_clean()
    expect(received, {"failing": 1})


def test_a_child_that_is_the_first_to_import_phanos(
    broker: Node, exchange: str, received: Receiver
) -> None:
    output_of(IMPORTED_BY_A_CHILD, str(broker.port), exchange)
    expect(received, {"late": 1})
