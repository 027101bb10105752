"""Run the demo, which needs no account: `python -m sandbox`, until Ctrl-C.

It starts an AWS, a Slack and the real bot on this machine, prints one address, and in the end stops
all of it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence

PORT = 8765
_KEPT = ("PATH", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo.

    Returns the exit code: 0 when a user stopped it, 1 when it could not go on.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Try Keydesk on this machine alone."
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        help="the page's port, or the next free one (%(default)s; 0: any)",
    )
    parser.add_argument("--verbose", action="store_true", help="show the bot's log lines here")
    wanted = parser.parse_args(arguments)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Ignored: by nohup.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stopping.set())
    environ = bare(os.environ)
    os.environ.clear()  # boto3 and moto look there, too
    os.environ.update(environ)
    from sandbox.demo import Demo  # after the signals and the environment: moto takes its time

    return Demo(wanted.port, wanted.verbose, stopping).run()


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a process of the demo needs of an environment.

    Nothing in it leads to a real account.
    """
    kept = {name: environ[name] for name in _KEPT if name in environ}
    # Without these, boto3 reads ~/.aws, and urllib takes the proxies of the operating system's own
    # settings.
    no_account = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    return {**kept, **no_account, "AWS_EC2_METADATA_DISABLED": "true"}


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: give a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
