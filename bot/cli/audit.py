"""Who did what, when and why, and is that record whole? `python -m bot audit` prints, filters, exports and verifies.

It joins the store of a running bot (the embedded server in DATA_DIR, or REDIS_URL), asks nothing of Slack or AWS,
and changes nothing.
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
from bot.config.loading import read_env_file
from bot.config.settings import (
    AuditKey,
    RedisUrl,
    SettingsError,
    StartError,
)
from bot.domain.audit.verify import (
    ExportedTrail,
    Trail,
    Verdict,
    entries_text,
    exported_trail,
    verify,
)
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import StreamEntry
from bot.store import embedded
from bot.store.redis_store import RedisStore, connect

INTACT, TAMPERED, CANNOT_READ = 0, 1, 2
"""Exit codes. Printing ends with WHOLE, too."""

HELP = "print, export or verify the audit trail of a running Keydesk"
EPILOG = (
    f"Exit codes: {INTACT} whole (or printed), {TAMPERED} tampered with, {CANNOT_READ} cannot look. Settings: "
    "REDIS_URL or DATA_DIR, and AUDIT_KEY for --verify, from the environment or .env."
)
BATCH_SIZE = 1000
NO_LIMIT = 10**9


class CannotRead(Exception):
    """The trail cannot be read or compared; the text says what to do."""


class TrailSettings(BaseModel):
    """The few settings that looking at the trail needs: no token of Slack's is among them."""

    redis_url: RedisUrl | None = None
    data_dir: Path = Path("data")
    audit_key: AuditKey | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
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
    """Does what the options say; returns the exit code. What keeps it from looking is told on stderr."""
    try:
        if options.log and not options.verify:
            raise CannotRead("--log is something to compare with: add --verify.")
        settings = _settings(environ, env_file)
        with _open_store(settings) as store:
            return (
                _verify(options, settings, store)
                if options.verify
                else _print_entries(options, store)
            )
    except BrokenPipeError:  # whoever reads has seen enough ("| head")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTACT
    except StoreUnavailable:
        return _print_problem("The store does not answer. Start it, or mend REDIS_URL.")
    except UnicodeDecodeError:
        print("Tampered with: the trail holds bytes that are no text, which the desk never writes.")
        return TAMPERED
    except (CannotRead, StartError, embedded.EmbeddedServerError) as problem:
        return _print_problem(str(problem))


def _print_entries(options: argparse.Namespace, store: RedisStore) -> int:
    wanted = audit_format.Filter(key=options.key or "", request=options.request or "")
    if options.person:
        person = options.person.strip("<@>")
        wanted = wanted.by(person, {request.id for request in store.requests_of(person, NO_LIMIT)})
    if options.since:
        try:
            wanted = wanted.since(options.since, store.time())
        except ValueError as problem:
            raise CannotRead(str(problem)) from None
    found = (line for line in _read_stream(store) if not line.is_seal and wanted.takes(line))
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
            "AUDIT_KEY is not set, and there is no --log: there is nothing to compare the trail with."
        )
    kept = _read_exports(
        options.log
    )  # before the trail: what the log shows is in the trail already
    trail = store.trail()
    numbered, (sealed, _) = trail.last_number(), trail.last_seal()
    lines = list(_read_stream(store))
    verdict = verify(Trail(lines, numbered, trail.last_number(), sealed), key, kept)
    _report(verdict, key, kept, bool(options.log))
    return TAMPERED if verdict.problems else INTACT


def _report(verdict: Verdict, key: str, kept: ExportedTrail, with_log: bool) -> None:
    for problem in verdict.problems:
        print(f"Tampered with: {audit_format.printable(problem)}")
    print(
        f"Entries: {verdict.entries}, seals: {verdict.seals}. "
        f"{'The trail is NOT whole.' if verdict.problems else 'Nothing is wrong with them.'}"
    )
    if not key:
        print(
            "AUDIT_KEY is not set, so no seal was looked at: the trail was compared with the log alone."
        )
    if verdict.unsealed:
        several = len(set(verdict.unsealed)) > 1
        print(
            f"Not sealed yet: {entries_text(verdict.unsealed)}. A running bot with AUDIT_KEY seals "
            f"{'them' if several else 'it'} within seconds."
        )
    if with_log:
        print(
            f"Compared with a log that shows {len(kept.entries)} of the entries and {len(kept.seals)} of the seals."
            + (f" {kept.unreadable} of its lines could not be read." if kept.unreadable else "")
        )
    else:
        print(
            "Without a copy from outside (--log FILE), entries cut off from the end are noticed only where their "
            "seals, the newest seal's value or the counter were not put back with them."
        )


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

    kept = exported_trail(audit_format.read_records(lines()))
    if files and not kept.entries and not kept.seals:
        raise CannotRead(
            "The log shows nothing of the audit trail. Give the bot's output as it was written, with "
            "LOG_FORMAT=json (the default)."
        )
    return kept


def _read_stream(store: RedisStore) -> Iterator[StreamEntry]:
    trail, place = store.trail(), ""
    while lines := trail.lines(place, BATCH_SIZE):
        yield from lines
        place = lines[-1].stream_id


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
    print(f"Cannot look: {problem}", file=sys.stderr)
    return CANNOT_READ
