"""The schema as it is served: checked, priced, masked. Changes when a protection is added."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    parse,
    specified_rules,
)
from strawberry import Schema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext, validate_document
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from domain.rates import Meter, RateLimited, Standing
from schema import introspection
from schema.broadcasts import Broadcasts
from schema.cohorts import Cohorts, Shared
from schema.costs import Pricing
from schema.limits import Limits, excesses
from schema.masking import extensions_of, presented
from schema.selections import Selection, selection_of
from schema.variables import too_many_objects

RULES = tuple(specified_rules)
Resolve = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A document that can be executed (`pricing`), or why it cannot (`errors`)."""

    document: DocumentNode
    errors: tuple[GraphQLError, ...] = ()
    entrances: list[FieldNode] = field(default_factory=list[FieldNode])
    pricing: Pricing | None = None


class _Unfit(Exception):
    """Carries a refused document past the cache: only documents that can run are worth remembering."""

    def __init__(self, checked: Checked) -> None:
        super().__init__()
        self.checked = checked


class Documents:
    """Parses, measures, validates and prepares the price of each query text once."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._fit = lru_cache(maxsize=limits.documents)(self._check)

    def checked(self, query: str) -> Checked:
        """Raises GraphQLSyntaxError."""
        try:
            return self._fit(query)
        except _Unfit as unfit:
            return unfit.checked

    def excess_of(
        self, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any]
    ) -> GraphQLError | None:
        """Why these variables are too much for the event loop, None when they are not."""
        return too_many_objects(self._schema, document, operation_name, variables, self._limits.objects)

    def _check(self, query: str) -> Checked:
        document = parse(query, max_tokens=self._limits.tokens)
        errors = excesses(document, self._limits) or validate_document(self._schema, document, RULES)
        if errors:
            raise _Unfit(Checked(document=document, errors=tuple(errors)))
        return Checked(
            document=document,
            entrances=introspection.entrances(document),
            pricing=Pricing(self._schema, document, self._limits.list_length),
        )


class Protection(SchemaExtension):
    """Gives each operation its checked document, refuses what it may not do, and reports its cost."""

    def __init__(self, documents: Documents, limits: Limits, *, introspection: bool) -> None:
        self._documents = documents
        self._limits = limits
        self._introspection = introspection
        self._checked: Checked | None = None
        self._cost: int | None = None
        self._price = 0
        self._standings: Sequence[Standing] = ()

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        context.parse_options["max_tokens"] = self._limits.tokens
        if context.query:
            # Strawberry parses again what cannot be parsed, and reports it as each transport expects.
            with suppress(GraphQLSyntaxError):
                self._checked = self._documents.checked(context.query)
                context.graphql_document = self._checked.document
        yield

    async def on_validate(self) -> AsyncIterator[None]:
        if self._checked is not None:
            # An empty list says "validated", so that it is not done again.
            self.execution_context.pre_execution_errors = await self._refusals(self._checked)
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """A subscription may go on for ever; its events are small."""
        match self.execution_context.operation_type:
            case OperationType.QUERY:
                seconds = self._limits.query_seconds
            case OperationType.MUTATION:
                seconds = self._limits.mutation_seconds
            case OperationType.SUBSCRIPTION:
                seconds = None
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                yield
        except TimeoutError:
            if deadline.expired():
                raise _too_long(seconds) from None
            raise

    def get_results(self) -> dict[str, Any]:
        results = {"rateLimit": [_told(each) for each in self._standings]} if self._standings else {}
        if self._cost is None:
            return results
        return {"cost": {"requested": self._cost, "maximum": self._limits.cost}, **results}

    async def _refusals(self, checked: Checked) -> list[GraphQLError]:
        """Why it may not run; one that may is charged to the caller's rates."""
        context = self.execution_context
        meter: Meter | None = getattr(context.context, "meter", None)
        errors = self._errors(checked)
        if errors or meter is None:
            return errors
        try:
            standings = await meter.charge(self._price)
        except RateLimited as refusal:
            self._cost, self._standings = None, [refusal.standing]
            return [GraphQLError(refusal.message, extensions=extensions_of(refusal))]
        if context.operation_type is not OperationType.SUBSCRIPTION:
            self._standings = standings
        return []

    def _errors(self, checked: Checked) -> list[GraphQLError]:
        if checked.errors or checked.pricing is None:
            return list(checked.errors)
        context = self.execution_context
        may = self._introspection and getattr(context.context, "may_introspect", False)
        if checked.entrances and not may:
            return [introspection.denial(checked.entrances)]
        variables = context.variables or {}
        excess = self._documents.excess_of(checked.document, context.operation_name, variables)
        if excess is not None:
            return [excess]
        cost = checked.pricing.cost(context.operation_name, variables)
        if cost > self._limits.cost:
            return [_too_costly(cost, self._limits.cost)]
        self._price = cost
        # Said once for an answer; a subscription would repeat it with each of its events.
        self._cost = None if context.operation_type is OperationType.SUBSCRIPTION else cost
        return []


