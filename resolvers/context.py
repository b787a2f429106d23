"""What a resolver is given: who asks, the ports bound to their tenant, and data loaders of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.access import Permission
from domain.accounts import AccountStore, Passwords
from domain.accounts_password import Securing
from domain.apikeys import Secret
from domain.apikeys_edit import ApiKeyAdmin
from domain.audit import AuditAppender, AuditTrail, Origin
from domain.branches import BranchReader, BranchWriter
from domain.connections import ConnectionReader, Connections, ConnectionTester, ConnectionWriter
from domain.dead_letters import DeadLetterStore, Replaying
from domain.environments import EnvironmentStore
from domain.executions import ExecutionReader, LogReader
from domain.executions_control import Control
from domain.executions_migrate import Migrating
from domain.executions_plans import Plans
from domain.executions_start import Starting
from domain.expressions_try import Evaluator
from domain.files import FileReader, FileRows, Storage
from domain.files_keep import FileLimits, Keeping
from domain.ids import TenantId
from domain.inbox import Doorbell, Inbox
from domain.limits import Queues
from domain.live import Changes, LiveFeed
from domain.live_frames import Watching
from domain.load_runs import LoadRunStore
from domain.nodes import NodeCatalog
from domain.passwords import PasswordRules
from domain.placements import Placements
from domain.promotions import Promoting, PromotionStore
from domain.proofs import Proving
from domain.publish_requests import PublishRequestReader, PublishRequestWriter
from domain.publish_rules import PublishRules
from domain.quotas import QuotaReader
from domain.rates import Meter
from domain.sessions import Identity
from domain.sessions_kept import SessionStore
from domain.sources import Clock, Ids
from domain.splits import SplitStore
from domain.splits_run import Splitting
from domain.starts import Starts
from domain.statistics import StatisticsReader
from domain.streams import StreamReader
from domain.tasks import TaskAnnouncer, TaskAnswers, TaskReader, TaskWriter
from domain.tasks_complete import Completing
from domain.tasks_work import Working
from domain.tenancy import Principal, Tenant
from domain.testcases import TestCaseReader, TestCaseWriter
from domain.testcases_edit import Casework
from domain.throttling import Throttle
from domain.triggers import TriggerStore
from domain.versions import VersionHistory, VersionStore
from domain.workflows import WorkflowReader, WorkflowWriter
from domain.workflows_publish import Publishing
from resolvers.loaders import Loaders

NOWHERE = Origin(request_id="")
"""Where what is asked without a request comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Repositories born with one tenant: whatever they are asked, nothing of another is there."""

    workflows: WorkflowReader
    workflow_writer: WorkflowWriter
    versions: VersionStore
    version_history: VersionHistory
    branches: BranchReader
    branch_writer: BranchWriter
    publish_rules: PublishRules
    publish_requests: PublishRequestReader
    publish_request_writer: PublishRequestWriter
    environments: EnvironmentStore
    promotions: PromotionStore
    splits: SplitStore
    placements: Placements
    executions: ExecutionReader
    statistics: StatisticsReader
    queues: Queues
    quotas: QuotaReader
    dead_letters: DeadLetterStore
    log: LogReader
    triggers: TriggerStore
    connections: ConnectionReader
    connection_writer: ConnectionWriter
    tasks: TaskReader
    task_writer: TaskWriter
    streams: StreamReader
    files: FileReader
    file_rows: FileRows
    testcases: TestCaseReader
    testcase_writer: TestCaseWriter
    load_runs: LoadRunStore
    api_keys: ApiKeyAdmin
    audit: AuditTrail


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a process has once, for all tenants. `url` is how others reach this server, without a slash at its end."""

    stores: Callable[[TenantId], Stores]
    accounts: AccountStore
    passwords: Passwords
    password_rules: PasswordRules
    throttle: Throttle
    sessions: SessionStore
    starts: Starts
    inbox: Inbox
    doorbell: Doorbell
    changes: Changes
    task_answers: TaskAnswers
    task_announcer: TaskAnnouncer
    feed: LiveFeed
    catalog: NodeCatalog
    plans: Plans
    evaluator: Evaluator
    connections: Callable[[TenantId], Connections]
    connection_tester: ConnectionTester
    storage: Storage
    file_limits: FileLimits
    audit: AuditAppender
    clock: Clock
    ids: Ids
    secret: Secret
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One caller's operation: a `schema.transport.Session`. Made by `context_of`, renewed for each operation."""

    services: Services
    identity: Identity
    stores: Stores
    loaders: Loaders = field(repr=False)
    meter: Meter | None = None
    origin: Origin = NOWHERE

    @property
    def principal(self) -> Principal:
        return self.identity.principal

    @property
    def tenant(self) -> Tenant:
        return self.identity.tenant

    @property
    def expires_at(self) -> datetime | None:
        return self.principal.expires_at

    @property
    def may_introspect(self) -> bool:
        return Permission.SCHEMA_INTROSPECT in self.principal.permissions

    def renewed(self) -> "RequestContext":
        """The same caller with empty loaders."""
        return replace(self, loaders=_loaders(self.services, self.stores))

    @property
    def now(self) -> datetime:
        return self.services.clock()

    @property
    def starting(self) -> Starting:
        return Starting(
            tenant_id=self.principal.tenant_id,
            workflows=self.stores.workflows,
            versions=self.stores.versions,
            placements=self.stores.placements,
            executions=self.stores.executions,
            starts=self.services.starts,
            doorbell=self.services.doorbell,
            changes=self.services.changes,
            ids=self.services.ids,
        )

    @property
    def promoting(self) -> Promoting:
        return Promoting(
            workflows=self.stores.workflows,
            versions=self.stores.versions,
            environments=self.stores.environments,
            promotions=self.stores.promotions,
            ids=self.services.ids,
        )

    @property
    def splitting(self) -> Splitting:
        return Splitting(splits=self.stores.splits, promoting=self.promoting)

    @property
    def replaying(self) -> Replaying:
        return Replaying(
            store=self.stores.dead_letters, starting=self.starting, log=self.stores.log, plans=self.services.plans
        )

    @property
    def publishing(self) -> Publishing:
        return Publishing(
            workflows=self.stores.workflows,
            writer=self.stores.workflow_writer,
            versions=self.stores.versions,
            rules=self.stores.publish_rules,
            requests=self.stores.publish_requests,
            request_writer=self.stores.publish_request_writer,
            catalog=self.services.catalog,
            accounts=self.services.accounts,
            proving=self.proving,
            ids=self.services.ids,
        )

    @property
    def control(self) -> Control:
        return Control(
            tenant_id=self.principal.tenant_id,
            executions=self.stores.executions,
            inbox=self.services.inbox,
            doorbell=self.services.doorbell,
            ids=self.services.ids,
        )

    @property
    def migrating(self) -> Migrating:
        return Migrating(
            workflows=self.stores.workflows,
            versions=self.stores.versions,
            placements=self.stores.placements,
            log=self.stores.log,
            plans=self.services.plans,
            control=self.control,
        )

    @property
    def keeping(self) -> Keeping:
        return Keeping(
            tenant_id=self.principal.tenant_id,
            rows=self.stores.file_rows,
            storage=self.services.storage,
            limits=self.services.file_limits,
            ids=self.services.ids,
            clock=self.services.clock,
        )

    @property
    def proving(self) -> Proving:
        return Proving(passwords=self.services.passwords, throttle=self.services.throttle)

    @property
    def securing(self) -> Securing:
        return Securing(
            accounts=self.services.accounts,
            sessions=self.services.sessions,
            rules=self.services.password_rules,
            proving=self.proving,
        )

    @property
    def completing(self) -> Completing:
        return Completing(
            tenant_id=self.principal.tenant_id,
            tasks=self.stores.tasks,
            answers=self.services.task_answers,
            proving=self.proving,
            doorbell=self.services.doorbell,
            announcer=self.services.task_announcer,
        )

    @property
    def working(self) -> Working:
        return Working(
            tenant_id=self.principal.tenant_id,
            tasks=self.stores.tasks,
            writer=self.stores.task_writer,
            accounts=self.services.accounts,
            announcer=self.services.task_announcer,
            ids=self.services.ids,
        )

    @property
    def casework(self) -> Casework:
        return Casework(
            cases=self.stores.testcases,
            writer=self.stores.testcase_writer,
            workflows=self.stores.workflows,
            ids=self.services.ids,
        )

    @property
    def watching(self) -> Watching:
        return Watching(
            tenant_id=self.principal.tenant_id,
            executions=self.stores.executions,
            log=self.stores.log,
            feed=self.services.feed,
        )


def context_of(identity: Identity, services: Services) -> RequestContext:
    stores = services.stores(identity.principal.tenant_id)
    return RequestContext(services=services, identity=identity, stores=stores, loaders=_loaders(services, stores))


def _loaders(services: Services, stores: Stores) -> Loaders:
    return Loaders(
        workflows=stores.workflows,
        versions=stores.versions,
        version_history=stores.version_history,
        branches=stores.branches,
        publish_rules=stores.publish_rules,
        publish_requests=stores.publish_requests,
        executions=stores.executions,
        statistics=stores.statistics,
        queues=stores.queues,
        dead_letters=stores.dead_letters,
        log=stores.log,
        triggers=stores.triggers,
        connections=stores.connections,
        tasks=stores.tasks,
        promotions=stores.promotions,
        splits=stores.splits,
        testcases=stores.testcases,
        load_runs=stores.load_runs,
        plans=services.plans,
    )
