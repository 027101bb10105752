"""Make every client, and give each part what it needs (composition root)."""

from __future__ import annotations

import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from pydantic import SecretStr
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot import start_checks
from bot.aws.clients import IamClients, iam_clients
from bot.aws.iam import IamKeyIssuer
from bot.config.errors import StartError
from bot.config.settings import Settings
from bot.domain.outside_errors import StoreUnavailable
from bot.domain.ports import Clock
from bot.operations.detect_rollback import RollbackDetector
from bot.operations.services import Services
from bot.runtime import log_config
from bot.runtime.audit_publisher import AuditPublisher
from bot.runtime.clock import SystemClock, trial_offset
from bot.runtime.scheduler import Scheduler
from bot.runtime.timer import Timer
from bot.runtime.worker_pool import WorkPool
from bot.slack.delivery.audit_channel import SlackAuditChannel
from bot.slack.delivery.home_tabs import HomeTabs
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.delivery.rate_limiter import RateLimiter, budgets
from bot.slack.directory import SlackDirectory
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.dispatch import Dispatcher
from bot.slack.listeners.routes import Listeners, register
from bot.slack.messages.kinds import Destinations
from bot.slack.messages.modals import FormDefaults
from bot.store.connection import open_store
from bot.store.errors import UnfitServer
from bot.store.redis_store import RedisStore

SLACK_TIMEOUT = 10
"""Seconds for a call to Slack, at most. A call in a delivery gets a sixth of the lease at most."""

NO_LEVEL = logging.CRITICAL + 1
"""The level of a logger that writes nothing. slack_sdk logs whole messages at DEBUG, so the client
that posts the secret has a logger without a name, whose level nothing else can change."""


@dataclass(frozen=True)
class SlackClients:
    """Clients of Slack's Web API, without retries: a repeated post would appear twice.

    `secret` posts the secret and logs nothing. `questions` repeats a rate-limited call once.
    """

    web: WebClient
    secret: WebClient
    questions: WebClient


@dataclass(frozen=True)
class Pools:
    """Threads, each kind for work that must not take room from the others.

    `pool` does what was clicked and typed. `busy` answers that there is no room. `background` does
    what no user waits for. `permissions` and `last_uses` ask IAM.
    """

    pool: WorkPool = field(default_factory=WorkPool)
    busy: WorkPool = field(default_factory=partial(WorkPool, threads=1, queue=64))
    background: WorkPool = field(default_factory=partial(WorkPool, threads=4))
    permissions: WorkPool = field(default_factory=partial(WorkPool, threads=8))
    last_uses: ThreadPoolExecutor = field(
        default_factory=partial(ThreadPoolExecutor, 8, thread_name_prefix="last-used")
    )
    timer: Timer = field(default_factory=Timer)


@dataclass(frozen=True)
class Bot:
    """A bot that is ready to serve. `app` answers Slack, and `pools` do the work.

    The scheduler runs what is due. The audit publisher logs, posts and seals the audit trail.
    """

    app: App
    pools: Pools
    scheduler: Scheduler
    audit_publisher: AuditPublisher
    services: Services
    store: RedisStore
    clients: IamClients

    @property
    def pool(self) -> WorkPool:
        """The pool that must drain before `stop`."""
        return self.pools.pool

    def start(self) -> None:
        """Start the scheduler and the audit publisher."""
        self.scheduler.start()
        self.audit_publisher.start()

    def stop(self) -> None:
        """Stop what `start` started, and close the clients.

        Call it once the pool has drained.
        """
        self.pools.timer.stop()
        self.scheduler.stop()
        self.pools.busy.drain(1)
        self.audit_publisher.stop()
        for pool in (self.pools.background, self.pools.permissions):
            pool.drain(0)  # another process does what is left
        self.pools.last_uses.shutdown(wait=True)
        self.clients.close()
        self.store.close()


def build(settings: Settings, *, clock: Clock | None = None) -> Bot:
    """Build the bot from settings whose `redis_url` is set.

    It asks Slack for the workspace, the channels and the approvers. Only boto3 reads the
    environment. `clock` is the machine's unless another is given.

    Raises:
        StartError: A check failed. The text says what to do.
    """
    store = _open_store(settings)
    clock = clock or _system_clock(settings, store)
    slack = _slack_clients(settings)
    app = _bolt_app(settings, slack.questions)
    team_id = start_checks.team_id(slack.questions)
    _check_channels(settings, slack.questions)

    clients, pools = _iam_clients(settings), Pools()
    rate_limiter = RateLimiter(clock.monotonic, *budgets(settings.trial_pace))
    directory = _directory(settings, slack.web, team_id, clock)
    messenger = SlackMessenger(
        slack.web,
        slack.secret,
        store,
        clock,
        _destinations(settings),
        submit=pools.pool.submit,
        new_id=new_id,
        rate_limiter=rate_limiter,
        after=pools.timer.after,
    )
    services = Services(
        store,
        IamKeyIssuer(clients, pools.last_uses, aside=pools.permissions.submit),
        messenger,
        directory,
        clock,
        settings,
        team_id,
        new_id,
        pools.background.submit,
    )
    _listen(app, services, slack, pools, messenger, rate_limiter)
    start_checks.warn_if_too_few_approvers(directory, settings.max_approvals)
    publisher = _audit_publisher(settings, store, slack.web, clock, rate_limiter)
    scheduler = Scheduler(services, settings.sweep_every, RollbackDetector(store.trail()))
    return Bot(app, pools, scheduler, publisher, services, store, clients)


