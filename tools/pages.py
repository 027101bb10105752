"""Write the generated pages and parts of pages: `python -m tools.pages`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools.messages_page import messages_page
from tools.regions import REGIONS, ROOT, with_regions
from tools.states_page import states_page

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "messages.md": messages_page,
    "states.md": states_page,
}
"""What writes each page."""


def main() -> None:
    """Write every generated page and part."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    for name in sorted({page for page, _ in REGIONS}):
        (ROOT / name).write_text(with_regions(name), encoding="utf-8")


if __name__ == "__main__":
    main()
