"""How is the bot put together? `build` is the only place that makes clients; all else is handed what it needs."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from slack_bolt import App
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.aws.iam import IamClients, IamKeyIssuer, iam_clients
from bot.config.settings import Settings, StartError
from bot.domain.errors import SlackUnavailable, StoreUnavailable
from bot.domain.identity import IamMapping
from bot.domain.ports import Clock
from bot.domain.rate_limits import Limit, LimitedAction
from bot.operations.detect_rollback import RollbackDetector
from bot.operations.services import Rules, Services
from bot.runtime import log_config
from bot.runtime.audit_publisher import AuditPublisher
from bot.runtime.scheduler import Scheduler
from bot.runtime.timer import Timer
from bot.runtime.worker_pool import WorkPool
from bot.slack.delivery.audit_channel import SlackAuditChannel
from bot.slack.delivery.home_tabs import HomeTabs
from bot.slack.delivery.messenger import SlackMessenger
from bot.slack.delivery.rate_limiter import RateLimiter, budgets
from bot.slack.directory import SlackDirectory
from bot.slack.errors import translate_errors
from bot.slack.listeners.context import ListenerContext
from bot.slack.listeners.dispatch import Dispatcher
from bot.slack.listeners.routes import Listeners, register
from bot.slack.messages.kinds import Destinations
from bot.slack.messages.modals import FormDefaults
from bot.store.redis_store import RedisStore, UnfitServer, open_store

SLACK_TIMEOUT = 10
"""Seconds that a question to Slack may take, at most; a hand-over's calls get a sixth of the lease at most."""


NO_LEVEL = logging.CRITICAL + 1
"""The level of a logger that writes nothing. slack_sdk writes whole messages at DEBUG; the client that posts the secret
has a logger of its own, which nobody finds by name and sets to another level."""


class SystemClock:
    """The Clock port on this machine's clock; `store_time` is the store's, for comparison.

    `ahead` is how far the desk's time runs ahead of it: not at all, but where the desk is tried out.
    """

    def __init__(
        self, store_time: Callable[[], datetime], ahead: Callable[[], timedelta] = timedelta
    ) -> None:
        self._store_time, self._ahead = store_time, ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead()

    def monotonic(self) -> float:
        return time.monotonic()

    def drift(self) -> timedelta:
        before = datetime.now(UTC)
        theirs = self._store_time()
        return before + (datetime.now(UTC) - before) / 2 - theirs


@dataclass(frozen=True)
class Bot:
    """A desk that is ready to serve: `app` answers Slack, `pool` does the work, `sweeper` makes time pass.

    `auditor` carries the audit trail to the log and to Slack, and seals it. `busy`, `aside` and `facts` do what must
    not take room from the work: saying that there is none, what nobody waits for, and the questions of that to IAM.
    """

    app: App
    pool: WorkPool
    scheduler: Scheduler
    audit_publisher: AuditPublisher
    services: Services
    busy: WorkPool
    store: RedisStore
    clients: IamClients
    last_uses: ThreadPoolExecutor
    aside: WorkPool
    permissions: WorkPool
    timer: Timer

    def start(self) -> None:
        """Starts what runs by itself: the sweeper and the auditor."""
        self.scheduler.start()
        self.audit_publisher.start()

    def stop(self) -> None:
        """Stops what runs by itself and closes the clients. Called once the pool has drained."""
        self.timer.stop()
        self.scheduler.stop()
        self.busy.drain(1)
        self.audit_publisher.stop()
        for pool in (self.aside, self.permissions):
            pool.drain(0)  # what is not read by then is read by another process
        self.last_uses.shutdown(wait=True)
        self.clients.close()
        self.store.close()


