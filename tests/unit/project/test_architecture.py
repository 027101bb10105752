"""The plan's table: who may import whom, that importing has no effect, and that files and functions stay readable."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LONGEST_FILE = {"bot": 320, "sandbox": 320, "tests": 498}
LONGEST_FUNCTION = 50

BOT = sorted((ROOT / "bot").rglob("*.py"))
PYTHON = [
    path for folder in ("bot", "sandbox", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in BOT
]

MAKES_SOMETHING = {
    "client",
    "resource",
    "Session",
    "Redis",
    "from_url",
    "WebClient",
    "App",
    "WorkPool",
    "Thread",
    "ThreadPoolExecutor",
    "Popen",
    "run",
    "open",
    "socket",
    "connect",
    "configure",
    "basicConfig",
    "getLogger",
    "get_logger",
    "load",
    "load_dotenv",
    "build",
}

IMPORT_ALL = """
import sys, threading
import boto3, botocore.config, gunicorn.app.base, pydantic_settings, redis, slack_bolt, slack_sdk, structlog, urllib3
EFFECTS = ("socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.fork", "os.mkdir", "os.remove")
seen = []

def watch(event, args):
    writes = event == "open" and isinstance(args[2], int) and args[2] & 3
    if (event in EFFECTS or writes) and "/dev/null" not in str(args[0]):
        seen.append((event, str(args)))

sys.addaudithook(watch)
sys.path.insert(0, ".")
for module in sys.argv[1:]:
    __import__(module)
print(len(threading.enumerate()), seen)
"""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        guarded = isinstance(child, ast.If) and "__name__" in ast.unparse(child.test)
        if not guarded and not isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ):
            yield child
            yield from outside_functions(child)


def called(node: ast.AST) -> str:
    """The last name of what is called: `boto3.client(…)` calls "client"."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def attributes(path: Path) -> set[str]:
    """Every dotted name of two parts that stands in a file: `os.environ`, `monkeypatch.setattr`."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


def imported(path: Path) -> set[str]:
    """Every name that a file imports from a module: `os.environ`, `unittest.mock`."""
    return {
        f"{node.module}.{one.name}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    } | {
        one.name
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import)
        for one in node.names
    }


def test_who_imports_whom_is_as_planned() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


PURE = sorted(
    path.stem for path in (ROOT / "bot/slack/messages").glob("*.py") if path.stem != "__init__"
)


@pytest.mark.parametrize("module", PURE)
def test_messages_import_only_the_domain_and_slack_data_classes(
    module: str,
) -> None:
    """Import contracts cannot tell slack_sdk.models, which is pure data, from the rest of slack_sdk."""
    siblings = re.compile(
        rf"bot\.slack\.(action_ids|messages|messages\.({'|'.join(PURE)}))(\.\w+)?"
    )
    foreign = {
        one
        for one in imported(ROOT / "bot" / "slack" / "messages" / f"{module}.py")
        if one.partition(".")[0] not in sys.stdlib_module_names
        and not siblings.fullmatch(one)
        and not one.startswith(("bot.domain.", "slack_sdk.models."))
    }
    assert foreign == set() and not any(
        one.startswith("bot.operations")
        for one in imported(ROOT / "bot" / "slack" / "messages" / f"{module}.py")
    )


def test_importing_every_module_has_no_effect() -> None:
    """In a process with nothing in its environment, after the libraries: no thread, connection, process or file."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, *MODULES],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1 []", "")


@pytest.mark.parametrize("path", BOT, ids=name)
def test_nothing_is_made_when_a_module_is_imported(path: Path) -> None:
    made = {called(node) for node in outside_functions(parsed(path))} & MAKES_SOMETHING
    assert made == set()


def test_the_guard_against_making_things_sees_them() -> None:
    found = {
        called(node)
        for node in outside_functions(ast.parse("class A:\n  x = boto3.client('iam')\ny = App()"))
    }
    assert {"client", "App"} <= found


def test_only_main_reads_the_environment() -> None:
    looks = {
        name(path)
        for path in BOT
        if (attributes(path) | imported(path))
        & {"os.environ", "os.getenv", "os.environb", "os.putenv"}
    }
    assert looks == {"bot/__main__.py"}


@pytest.mark.parametrize("folder", ["bot", "sandbox", "tests"])
def test_files_are_short_enough_to_be_read(folder: str) -> None:
    long = {
        name(path): lines
        for path in PYTHON
        if path.is_relative_to(ROOT / folder)
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE[folder]
    }
    assert long == {}


@pytest.mark.parametrize("folder", ["bot", "sandbox", "tests"])
def test_functions_are_short_enough_to_be_read(folder: str) -> None:
    long = {
        f"{name(path)}:{node.lineno} {node.name}": lines
        for path in PYTHON
        if path.is_relative_to(ROOT / folder)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


def test_every_module_says_what_it_is_about() -> None:
    assert [
        name(path) for path in PYTHON if parsed(path).body and not ast.get_docstring(parsed(path))
    ] == []


def test_no_error_vanishes_without_a_trace() -> None:
    empty = {
        f"{name(path)}:{node.lineno}"
        for path in BOT
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(one, ast.Pass) for one in node.body)
    }
    assert empty == set()


def test_tests_wait_for_conditions_and_patch_nothing() -> None:
    forbidden = {
        "time.sleep",
        "monkeypatch.setattr",
        "mock.patch",
        "unittest.mock",
        "unittest.mock.patch",
        "unittest.mock.MagicMock",
    }
    found = {
        name(path): both
        for path in PYTHON
        if path.is_relative_to(ROOT / "tests")
        and (both := (attributes(path) | imported(path)) & forbidden)
    }
    assert found == {}
