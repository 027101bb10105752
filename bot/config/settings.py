"""Define the settings of one process, with what follows from them."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.config.declarations import DeclaredSettings
from bot.domain.identity import IamMapping
from bot.domain.rate_limits import Limit, LimitedAction


class Settings(DeclaredSettings):
    """The checked settings. `bot.config.loading.load` makes them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from `load` alone. pydantic-settings must not read the environment."""
        return (init_settings,)

    @property
    def socket_mode(self) -> bool:
        """Whether Slack is reached by Socket Mode. Otherwise Slack sends HTTP to `port`."""
        return self.slack_app_token is not None

    @property
    def approver_users(self) -> frozenset[str]:
        """The users (U…, W…) named as approvers."""
        return frozenset(one for one in self.approvers if not one.startswith("S"))

    @property
    def approver_groups(self) -> frozenset[str]:
        """The user groups (S…) whose members are approvers."""
        return self.approvers - self.approver_users

    @property
    def max_approvals(self) -> int:
        """The approvals that a risky request needs, which is the most of any."""
        return self.approvals_required + (1 if self.risky_needs_one_more else 0)

    @property
    def iam_mapping(self) -> IamMapping:
        """The mapping from a Slack member to an IAM user name."""
        rule = "" if self.iam_pairs else self.iam_username
        return IamMapping(rule, self.iam_pairs, self.email_domains)

    @property
    def hourly_limits(self) -> Mapping[LimitedAction, Limit]:
        """The limit of each action."""
        return {
            LimitedAction.REQUEST: Limit(*self.requests_an_hour),
            LimitedAction.REVEAL: Limit(*self.reveals_an_hour),
            LimitedAction.NUDGE: Limit(*self.nudges_an_hour),
            LimitedAction.LEAK_REPORT: Limit(*self.leak_reports_an_hour),
        }

    def with_redis(self, url: str) -> Settings:
        """Return these settings with another database URL."""
        return self.model_copy(update={"redis_url": SecretStr(url)})
