# SPDX-License-Identifier: Apache-2.0
"""What all tests share: one Temporal server for the session, the count of results, and nothing of the machine's own configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("TENUO_ENV", "test")
os.environ.pop("TENUO_CONF", None)
_counts = {"passed": 0, "failed": 0, "skipped": 0}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """host:port of a real development server; the test is skipped, and counted so, where it is not installed."""
    import lab

    with lab.dev_server() as address:
        yield address


def pytest_runtest_logreport(report: Any) -> None:
    if report.skipped:
        _counts["skipped"] += 1
    elif report.failed:
        _counts["failed"] += 1
    elif report.when == "call":
        _counts["passed"] += 1


def pytest_collectreport(report: Any) -> None:
    if report.failed:
        _counts["failed"] += 1


def pytest_unconfigure(config: Any) -> None:
    """The last line, for the program that runs all suites."""
    print(f"\n{_counts['passed']} passed, {_counts['failed']} failed, {_counts['skipped']} skipped", flush=True)