def _listen(
    app: App,
    services: Services,
    slack: SlackClients,
    pools: Pools,
    messenger: SlackMessenger,
    rate_limiter: RateLimiter,
) -> None:
    """Connect the operations to what users type, click, submit and open."""
    settings = services.settings
    defaults = FormDefaults(
        settings.key_ttl,
        bool(settings.iam_owner_tag),
        settings.instead_of_keys,
        settings.key_ttl_max,
        settings.break_glass_ttl if settings.break_glass else None,
    )
    dispatcher = Dispatcher(
        pools.pool,
        pools.busy,
        slack.questions,
        services.store,
        services.directory,
        services.team_id,
        now=services.clock.now,
    )
    homes = HomeTabs(services, slack.web, instead=defaults.instead, rate_limiter=rate_limiter)
    messenger.watch(homes.changed, homes.render_now)
    context = ListenerContext(services, slack.questions, defaults)
    register(app, Listeners(context, dispatcher, messenger, homes))


def _audit_publisher(
    settings: Settings, store: RedisStore, web: WebClient, clock: Clock, rate_limiter: RateLimiter
) -> AuditPublisher:
    channel = settings.audit_channel
    return AuditPublisher(
        store.trail(),
        clock,
        new_id(),
        key=_audit_key(settings),
        channel=SlackAuditChannel(web, channel, rate_limiter=rate_limiter) if channel else None,
    )


def new_id() -> str:
    """Return a random ID that cannot be guessed: 120 bits, in letters and digits."""
    return secrets.token_hex(15)


def _audit_key(settings: Settings) -> str:
    return settings.audit_key.get_secret_value() if settings.audit_key else ""


def _system_clock(settings: Settings, store: RedisStore) -> SystemClock:
    ahead = partial(trial_offset, settings.trial_clock) if settings.trial_clock else timedelta
    return SystemClock(store.time, ahead)


def _open_store(settings: Settings) -> RedisStore:
    """Connect to the database. Raises StartError, whose text holds no password."""
    if settings.redis_url is None:
        raise StartError("REDIS_URL: no database was given.")
    try:
        return open_store(settings.redis_url.get_secret_value(), audit_key=_audit_key(settings))
    except UnfitServer as unfit:
        problem = str(unfit)
    except StoreUnavailable:
        problem = "cannot connect to the database. Check that Redis is running, and the address."
    raise StartError(f"REDIS_URL: {problem}")


def _slack_clients(settings: Settings) -> SlackClients:
    timeout = max(1, int(min(SLACK_TIMEOUT, settings.lease_ttl.total_seconds() / 6)))

    def client(logger: logging.Logger | None = None) -> WebClient:
        return WebClient(
            token=settings.slack_bot_token.get_secret_value(),
            base_url=settings.slack_api_url,
            timeout=timeout,
            retry_handlers=[],
            logger=logger,
        )

    questions = client()
    questions.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    return SlackClients(client(), client(logging.Logger("secret", NO_LEVEL)), questions)


def _iam_clients(settings: Settings) -> IamClients:
    clients = iam_clients(
        region=settings.aws_region, endpoint=settings.aws_endpoint_url, lease_ttl=settings.lease_ttl
    )
    start_checks.check_aws(clients.check)
    return clients


def _directory(settings: Settings, web: WebClient, team_id: str, clock: Clock) -> SlackDirectory:
    return SlackDirectory(
        web,
        team_id,
        users=settings.approver_users,
        groups=settings.approver_groups,
        monotonic=clock.monotonic,
    )


def _bolt_app(settings: Settings, web: WebClient) -> App:
    """Make Bolt's App.

    A listener only acknowledges, before the response, so an acknowledgement never waits. Socket
    Mode needs no signing secret. A random one stands in for it, because a request could be signed
    with an empty one. Raises StartError.
    """
    signing = settings.slack_signing_secret or SecretStr(secrets.token_hex(32))
    try:
        app = App(
            client=web, signing_secret=signing.get_secret_value(), process_before_response=True
        )
        log_config.silence_libraries()
        return app
    except Exception as failure:  # Bolt wraps whatever auth.test raised
        error = start_checks.slack_error(failure)
    raise start_checks.token_refused(error, settings.slack_api_url)


def _check_channels(settings: Settings, web: WebClient) -> None:
    start_checks.check_channel(web, "APPROVAL_CHANNEL", settings.approval_channel)
    if settings.audit_channel:
        start_checks.check_channel(web, "AUDIT_CHANNEL", settings.audit_channel)


def _destinations(settings: Settings) -> Destinations:
    groups = [f"<!subteam^{group}>" for group in sorted(settings.approver_groups)]
    users = [f"<@{user}>" for user in sorted(settings.approver_users)]
    return Destinations(settings.approval_channel, " ".join([*groups, *users]))