def build(settings: Settings, *, clock: Clock | None = None) -> Bot:
    """The bot, from settings whose `redis_url` is set. `clock` is the machine's unless another is given.

    Asks Slack who it is and looks at the channels; reads nothing from the environment but through boto3. Raises
    StartError, with what to mend.
    """
    store = _store(settings)
    ahead = partial(_trial_offset, settings.trial_clock) if settings.trial_clock else timedelta
    clock = clock or SystemClock(store.time, ahead)
    lease = settings.lease_ttl.total_seconds()
    web = _web_client(settings, timeout=min(SLACK_TIMEOUT, lease / 6))
    once = _web_client(
        settings, timeout=min(SLACK_TIMEOUT, lease / 6), logger=logging.Logger("once", NO_LEVEL)
    )
    asking = _web_client(settings, timeout=min(SLACK_TIMEOUT, lease / 6))
    asking.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    app = _app(settings, asking)
    team_id = _team_id(asking)
    _check_channel(asking, "APPROVAL_CHANNEL", settings.approval_channel)
    if settings.audit_channel:
        _check_channel(asking, "AUDIT_CHANNEL", settings.audit_channel)

    pool, busy = WorkPool(), WorkPool(threads=1, queue=64)
    aside, facts = WorkPool(threads=4), WorkPool(threads=8)
    last_uses = ThreadPoolExecutor(8, thread_name_prefix="last-used")
    clients = iam_clients(
        region=settings.aws_region, endpoint=settings.aws_endpoint_url, lease_ttl=settings.lease_ttl
    )
    directory = SlackDirectory(
        web,
        team_id,
        users=settings.approver_users,
        groups=settings.approver_groups,
        monotonic=clock.monotonic,
    )
    rate_limiter, timer = RateLimiter(clock.monotonic, *budgets(settings.trial_pace)), Timer()
    messenger = SlackMessenger(
        web,
        once,
        store,
        clock,
        _destinations(settings),
        submit=pool.submit,
        new_id=new_id,
        rate_limiter=rate_limiter,
        after=timer.after,
    )
    services = Services(
        store,
        IamKeyIssuer(clients, last_uses, aside=facts.submit),
        messenger,
        directory,
        clock,
        _rules(settings, team_id),
        new_id,
        aside.submit,
    )
    dispatcher = Dispatcher(pool, busy, asking, store, directory, team_id, now=clock.now)
    defaults = FormDefaults(
        settings.key_ttl,
        bool(settings.iam_owner_tag),
        settings.instead_of_keys or "",
        settings.key_ttl_max,
        settings.break_glass_ttl if settings.break_glass else None,
    )
    homes = HomeTabs(services, web, instead=defaults.instead, rate_limiter=rate_limiter)
    messenger.watch(homes.changed, homes.render_now)
    register(
        app, Listeners(ListenerContext(services, asking, defaults), dispatcher, messenger, homes)
    )
    _warn_if_too_few_approvers(directory, settings.most_approvals)
    audit_publisher = _auditor(settings, store, web, clock, rate_limiter)
    scheduler = Scheduler(services, settings.sweep_every, RollbackDetector(store.trail()))
    return Bot(
        app,
        pool,
        scheduler,
        audit_publisher,
        services,
        busy,
        store,
        clients,
        last_uses,
        aside,
        facts,
        timer,
    )


def _auditor(
    settings: Settings, store: RedisStore, web: WebClient, clock: Clock, rate_limiter: RateLimiter
) -> AuditPublisher:
    key, channel = settings.audit_key, settings.audit_channel
    return AuditPublisher(
        store.trail(),
        clock,
        new_id(),
        key=key.get_secret_value() if key else "",
        channel=SlackAuditChannel(web, channel, rate_limiter=rate_limiter) if channel else None,
    )


def new_id() -> str:
    """An opaque ID that nobody can guess: 120 bits, in letters and digits."""
    return secrets.token_hex(15)


def _trial_offset(file: Path) -> timedelta:
    """How far the desk's time is moved where it is tried out: whole seconds in a file, none where it says nothing."""
    try:
        text = file.read_text().strip()
    except OSError:
        return timedelta()
    return timedelta(seconds=int(text)) if text.isdigit() else timedelta()


def _store(settings: Settings) -> RedisStore:
    if settings.redis_url is None:
        raise StartError("REDIS_URL: no store was given.")
    try:
        key = settings.audit_key
        return open_store(
            settings.redis_url.get_secret_value(), audit_key=key.get_secret_value() if key else ""
        )
    except UnfitServer as unfit:
        why = str(unfit)
    except StoreUnavailable:
        why = "the store does not answer. Start it, or mend the address."
    raise StartError(f"REDIS_URL: {why}")


def _web_client(
    settings: Settings, *, timeout: float, logger: logging.Logger | None = None
) -> WebClient:
    """A client without retries of its own: a message must not be posted twice because a connection broke."""
    return WebClient(
        token=settings.slack_bot_token.get_secret_value(),
        base_url=settings.slack_api_url,
        timeout=max(1, int(timeout)),
        retry_handlers=[],
        logger=logger,
    )


