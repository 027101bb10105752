"""What did the matrices try? Their counts, from every worker, as tables in the summary.

Not in the conftest of the matrices: where workers run the tests, the process that prints never reads that.
"""

from __future__ import annotations

from collections import Counter

import pytest

COUNT = "matrix"
"""The property of a test's report that holds a row: the matrix, the row's name, its numbers."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A table for each matrix: what was tried, row by row, and all together."""
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
