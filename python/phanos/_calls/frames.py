"""
What the frames of wrappers say of themselves: in warnings, tracebacks and the text of a task.

Between the body of a profiled coroutine or generator and its caller there is the frame of a
wrapper. Users who look at it are to find their own program.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

SKIPPED = "<phanos: a step of a generator, skipped as importlib._bootstrap is>"
"""
The file that wrappers of generators are in. `warnings.warn(..., stacklevel=2)` and `logging` pass
over frames whose file is named after `importlib` and `_bootstrap`, in every version: they find
the caller that iterates.
"""


@functools.cache
def _skipped(code: types.CodeType) -> types.CodeType:
    return code.replace(co_filename=SKIPPED)


def skip(wrapper: Callable[..., Any]) -> Any:
    """Have warnings and log lines name the caller of `wrapper` where they look for callers."""
    code: Any = wrapper
    code.__code__ = _skipped(code.__code__)
    return wrapper


def stand_in_for(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Any:
    """
    Return `wrapper` with the place of `function`: its file, first line, name and module.

    The first line is that of the outermost decorator, which is where the wrapper comes from. What
    has no code of Python's leaves `wrapper` as it is. The names that the code of `wrapper` uses
    would be looked up in the module of `function`: it must use none but its own.
    """
    place = getattr(function, "__code__", None)
    module: Any = getattr(function, "__globals__", None)
    if not (isinstance(place, types.CodeType) and issubclass(type(module), dict)):
        return wrapper
    plain: Any = wrapper
    code: types.CodeType = plain.__code__
    # The name differs from that of the body: `cProfile` tells functions apart by file, line, name.
    changed: dict[str, Any] = {
        "co_filename": place.co_filename,
        "co_firstlineno": place.co_firstlineno,
        "co_name": f"{place.co_name} (profiled)",
        "co_linetable": _on_one_line(len(code.co_code)),
    }
    if sys.version_info >= (3, 11):
        changed["co_qualname"] = f"{place.co_qualname} (profiled)"
    return types.FunctionType(
        code.replace(**changed), module, plain.__name__, None, plain.__closure__
    )


@functools.cache
def _on_one_line(size: int) -> bytes:
    """Return a table of lines by which `size` bytes of code are all on the first line."""
    if sys.version_info < (3, 11):
        # Pairs: a number of bytes, and the difference to the line before.
        whole, rest = divmod(size, 254)
        return bytes((254, 0)) * whole + (bytes((rest, 0)) if rest else b"")
    # Entries without columns: the kind (13) and the number of instructions less one, then the
    # difference to the line before.
    whole, rest = divmod(size // 2, 8)
    start = 0x80 | 13 << 3
    return bytes((start | 7, 0)) * whole + (bytes((start | rest - 1, 0)) if rest else b"")
