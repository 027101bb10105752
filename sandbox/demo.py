"""Start the parts of the demo in order, and tell the user how to try it."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

from sandbox.aws import LocalAws
from sandbox.bot_process import ROOT, BotProcess
from sandbox.local import LocalSlack
from sandbox.page_state import Programs
from sandbox.people import PEOPLE, SLACKBOT, Person
from sandbox.rights import give_rights

OWNER_TAG = "owner"
OWNERS = {person.email: person.id for person in PEOPLE if not person.is_restricted}
"""Whose each IAM user is, by its tag."""
SERVICE_USER = "ci-deploy"
ERIN = Person("U0ERIN", "erin", "Erin Evans", "erin@example.com")
RULES = {"RISKY_NEEDS_ONE_MORE": "true", "BREAK_GLASS": "U0BOB"}
"""What the demo shows of rules that Keydesk does not have by default."""
STARTS_WITHIN = 60  # seconds
PORTS = 100
_LOOK = 0.2  # seconds between two looks whether the bot is well

WELCOME = """\
:wave: *Welcome!* This Slack is yours alone. Play each of the people at the top. Nothing leaves \
this machine.
*A new key:* As *Bob*, type `/key create deploy script` below. As *Carol*, open *#key-approvals*, \
read what Bob's key would be able to do, and click *Approve*. Bob is an administrator, so *Erin* \
must approve, too. As *Bob*, open *Keydesk* under Apps and click *Reveal my key*. Reload the page, \
and the key is gone from it.
*A rotation:* Alice's key is 95 days old and in use. As *Alice*, type `/key rotate`, or open \
*Keydesk*, *Home*. When the new key is saved, a message shows both side by side.
*Time:* Click *+1 day* at the top, and what is due happens. *Use a key* lets a program use one. \
*Check again* shows it.
*A leak:* Type `/key leaked` with any key ID.
*Break glass:* As *Bob*, who is on call, type `/key create --urgent`. One approval is then enough.
`/key help` has the rest. Carol sees the audit trail in *#key-audit*.
*Two things that must not work:* Alice approves her own request. Dave, a guest, asks for a key."""

READY = """
  {url}

  A new key:   As Bob, type  /key create deploy script . As Carol and as Erin, approve it. As Bob,
               reveal it under Keydesk. (Bob is an administrator, so two approvals are needed.)
  A rotation:  As Alice, type  /key rotate , or open Keydesk's Home tab. The clock at the top moves
               time on.
  A leak:      As any person, type  /key leaked  and a key's ID.

  Audit trail: As Carol, open #key-audit. Or type in another terminal:
               {audit} --verify   (without --verify it prints)

  The bot's log: {log}
  Ctrl-C stops everything.
