"""How a workflow's executions have gone, as the API shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import strawberry

from domain.engine.ports import ExecutionStatus as Status
from domain.statistics import Bucket, Statistics
from schema.enums import ExecutionStatus


@strawberry.type(name="StatusCount")
class StatusCountType:
    status: ExecutionStatus
    count: int


@strawberry.type(name="StatisticsBucket", description="Executions begun in one part of the period.")
class BucketType:
    at: datetime = strawberry.field(description="Where it begins.")
    started: int
    completed: int = strawberry.field(description="Of those begun in it; so are the others.")
    failed: int
    cancelled: int


@strawberry.type(
    name="WorkflowStatistics",
    description="Of the executions begun in the period, those that tried out a draft or were tests left out.",
)
class StatisticsType:
    total: int
    success_rate: float | None = strawberry.field(
        description="Completed of completed and failed ones, 0 to 1; null when there are neither."
    )

    @strawberry.field
    @staticmethod
    def since(root: strawberry.Parent[Statistics]) -> datetime:
        return root.window.since

    @strawberry.field(description="Not included; the last bucket is under way.")
    @staticmethod
    def until(root: strawberry.Parent[Statistics]) -> datetime:
        return root.window.until

    @strawberry.field(description="How long a bucket is.")
    @staticmethod
    def bucket_seconds(root: strawberry.Parent[Statistics]) -> float:
        return root.window.width / timedelta(seconds=1)

    @strawberry.field(description="Every status, those without any too.")
    @staticmethod
    def counts(root: strawberry.Parent[Statistics]) -> list[StatusCountType]:
        return [StatusCountType(status=status, count=root.counts[status]) for status in Status]

    @strawberry.field(description="Half of those that are over took at most as long, from start to end.")
    @staticmethod
    def p50_ms(root: strawberry.Parent[Statistics]) -> float | None:
        return root.durations.p50

    @strawberry.field
    @staticmethod
    def p95_ms(root: strawberry.Parent[Statistics]) -> float | None:
        return root.durations.p95

    @strawberry.field
    @staticmethod
    def p99_ms(root: strawberry.Parent[Statistics]) -> float | None:
        return root.durations.p99

    @strawberry.field(graphql_type=list[BucketType], description="All of the period, oldest first.")
    @staticmethod
    def buckets(root: strawberry.Parent[Statistics]) -> Sequence[Bucket]:
        return root.buckets
