"""In a subinterpreter the import says what to do, and harms nobody."""

from __future__ import annotations

import pytest
from support import output_of

PROGRAM = """
import sys

if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

REFUSED = '''
try:
    import phanos
except ImportError as error:
    assert "main interpreter" in str(error) or "subinterpreters" in str(error), error
    assert {legacy} <= ("application-group=%{{GLOBAL}}" in str(error)), error
else:
    raise AssertionError("imported")
'''

def try_in_another():
    legacy = sys.argv[1] == "legacy"
    kind = {"legacy": {"isolated": False}, "isolated": {}}[sys.argv[1]]
    if sys.version_info >= (3, 13):
        kind = [sys.argv[1]]
        interpreter = interpreters.create(*kind)
    else:
        interpreter = interpreters.create(**kind)
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    failed = run(interpreter, REFUSED.format(legacy=legacy))
    assert failed is None, failed
    interpreters.destroy(interpreter)

try_in_another()
import phanos

phanos.profiler.config(job="TEST")
phanos.profiler.add_handler(phanos.publisher.StreamHandler("stdout"))
phanos.profile(lambda: 1)()
try_in_another()
"""


@pytest.mark.parametrize("kind", ["legacy", "isolated"])
def test_import_is_refused(kind: str) -> None:
    printed = output_of(PROGRAM, kind, timeout_s=20)
    assert printed.count("\n") == 1
