"""Run the command line: `python -m bot`.

It reads the settings, opens the database and serves until SIGTERM.
Only this file reads the environment of the process, and boto3, which reads AWS_* by itself.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from bot.cli import audit
from bot.config.errors import SettingsError, StartError
from bot.config.loading import load, read_env_file
from bot.config.settings import Settings
from bot.config.warnings import settings_warnings
from bot.runtime import hardening, log_config
from bot.server import Build, serve
from bot.store import embedded
from bot.store.errors import EmbeddedServerError

ENV_FILE = Path(".env")
SECRETS = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "AUDIT_KEY", "REDIS_URL")
"""Names of secret settings in the environment, without those of boto3."""
CANNOT_START = 2
"""Exit code if Keydesk cannot start. The reason is on stderr."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="keydesk" if Path(sys.argv[0]).name == "keydesk" else "python -m bot",
        description="Keydesk: AWS access keys, over Slack.",
    )
    parser.add_argument("--version", action="version", version=f"keydesk {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="{serve,audit}")
    commands.add_parser("serve", help="serve Slack (the default)")
    audit.add_options(
        commands.add_parser("audit", help=audit.HELP, description=audit.HELP, epilog=audit.EPILOG)
    )
    options = parser.parse_args(arguments)
    if options.command == "audit":
        hardening.protect_memory()
        return audit.run(options, os.environ, ENV_FILE)
    from bot.app import build

    return run(os.environ, ENV_FILE, build)


def run(environ: MutableMapping[str, str], env_file: Path, build: Build) -> int:
    """Serve with the settings in `environ` and `env_file`.

    Returns the exit code at the end.

    Known problems are printed on stderr, a sentence for each, without a traceback.
    """
    unprotected = hardening.protect_memory()
    try:
        settings = load(environ, env_file)
        log_config.configure(settings.log_level, settings.log_format, sys.stdout)
        log_config.log_uncaught_exceptions()
        for warning in settings_warnings(settings):
            log_config.get_logger().warning("setting", reason=warning)
        if unprotected:
            log_config.get_logger().warning("memory", error=unprotected)
        if _is_exposed(env_file):
            log_config.get_logger().warning(
                "setting",
                reason=f"{env_file} holds secrets, and every user of this machine "
                f"can read it: chmod 600 {env_file}",
            )
        _pass_on_aws(environ, env_file)
        for name in SECRETS:
            # Programs that this process starts, such as a credential_process, must not see them.
            environ.pop(name, None)
        del environ  # a traceback may show the variables of this frame
        with _with_store(settings) as complete:
            return serve(complete, build)
    except SettingsError as error:
        _print_error("Keydesk cannot start:", *(f"  {problem}" for problem in error.problems))
    except (StartError, EmbeddedServerError) as error:
        _print_error(f"Keydesk cannot start: {error}")
    return CANNOT_START


def _version() -> str:
    """Return the version of the installed package."""
    try:
        return metadata.version("keydesk")
    except metadata.PackageNotFoundError:
        return "(run from its source, not installed)"


def _is_exposed(env_file: Path) -> bool:
    """Return True if the file holds a secret that every user here can read."""
    secrets = {*SECRETS, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    given = {name for name, value in read_env_file(env_file).items() if value}
    return bool(secrets & given) and bool(env_file.stat().st_mode & stat.S_IROTH)


def _pass_on_aws(environ: MutableMapping[str, str], env_file: Path) -> None:
    """Copy AWS_* from the file into the environment, which is all that boto3 reads."""
    for name, value in read_env_file(env_file).items():
        if name.startswith("AWS_") and value:
            environ.setdefault(name, value)


@contextmanager
def _with_store(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with a database URL.

    The embedded server is started where no URL is set.
    The server starts before gunicorn forks, and stops after all its clients.
    """
    if settings.redis_url is not None:
        yield settings
        return
    server = embedded.start(settings.data_dir, dyno=settings.dyno is not None)
    try:
        yield settings.with_redis(server.url)
    finally:
        server.stop()  # does nothing in gunicorn's worker, which also gets here at its end


def _print_error(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
