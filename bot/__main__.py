"""How is Keydesk started? `python -m bot`: it reads its settings, has a store, and serves until SIGTERM.

Nothing but this file looks at the process's environment (boto3 aside, which reads AWS_* by itself).
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
from bot.config.settings import (
    Settings,
    SettingsError,
    StartError,
    load,
    read_env_file,
)
from bot.runtime import hardening, log_config
from bot.server import Build, serve
from bot.store import embedded

ENV_FILE = Path(".env")
SECRETS = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "AUDIT_KEY", "REDIS_URL")
"""The settings that are secrets, by their names in the environment; AWS's are boto3's own."""
CANNOT_START = 2
"""The exit code when a setting, Slack, AWS or the store keeps Keydesk from starting. The reason is on stderr."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
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
    """Serve with the settings in `environ` and `env_file`; returns the exit code once everything has ended.

    What is known to keep Keydesk from starting is told on stderr, a sentence for each problem, without traceback.
    """
    open_to = hardening.protect_memory()
    try:
        settings = load(environ, env_file)
        log_config.configure(settings.log_level, settings.log_format, sys.stdout)
        log_config.log_uncaught_exceptions()
        for warning in settings.warnings:
            log_config.get_logger().warning("setting", why=warning)
        if open_to:
            log_config.get_logger().warning("memory", why=open_to)
        if _is_open(env_file):
            log_config.get_logger().warning(
                "setting",
                why=f"{env_file} holds secrets, and everybody on this machine can "
                f"read it: chmod 600 {env_file}",
            )
        _pass_on_aws(environ, env_file)
        for name in SECRETS:
            environ.pop(
                name, None
            )  # what this process starts (boto3's credential_process, say) is not given them
        del environ  # a traceback may show the variables of this frame
        with _with_store(settings) as complete:
            return serve(complete, build)
    except SettingsError as error:
        _tell("Keydesk cannot start:", *(f"  {problem}" for problem in error.problems))
    except (StartError, embedded.EmbeddedServerError) as error:
        _tell(f"Keydesk cannot start: {error}")
    return CANNOT_START


def _version() -> str:
    """Return the version of the installed package."""
    try:
        return metadata.version("keydesk")
    except metadata.PackageNotFoundError:
        return "(run from its source, not installed)"


def _is_open(env_file: Path) -> bool:
    """Can everybody on this machine read the file, and is one of the secrets in it?"""
    secrets = {*SECRETS, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    given = {name for name, value in read_env_file(env_file).items() if value}
    return bool(secrets & given) and bool(env_file.stat().st_mode & stat.S_IROTH)


def _pass_on_aws(environ: MutableMapping[str, str], env_file: Path) -> None:
    """boto3 looks for AWS_* in the environment alone; what stands in the file is put there."""
    for name, value in read_env_file(env_file).items():
        if name.startswith("AWS_") and value:
            environ.setdefault(name, value)


@contextmanager
def _with_store(settings: Settings) -> Iterator[Settings]:
    """The settings with the address of a store: of the embedded server, started here, where none is set.

    It is started before gunicorn forks, and stopped when all who use it have ended.
    """
    if settings.redis_url is not None:
        yield settings
        return
    server = embedded.start(settings.data_dir, dyno=settings.dyno is not None)
    try:
        yield settings.with_redis(server.url)
    finally:
        server.stop()  # does nothing in gunicorn's worker, which comes by here on its way out


def _tell(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
