"""Which quotas and rates the settings mean."""

from collections.abc import Mapping

from app.settings import Settings
from domain.quotas import Quota
from domain.rates import Rate


def default_quotas(settings: Settings) -> Mapping[Quota, int]:
    """What tenants have that were given nothing else; what is not there is unlimited."""
    maxima = {
        Quota.EXECUTIONS_PER_DAY: settings.quota_executions_per_day,
        Quota.EXECUTIONS_PER_MONTH: settings.quota_executions_per_month,
        Quota.EXECUTIONS_UNDER_WAY: settings.quota_executions_under_way,
        Quota.FILE_BYTES: settings.file_quota_bytes,
        Quota.STREAMS: settings.quota_streams,
        Quota.CONNECTIONS: settings.quota_connections,
        Quota.WORKFLOWS: settings.quota_workflows,
    }
    return {quota: maximum for quota, maximum in maxima.items() if maximum is not None}


def default_rates(settings: Settings) -> Mapping[Rate, int | None]:
    """None: any number."""
    return {
        Rate.KEY: settings.rate_key,
        Rate.USER: settings.rate_user,
        Rate.ROUTE: settings.rate_route,
        Rate.TENANT: settings.rate_tenant,
        Rate.COST: settings.rate_cost,
        Rate.ADDRESS: settings.rate_address,
    }
