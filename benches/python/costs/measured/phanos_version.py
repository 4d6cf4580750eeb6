"""Which phanos this interpreter has."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("phanos")
IS_0_3 = VERSION.startswith("0.3.")
