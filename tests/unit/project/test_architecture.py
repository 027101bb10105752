"""Modules import what they may, importing has no effect, and files are short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.project.python_source import examine, source

ROOT = Path(__file__).resolve().parents[3]
LONGEST_FILE = 320
LONGEST_FUNCTION = 50

BOT = sorted((ROOT / "bot").rglob("*.py"))
PYTHON = [
    path for folder in ("bot", "sandbox", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in BOT
]

CLIENTS = {"client", "resource", "Session", "Redis", "from_url", "WebClient", "App", "connect"}
THREADS_AND_FILES = {"WorkPool", "Thread", "ThreadPoolExecutor", "Popen", "run", "open", "socket"}
CONFIGURATION = {"configure", "basicConfig", "getLogger", "get_logger", "load", "load_dotenv"}
MAKES_SOMETHING = CLIENTS | THREADS_AND_FILES | CONFIGURATION | {"build"}

IMPORT_ALL = """
import sys, threading
import boto3, botocore.config, gunicorn.app.base, pydantic_settings, redis
import slack_bolt, slack_sdk, structlog, urllib3
EFFECTS = ("socket.connect", "socket.bind", "subprocess.Popen")
EFFECTS += ("os.system", "os.fork", "os.mkdir", "os.remove")
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


def run(*command: str, **options: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, **options)


def test_imports_are_those_of_the_contracts() -> None:
    done = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_messages_import_only_the_domain_and_slack_data() -> None:
    """Import contracts cannot tell slack_sdk.models (pure data) from slack_sdk."""
    messages = sorted((ROOT / "bot/slack/messages").glob("*.py"))
    names = "|".join(path.stem for path in messages)
    allowed = re.compile(
        rf"bot\.slack\.(action_ids|messages|messages\.({names}))(\.\w+)?"
        r"|(bot\.domain|slack_sdk\.models)\..*"
    )
    foreign = {
        (path.stem, one)
        for path in messages
        for one in source(path).imports
        if one.partition(".")[0] not in sys.stdlib_module_names and not allowed.fullmatch(one)
    }
    assert messages and foreign == set()


def test_importing_every_module_has_no_effect() -> None:
    """No thread, connection, process or file is made. The environment is empty."""
    done = run(sys.executable, "-B", "-c", IMPORT_ALL, *MODULES, env={})
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1 []", "")


def test_nothing_is_made_when_a_module_is_imported() -> None:
    made = {name(path): source(path).called_at_import & MAKES_SOMETHING for path in BOT}
    assert {path: calls for path, calls in made.items() if calls} == {}
    guard = examine("class A:\n  x = boto3.client('iam')\ny = App()")
    assert guard.called_at_import >= {"client", "App"}


def test_only_main_reads_the_environment() -> None:
    environment = {"os.environ", "os.getenv", "os.environb", "os.putenv"}
    readers = {name(path) for path in BOT if source(path).names & environment}
    assert readers == {"bot/__main__.py"}


@pytest.mark.parametrize("folder", ["bot", "sandbox", "tests"])
def test_files_and_functions_are_short(folder: str) -> None:
    paths = [path for path in PYTHON if path.is_relative_to(ROOT / folder)]
    lengths = {name(path): source(path).lines for path in paths}
    assert {one: lines for one, lines in lengths.items() if lines > LONGEST_FILE} == {}
    functions = {
        f"{name(path)}:{function}": lines
        for path in paths
        for function, lines in source(path).functions.items()
    }
    assert {one: lines for one, lines in functions.items() if lines > LONGEST_FUNCTION} == {}


def test_every_module_says_what_it_is_about() -> None:
    assert [name(path) for path in PYTHON if not source(path).is_documented] == []


def test_no_error_vanishes_without_a_trace() -> None:
    empty = {name(path): source(path).empty_handlers for path in BOT}
    assert {path: lines for path, lines in empty.items() if lines} == {}


def test_tests_wait_for_conditions_and_patch_nothing() -> None:
    mocks = {"mock.patch", "unittest.mock", "unittest.mock.patch", "unittest.mock.MagicMock"}
    forbidden = {"time.sleep", "monkeypatch.setattr", *mocks}
    used = {
        name(path): source(path).names & forbidden
        for path in PYTHON
        if path.is_relative_to(ROOT / "tests")
    }
    assert {path: names for path, names in used.items() if names} == {}
