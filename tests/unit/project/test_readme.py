"""The documents match the product: links, files, commands, modules, Redis keys."""

from __future__ import annotations

import json
import re
import urllib.parse
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(document: str) -> str:
    return (ROOT / document).read_text()


def section(document: str, title: str) -> str:
    return re.split(r"^## ", text_of(document).split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


@cache
def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_the_readme_is_one_page() -> None:
    assert len(README.split()) < 700


def test_the_link_creates_the_app_of_the_manifest() -> None:
    install = text_of("docs/install.md")
    link = re.search(r"https://api\.slack\.com/apps\?new_app=1&manifest_json=([^)]+)\)", install)
    assert link
    assert json.loads(urllib.parse.unquote(link[1])) == yaml.safe_load(text_of("manifest.yml"))


def test_every_link_leads_somewhere() -> None:
    broken = []
    for document in DOCUMENTS:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", document.read_text()):
            path = (document.parent / target).resolve() if target else document
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append(f"{name(document)}: {target}#{anchor}")
    assert broken == []


def test_every_named_file_exists() -> None:
    pattern = r"`((?:bot|docs|sandbox|deploy|tests)/[\w./-]+\.\w+)`"
    named = {name(document): re.findall(pattern, document.read_text()) for document in DOCUMENTS}
    absent = {
        doc: [one for one in files if not (ROOT / one).exists()] for doc, files in named.items()
    }
    assert {document: files for document, files in absent.items() if files} == {}


def test_the_storage_page_names_every_redis_key() -> None:
    table = section("docs/storage.md", "Keys")
    listed = {row.split(":<")[0] for row in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)}
    source = "".join(path.read_text() for path in (ROOT / "bot" / "store").glob("*.py"))
    in_code = re.findall(r"(?:_key|place|_claim|write)\((?:\"[A-Z]+\", )?f?\"([a-z:-]+)", source)
    in_code += re.findall(r"begun = f\"([a-z]+):", source)
    assert {one.rstrip(":").split(":delivery")[0] for one in in_code} <= listed
