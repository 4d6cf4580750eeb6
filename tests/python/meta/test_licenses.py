"""The licences of what is compiled into the wheel are known and shipped."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tools import licenses


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
def test_the_file_is_up_to_date() -> None:
    assert licenses.FILE.read_text() == licenses.document(), "run `make licenses`"


def package(license_: str | None) -> dict[str, Any]:
    return {"name": "crate", "version": "1.0.0", "license": license_}


@pytest.mark.parametrize("license_", ["MIT", "GPL-3.0-only OR MIT", "(MIT OR GPL-2.0) AND ISC"])
def test_a_license_that_lets_us_choose_is_accepted(license_: str) -> None:
    licenses.check_accepted(package(license_))


@pytest.mark.parametrize("license_", [None, "GPL-3.0-only", "MIT AND GPL-3.0-only"])
def test_another_license_is_refused(license_: str | None) -> None:
    with pytest.raises(licenses.UnknownLicenseError, match=r"crate 1\.0\.0 has the licence"):
        licenses.check_accepted(package(license_))
