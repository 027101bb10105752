"""Keydesk's Slack side on a real workspace and Bolt, with IAM and store in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from slack_bolt import App
from slack_sdk import WebClient

from bot import ingress
from bot.app import new_id
from bot.domain.codes import Code
from bot.domain.requests import KeyRequest
from bot.operations.services import Services
from bot.runtime.worker_pool import WorkPool
from bot.slack.delivery.home_tabs import HomeTabs
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.directory import SlackDirectory
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.dispatch import Dispatcher, WorkerPool
from bot.slack.listeners.routes import Listeners, register
from bot.slack.messages.errors import text
from bot.slack.messages.kinds import Destinations
from bot.slack.messages.modals import FormDefaults
from sandbox.local import LocalSlack
from sandbox.local_person import LocalPerson
from sandbox.people import TEAM_ID
from sandbox.seen import SeenMessage
from tests.support.fake_issuer import FakeIssuer
from tests.support.memory_store import FakeClock, MemoryStore
from tests.support.settings import settings

PATIENCE = 45
USUAL = FormDefaults(timedelta(days=90))


class Quiet(WSGIRequestHandler):
    """An HTTP server that logs no requests."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


class NoRoom:
    """A pool that is full."""

    def submit(self, work: Callable[[], None]) -> bool:
        return False


@dataclass(frozen=True)
class SlackDesk:
    """Keydesk in a workspace. Alice and Bob may request keys, Carol decides."""

    slack: LocalSlack
    web: WebClient
    clock: FakeClock
    store: MemoryStore
    iam: FakeIssuer
    services: Services
    dispatcher: Dispatcher
    messenger: SlackMessenger
    open_homes: HomeTabs
    listeners: Listeners
    app: App

    @property
    def alice(self) -> LocalPerson:
        return self.slack.person("alice")

    @property
    def carol(self) -> LocalPerson:
        return self.slack.person("carol")

    def asked(self) -> SeenMessage:
        """Request a key as Alice. Return the card."""
        self.alice.command("/key create deploy script")
        return self.carol.wait_for("key-approvals", button="Approve")

    def approved(self) -> SeenMessage:
        """Request as Alice and approve as Carol. Return Alice's message."""
        self.carol.click(self.asked(), "Approve")
        return self.alice.wait_for(button="Reveal my key")

    def delivered(self) -> SeenMessage:
        """Reveal the key as Alice. Return her lasting message."""
        self.alice.click(self.approved(), "Reveal my key")
        return self.alice.wait_for(button="I did not get it")

    def request(self) -> KeyRequest:
        """Return Alice's newest request as it is stored."""
        return self.store.requests_of("U0ALICE")[0]


Wait = Callable[[float], None]


def words_of(code: Code, **facts: object) -> str:
    """Return what a user reads of a code, for comparisons with what they see."""
    return text(code, facts)


def at_once(seconds: float) -> None:
    """Wait for nothing."""


def build(
    slack: LocalSlack,
    web: WebClient,
    pool: WorkerPool,
    busy: WorkerPool,
    wait: Wait | None = at_once,
    usual: FormDefaults = USUAL,
    **rules: Any,
) -> SlackDesk:
    """Build a Keydesk whose work runs in `pool`, and do not serve it yet.

    `rules` are those of `Rules`. `wait` is the bot's own if it is None.
    """
    clock = FakeClock()
    store, iam = MemoryStore(clock.now), FakeIssuer(clock.now)
    iam.add_user("alice@example.com")
    iam.add_user("bob@example.com")
    directory = SlackDirectory(
        web, TEAM_ID, users=frozenset({"U0CAROL"}), groups=frozenset(), monotonic=clock.monotonic
    )
    messenger = SlackMessenger(
        web,
        web,
        store,
        clock,
        Destinations("C0APPROVALS", "<@U0CAROL>"),
        submit=pool.submit,
        new_id=new_id,
    )
    services = Services(
        store,
        iam,
        messenger,
        directory,
        clock,
        settings(approval_channel="C0APPROVALS", **rules),
        TEAM_ID,
        new_id,
    )
    waiting = {"wait": wait} if wait else {}
    dispatcher = Dispatcher(pool, busy, web, store, directory, TEAM_ID, now=clock.now, **waiting)
    homes = HomeTabs(services, web, instead=usual.instead)
    messenger.watch(homes.changed, homes.render_now)
    listeners = Listeners(ListenerContext(services, web, usual), dispatcher, messenger, homes)
    app = App(client=web, signing_secret=slack.signing_secret, process_before_response=True)
    register(app, listeners)
    return SlackDesk(
        slack, web, clock, store, iam, services, dispatcher, messenger, homes, listeners, app
    )


@contextmanager
def serving(
    slack: LocalSlack,
    web: WebClient,
    pool: WorkerPool | None = None,
    wait: Wait | None = None,
    usual: FormDefaults = USUAL,
    **rules: Any,
) -> Iterator[SlackDesk]:
    """Serve Keydesk over HTTP, with the real pool of threads unless another is given.

    By default it waits for a form as the bot does. An acknowledgement and the work beside it race
    here.
    """
    own, busy = WorkPool(threads=4), WorkPool(threads=1)
    served = build(slack, web, pool or own, busy, wait, usual, **rules)
    handler = ingress.wsgi_app(served.app, slack.signing_secret)
    with make_server("127.0.0.1", 0, handler, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            slack.deliver_to(f"http://127.0.0.1:{server.server_port}/slack/events")
            slack.wait_for_bot()
            yield served
        finally:
            slack.faults.clear()
            server.shutdown()
            thread.join()
            assert own.drain(PATIENCE) and busy.drain(PATIENCE)