def _app(settings: Settings, web: WebClient) -> App:
    """Bolt's App. The listener runs before the response and only acknowledges, so an ack never waits.

    Without a signing secret (Socket Mode needs none) one that nobody knows stands in: an empty one could be met.
    """
    signing = settings.slack_signing_secret or SecretStr(secrets.token_hex(32))
    try:
        app = App(
            client=web, signing_secret=signing.get_secret_value(), process_before_response=True
        )
        log_config.silence_libraries()
        return app
    except Exception as error:  # Bolt wraps whatever auth.test raised
        cause = _slack_error(error)
    raise StartError(
        f"SLACK_BOT_TOKEN: Slack did not accept it ({cause}). Copy the bot token from your Slack app's "
        'page "Install App", and look at SLACK_API_URL.'
    )


def _slack_error(error: BaseException) -> str:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, SlackApiError):
            return str(found.response.get("error"))
        found = found.__cause__ or found.__context__
    return type(error).__name__


def _team_id(web: WebClient) -> str:
    try:
        with translate_errors("auth.test"):
            return str(web.auth_test()["team_id"])
    except SlackUnavailable as failure:
        raise StartError(
            f"SLACK_BOT_TOKEN: Slack did not say which workspace it is of ({failure.error})."
        ) from None


def _check_channel(web: WebClient, name: str, channel: str) -> None:
    """What the bot posts goes to a channel of this workspace alone, which it may write to. Raises StartError."""
    try:
        with translate_errors("conversations.info"):
            info = web.conversations_info(channel=channel)["channel"]
    except SlackUnavailable as failure:
        raise StartError(
            f"{name}: Slack does not show channel {channel} ({failure.error}). Give the ID of a channel "
            "of this workspace, and invite Keydesk to it."
        ) from None
    if any(
        info.get(shared) for shared in ("is_ext_shared", "is_pending_ext_shared", "is_org_shared")
    ):
        raise StartError(
            f"{name}: channel {channel} is shared with another workspace, whose people could see and "
            "click. Choose one that is not shared."
        )
    if info.get("is_archived"):
        raise StartError(f"{name}: channel {channel} is archived. Choose another.")
    if not info.get("is_member"):
        raise StartError(
            f"{name}: Keydesk is not a member of channel {channel}. Type /invite @Keydesk there."
        )


def _warn_if_too_few_approvers(directory: SlackDirectory, approvals_needed: int) -> None:
    """Says at the start when too few could approve; each decision asks again, and refuses while that lasts.

    It is a warning: groups change at any time, and a desk that did not start could turn no key off either.
    """
    log = log_config.get_logger()
    try:
        known = directory.approvers()
    except SlackUnavailable as failure:
        log.warning(
            "approvers",
            outcome="unknown",
            method=failure.method,
            why=failure.error,
            mend=failure.sentence,
        )
        return
    if len(known) < approvals_needed:
        log.warning(
            "approvers",
            outcome="too few" if known else "nobody",
            known=len(known),
            approvals_needed=approvals_needed,
            why="the people and groups in APPROVERS are fewer than the approvals that a request needs",
            mend="add members to the groups, name more in APPROVERS, or lower APPROVALS_REQUIRED",
        )


def _destinations(settings: Settings) -> Destinations:
    groups = [f"<!subteam^{group}>" for group in sorted(settings.approver_groups)]
    people = [f"<@{user}>" for user in sorted(settings.approver_users)]
    return Destinations(settings.approval_channel, " ".join([*groups, *people]))


def _rules(settings: Settings, team_id: str) -> Rules:
    mapping = IamMapping(settings.iam_rule, settings.iam_pairs, settings.email_domains)
    return Rules(
        team_id=team_id,
        approval_channel=settings.approval_channel,
        iam_mapping=mapping,
        iam_owner_tag=settings.iam_owner_tag or "",
        iam_path=settings.iam_path,
        request_ttl=settings.request_ttl,
        claim_ttl=settings.claim_ttl,
        receipt_ttl=settings.receipt_ttl,
        lease_ttl=settings.lease_ttl,
        look_after=settings.look_after,
        delete_after=settings.delete_after,
        key_ttl=settings.key_ttl,
        key_ttl_max=settings.key_ttl_max,
        rotation_grace=settings.rotation_grace,
        approval_free=settings.approval_free,
        sweep_every=settings.sweep_every,
        approvals_required=settings.approvals_required,
        risky_needs_one_more=settings.risky_needs_one_more,
        break_glass=settings.break_glass,
        break_glass_ttl=settings.break_glass_ttl,
        hourly_limits={
            limited_action: Limit(*limit)
            for limited_action, limit in (
                (LimitedAction.REQUEST, settings.requests_an_hour),
                (LimitedAction.REVEAL, settings.reveals_an_hour),
                (LimitedAction.NUDGE, settings.nudges_an_hour),
                (LimitedAction.LEAK_REPORT, settings.leak_reports_an_hour),
            )
        },
    )