def _told(standing: Standing) -> dict[str, object]:
    allowance = standing.allowance
    return {
        "policy": allowance.rate.policy,
        "limit": allowance.maximum,
        "window": allowance.window,
        "remaining": standing.remaining,
        "reset": math.ceil(standing.reset),
    }


def _too_costly(cost: int, maximum: int) -> GraphQLError:
    return GraphQLError(
        f"The operation may cost {cost}; at most {maximum} is allowed",
        extensions={
            "code": "QUERY_TOO_COSTLY",
            "cost": {"requested": cost, "maximum": maximum},
            "remedy": "Ask for smaller pages, or for less in each of their elements.",
        },
    )


def _too_long(seconds: float | None) -> GraphQLError:
    return GraphQLError(
        f"The operation took more than {seconds:g} s and was broken off",
        extensions={"code": "OPERATION_TIMEOUT", "remedy": "Ask for smaller pages, or for less at once."},
    )


class EventExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes each event with a renewed context, so that loaders keep nothing of the event before.

    What a subscription yields as `Shared` is executed once for all who are shown it.
    """

    cohorts: Cohorts  # of the schema that makes a class of its own

    def build_per_event_executor(self, payload: Any) -> Any:
        if isinstance(payload, Shared):
            return self.cohorts.turn(self._selection, payload, partial(self._execute, payload.frame))
        return self._for(payload)

    def _execute(self, frame: object) -> Any:
        return self._for(frame).execute_operation(False)

    def _for(self, event: object) -> Any:
        executor = cast("Any", super().build_per_event_executor(event))  # pyright: ignore[reportUnknownMemberType] -- graphql-core leaves a type parameter open
        executor.context_value = executor.context_value.renewed()
        return executor

    @cached_property
    def _selection(self) -> Selection:
        """One for all events of the subscription."""
        raw = {name: source.value for name, source in self.variable_values.sources.items()}
        fragments = tuple(self.fragment_definitions.values())
        return selection_of(self.schema, self.operation, fragments, raw, self.operation_extensions)


class ProtectedSchema(Schema):
    """A Strawberry schema with every protection of this folder; its context is a `transport.Session`."""

    def __init__(
        self,
        query: type,
        mutation: type | None = None,
        subscription: type | None = None,
        *,
        types: Iterable[type] = (),
        config: StrawberryConfig | None = None,
        limits: Limits | None = None,
        introspection: bool = True,
        extensions: Iterable[type[SchemaExtension] | Callable[[], SchemaExtension]] = (),
        scalar_overrides: Mapping[object, Any] | None = None,
    ) -> None:
        bounds = limits or Limits()
        self.cohorts = Cohorts()
        self.broadcasts = Broadcasts()
        super().__init__(  # pyright: ignore[reportUnknownMemberType] -- Strawberry leaves a type parameter open
            query,
            mutation,
            subscription,
            types=types,
            config=replace(config or StrawberryConfig(), disable_field_suggestions=True),
            extensions=[lambda: Protection(self.documents, bounds, introspection=introspection), *extensions],
            execution_context_class=type("Executor", (EventExecutor,), {"cohorts": self.cohorts}),
            scalar_overrides=scalar_overrides,
        )
        self.documents = Documents(self._schema, bounds)

    def around_mutations(self, wrap: Callable[[str, Mapping[str, GraphQLArgument], Resolve], Resolve]) -> None:
        """Puts `wrap(name, arguments, resolve)` in the place of every mutation's resolver."""
        mutation = self._schema.mutation_type
        for name, each in mutation.fields.items() if mutation else ():
            if each.resolve is None:
                raise TypeError(f"The mutation {name} has no resolver")
            each.resolve = wrap(name, each.args, each.resolve)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Replaces each error by what the caller may see; every way of executing passes here once."""
        errors[:] = [presented(error) for error in errors]
