"""Tables of what the matrices tried, from every worker, in pytest's summary.

It is not in the conftest of the matrices. With workers, the process that prints does not read
that one.
"""

from __future__ import annotations

from collections import Counter

import pytest

COUNT = "matrix"
"""The property of a test's report with a row: the matrix, the row's name, its numbers."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write a table for each matrix: what was tried, row by row, and the totals."""
    tables: dict[str, dict[str, Counter[str]]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in (
                getattr(report, "user_properties", ())
                if getattr(report, "when", "") == "call"
                else ()
            ):
                if name == COUNT:
                    matrix, row, numbers = value
                    tables.setdefault(matrix, {}).setdefault(row, Counter()).update(numbers)
    for matrix, rows in sorted(tables.items()):
        terminalreporter.section(f"the {matrix} matrix")
        together: Counter[str] = Counter()
        for numbers in rows.values():
            together.update(numbers)
        rows["together"] = together
        for row, numbers in rows.items():
            words = "  ".join(f"{name} {number}" for name, number in numbers.items())
            terminalreporter.write_line(f"{row:40} {words}")