"""


class Demo:
    """An AWS, a Slack and the real bot, until `stopping` is set.

    `port` 0 is any free one.
    """

    def __init__(self, port: int, verbose: bool, stopping: threading.Event) -> None:
        self._port = port
        self._verbose = verbose
        self._stopping = stopping

    def run(self) -> int:
        """Start everything, wait, stop everything.

        Returns the exit code (1: the bot ended by itself).
        """
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="keydesk-demo-"))).resolve()
            clock = folder / "clock"
            slack, aws = slack_and_aws(clock, free_port(self._port))
            say(
                f"Starting AWS (moto): IAM users for Alice, Bob and Carol, and {SERVICE_USER}, "
                f"which is Bob's"
            )
            stack.enter_context(aws)
            furnish(aws)
            say("Starting Slack: Alice, Bob, Carol and Erin the approvers, and Dave the guest")
            stack.enter_context(slack)
            add_approver(slack)
            slack.look(lambda box: box.workspace.post("C0GENERAL", SLACKBOT, WELCOME))
            say("Starting the bot: python -m bot, over Socket Mode, with its own Valkey")
            bot = stack.enter_context(
                BotProcess(folder, settings(slack, aws, clock) | RULES | seal_key(folder))
            )
            code = self._watch(slack, bot)
            say("Stopping: the bot finishes its work")
        say("Stopped. Nothing is left running.")
        return code

    def _watch(self, slack: LocalSlack, bot: BotProcess) -> int:
        until, ready = time.monotonic() + STARTS_WITHIN, False
        while not self._stopping.wait(_LOOK):
            if self._verbose:
                say(*bot.new_lines())
            if bot.exit_code is not None:
                return _failed(f"The bot ended by itself, with exit code {bot.exit_code}.", bot)
            if not ready and slack.connections:
                ready = True
                say(READY.format(url=slack.url, log=bot.log, audit=audit_command(bot.log.parent)))
            if not ready and time.monotonic() > until:
                return _failed(
                    f"The bot has not come to Slack within {STARTS_WITHIN} seconds.", bot
                )
        return 0


def slack_and_aws(clock: Path, port: int = 0) -> tuple[LocalSlack, LocalAws]:
    """Return a Slack and an AWS, not started yet, of one time.

    The page moves the time on, and `clock` says how far.
    """
    aws = LocalAws((*OWNERS, SERVICE_USER), lambda: slack.ahead)
    programs = Programs(aws.working_keys, lambda key: use(aws, key, slack.ahead))
    slack = LocalSlack(ROOT / "manifest.yml", port=port, clock_file=clock, programs=programs)
    return slack, aws


def add_approver(slack: LocalSlack) -> None:
    """Let a second approver come, for requests that need two."""
    slack.add_person(ERIN, ["C0GENERAL", "C0APPROVALS", "C0AUDIT"])
    slack.set_group("S0APPROVERS", ["U0CAROL", ERIN.id])


def furnish(aws: LocalAws) -> None:
    """Tag the IAM users, give them rights, and give Alice an old key in use."""
    for user, owner in {**OWNERS, SERVICE_USER: "U0BOB"}.items():
        aws.tag(user, **{OWNER_TAG: owner})
    give_rights(aws)
    key: str = aws.client("iam").create_access_key(UserName="alice@example.com")["AccessKey"][
        "AccessKeyId"
    ]
    now = datetime.now(UTC)
    aws.backdate(key, now - timedelta(days=95))
    aws.mark_used(key, now - timedelta(hours=3), service="s3", region="eu-west-1")


def use(aws: LocalAws, key_id: str, ahead: timedelta) -> None:
    """Let a key be used now, in a time that runs `ahead`.

    Raises LookupError for one that does not work.
    """
    if key_id not in [key["id"] for key in aws.working_keys()]:
        raise LookupError(f"AWS refused {key_id}: there is no such key, or it is inactive.")
    aws.mark_used(key_id, datetime.now(UTC) + ahead, service="s3", region="eu-west-1")


def settings(slack: LocalSlack, aws: LocalAws, clock: Path) -> dict[str, str]:
    """Return the bot's settings in this Slack and this AWS, by name.

    `clock` is the file that says how far the time runs ahead.
    """
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.api_url,
        "APPROVAL_CHANNEL": "C0APPROVALS",
        "APPROVERS": "S0APPROVERS",
        "AUDIT_CHANNEL": "C0AUDIT",
        "IAM_OWNER_TAG": OWNER_TAG,
        "SWEEP_EVERY": "2s",
        "TRIAL_CLOCK": str(clock),
        "TRIAL_PACE": "10",
        **aws.credentials,
    }


def seal_key(folder: Path) -> dict[str, str]:
    """Return a new key of the audit trail's seals.

    It is put into `folder`, too, for who verifies them there.
    """
    key = secrets.token_urlsafe(32)
    (folder / ".env").write_text(f"AUDIT_KEY={key}\n")
    return {"AUDIT_KEY": key}


def audit_command(folder: Path) -> str:
    """Return the shell command that prints the audit trail of the bot in `folder`."""
    return (
        f"cd {quote(str(folder))} && PYTHONPATH={quote(str(ROOT))} {quote(sys.executable)} -m "
        f"bot audit"
    )


def free_port(wished: int) -> int:
    """Return the first free port from `wished` on at 127.0.0.1.

    Returns 0 (any) if there is none.
    """
    for port in range(wished, min(wished + PORTS, 65536)):
        with socket.socket() as listener:
            # As the server itself will.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0


def say(*lines: str) -> None:
    """Print lines.

    A closed terminal hears no more, and everything is stopped all the same.
    """
    try:
        for line in lines:
            print(line, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(why: str, bot: BotProcess) -> int:
    say("", why, "Its last lines:", *(f"  {line}" for line in bot.last_lines()), "")
    return 1
