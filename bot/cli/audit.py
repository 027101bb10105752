"""`python -m bot audit`: print, filter, export and verify the audit trail.

It reads the database of a running bot: the embedded server in DATA_DIR, or REDIS_URL. It calls
neither Slack nor AWS, and changes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.cli import audit_format
from bot.config.errors import SettingsError, StartError
from bot.config.loading import read_env_file
from bot.config.types import AuditKey, RedisUrl
from bot.domain.audit.verify import ExportedTrail, Trail, Verdict, exported_trail, verify
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.records import StreamEntry
from bot.store import embedded
from bot.store.connection import connect
from bot.store.errors import EmbeddedServerError
from bot.store.redis_store import RedisStore

INTACT, TAMPERED, CANNOT_READ = 0, 1, 2
"""Exit codes. Printing ends with INTACT, too."""

HELP = "print, export or verify the audit trail of a running Keydesk"
EPILOG = (
    f"Exit codes: {INTACT} intact (or printed), {TAMPERED} tampered with, {CANNOT_READ} cannot "
    "read. Settings: REDIS_URL or DATA_DIR, and AUDIT_KEY for --verify, from the environment or "
    ".env."
)
BATCH_SIZE = 1000
NO_LIMIT = 10**9


class CannotRead(Exception):
    """The trail cannot be read or compared. The text says what to do."""


class TrailSettings(BaseModel):
    """The settings that reading the trail needs. No Slack token is among them."""

    redis_url: RedisUrl | None = None
    data_dir: Path = Path("data")
    audit_key: AuditKey | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    which = parser.add_argument_group("which entries")
    which.add_argument(
        "--person", metavar="U…", help="by this Slack user, or about a request of theirs"
    )
    which.add_argument("--key", metavar="AKIA…", help="about this access key ID")
    which.add_argument("--request", metavar="ID", help="about this request")
    which.add_argument(
        "--since",
        metavar="WHEN",
        help="not older: 2d, 12h, 30m, or a date such as 2026-11-24 (UTC)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--csv", action="store_true", help="as CSV with a heading")
    how.add_argument("--json", action="store_true", help="as JSON lines, which --log reads, too")
    how.add_argument(
        "--verify",
        action="store_true",
        help="compare every entry with the seals made with AUDIT_KEY",
    )
    parser.add_argument(
        "--log",
        metavar="FILE",
        action="append",
        default=[],
        help="with --verify: compare with this "
        "log of the bot, or output of --json, too; may be repeated (- is standard input)",
    )


def run(options: argparse.Namespace, environ: Mapping[str, str], env_file: Path) -> int:
    """Run the command and return the exit code.

    Problems with reading are printed on stderr.
    """
    try:
        if options.log and not options.verify:
            raise CannotRead("--log needs --verify.")
        settings = _settings(environ, env_file)
        with _open_store(settings) as store:
            return (
                _verify(options, settings, store)
                if options.verify
                else _print_entries(options, store)
            )
    except BrokenPipeError:  # the reader has closed the pipe ("| head")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTACT
    except StoreUnavailable:
        return _print_problem("The database does not respond. Start it, or correct REDIS_URL.")
    except UnicodeDecodeError:
        print("Tampered with: the trail holds bytes that are not text. Keydesk never writes those.")
        return TAMPERED
    except (CannotRead, StartError, EmbeddedServerError) as problem:
        return _print_problem(str(problem))


def _print_entries(options: argparse.Namespace, store: RedisStore) -> int:
    filter_ = audit_format.Filter(key=options.key or "", request=options.request or "")
    if options.person:
        person = options.person.strip("<@>")
        filter_ = filter_.by(
            person, {request.id for request in store.requests_of(person, NO_LIMIT)}
        )
    if options.since:
        try:
            filter_ = filter_.since(options.since, store.time())
        except ValueError as problem:
            raise CannotRead(str(problem)) from None
    found = (line for line in _read_stream(store) if not line.is_seal and filter_.takes(line))
    if options.csv:
        audit_format.write_csv(found, sys.stdout)
    elif options.json:
        audit_format.write_json(found, sys.stdout)
    else:
        audit_format.write_text(found, sys.stdout)
    sys.stdout.flush()
    return INTACT


def _verify(options: argparse.Namespace, settings: TrailSettings, store: RedisStore) -> int:
    key = settings.audit_key.get_secret_value() if settings.audit_key else ""
    if not key and not options.log:
        raise CannotRead(
            "AUDIT_KEY is not set and there is no --log: there is nothing to compare the "
            "trail with."
        )
    # Before the trail, so that all of it is in the trail already.
    export = _read_exports(options.log)
    trail = store.trail()
    numbered, (sealed, _) = trail.last_number(), trail.last_seal()
    lines = list(_read_stream(store))
    verdict = verify(Trail(lines, numbered, trail.last_number(), sealed), key, export)
    _report(verdict, key, export, bool(options.log))
    return TAMPERED if verdict.problems else INTACT


def _report(verdict: Verdict, key: str, export: ExportedTrail, with_log: bool) -> None:
    for line in audit_format.verdict_lines(verdict):
        print(line)
    if not key:
        print(
            "AUDIT_KEY is not set, so no seal was checked. The trail was compared with "
            "the log only."
        )
    if not with_log:
        print(
            "Without a copy from outside (--log FILE), an attacker can cut off the newest entries "
            "unnoticed by putting back the counter and the newest seal's value."
        )
        return
    print(f"Compared with {len(export.entries)} entries and {len(export.seals)} seals in the log.")
    if export.unreadable:
        print(f"Lines of the log that could not be read: {export.unreadable}.")


def _read_exports(files: list[str]) -> ExportedTrail:
    def lines() -> Iterator[str]:
        for name in files:
            try:
                if name == "-":
                    yield from sys.stdin
                else:
                    with Path(name).open(encoding="utf-8", errors="replace") as file:
                        yield from file
            except OSError as error:
                raise CannotRead(f"{name} cannot be read ({error.strerror}).") from None

    export = exported_trail(audit_format.read_records(lines()))
    if files and not export.entries and not export.seals:
        raise CannotRead(
            "The log has no audit entries. Give the bot's unchanged output, with LOG_FORMAT=json "
            "(the default)."
        )
    return export


def _read_stream(store: RedisStore) -> Iterator[StreamEntry]:
    trail, last_id = store.trail(), ""
    while lines := trail.lines(last_id, BATCH_SIZE):
        yield from lines
        last_id = lines[-1].stream_id


def _settings(environ: Mapping[str, str], env_file: Path) -> TrailSettings:
    given = {**read_env_file(env_file), **environ}
    values: dict[str, Any] = {
        name: text.strip()
        for name in TrailSettings.model_fields
        if (text := given.get(name.upper(), "")).strip()
    }
    try:
        return TrailSettings(**values)
    except ValidationError as error:
        raise SettingsError(
            f"{str(one['loc'][0]).upper()} {one.get('ctx', {}).get('error', 'is not understood.')}"
            for one in error.errors(include_url=False, include_input=False)
        ) from None


@contextmanager
def _open_store(settings: TrailSettings) -> Iterator[RedisStore]:
    url = (
        settings.redis_url.get_secret_value()
        if settings.redis_url
        else embedded.join(settings.data_dir).url
    )
    store = RedisStore(connect(url))
    try:
        yield store
    finally:
        store.close()


def _print_problem(problem: str) -> int:
    print(f"Cannot read the audit trail: {problem}", file=sys.stderr)
    return CANNOT_READ
