"""What helps while a workflow is being written: kinds of nodes, validation, schedules, expressions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import strawberry

from domain.errors import Finding, Invalid, InvalidGraph
from domain.expressions_try import Tried
from domain.formats.documents import graph_from_json, variables_from_json
from domain.graphs import Definition
from domain.ids import ExecutionId
from domain.nodes import NodeKind
from domain.validation import LEVELS
from resolvers import design, trials, workflows
from schema.enums import NodeCategory, Severity, ValidationLevel
from schema.errors import FindingType
from schema.graphs import GraphInput, graph_document
from schema.identifiers import read_id
from schema.info import Info
from schema.json_objects import object_or_refuse
from schema.scalars import JSON


@strawberry.type(description="A config that shows what a node kind is for.")
class NodeExample:
    title: str
    config: JSON


@strawberry.type(name="NodeKind", description="A kind of node: what it needs, where it can lead, what it does.")
class NodeKindType:
    name: str
    title: str
    description: str
    category: NodeCategory
    config_schema: JSON = strawberry.field(description="JSON Schema of the node's config.")
    input_handles: list[str]
    output_handles: list[str]
    documentation: str = strawberry.field(description="Markdown.")
    examples: list[NodeExample]
    package: str | None = strawberry.field(description="The plug-in it comes from, with its version.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    findings: Sequence[Finding]


@strawberry.type(description="What validation says of a graph.")
class ValidationReport:
    @strawberry.field(description="Whether it could be published.")
    @staticmethod
    def valid(root: strawberry.Parent[Report]) -> bool:
        return all(finding.severity is not Severity.ERROR for finding in root.findings)

    @strawberry.field(graphql_type=list[FindingType])
    @staticmethod
    def findings(root: strawberry.Parent[Report]) -> Sequence[Finding]:
        return root.findings


@strawberry.type(description="The value of an expression, or what is wrong with it.")
class ExpressionResult:
    value: JSON | None
    error: str | None
    position: int | None = strawberry.field(description="Where in the text the error shows.")


@strawberry.type
class DesignQuery:
    @strawberry.field(graphql_type=list[NodeKindType], description="Every kind of node that can run here.")
    def node_kinds(self, info: Info, category: NodeCategory | None = None) -> Sequence[NodeKind]:
        return design.node_kinds(info.context, category)

    @strawberry.field(graphql_type=ValidationReport, description="Validates a graph without saving it.")
    async def graph_validate(
        self,
        info: Info,
        graph: GraphInput,
        variables: Annotated[
            JSON | None, strawberry.argument(description="The workflow's; without them nothing is said of vars.")
        ] = None,
        input_schema: Annotated[JSON | None, strawberry.argument(description="The workflow's.")] = None,
        levels: Annotated[
            list[ValidationLevel] | None, strawberry.argument(description="Those of interest; all if left out.")
        ] = None,
    ) -> Report:
        try:
            definition = Definition(
                graph=graph_from_json(graph_document(graph)),
                variables=variables_from_json(variables) if variables is not None else {},
                input_schema=input_schema,
            )
        except InvalidGraph as refusal:
            return Report(findings=refusal.findings)
        chosen = LEVELS if levels is None else levels
        whole = variables is not None
        return Report(findings=await workflows.validate(info.context, definition, levels=chosen, whole=whole))

    @strawberry.field(description="The next times of a cron schedule, with the zone's offsets; at most 100.")
    def schedule_preview(
        self,
        info: Info,
        cron: str,
        time_zone: str,
        from_: Annotated[datetime | None, strawberry.argument(name="from")] = None,
        count: int = 5,
    ) -> list[datetime]:
        return list(design.preview_schedule(info.context, cron, time_zone, from_, count))

    @strawberry.field(graphql_type=ExpressionResult, description="Evaluates an expression, or a text with {{ }} in it.")
    async def expression_evaluate(
        self,
        info: Info,
        expression: str,
        scope: JSON | None = None,
        execution_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="With path: as a step of this execution sees it.")
        ] = None,
        path: Annotated[
            str | None, strawberry.argument(description="The step's; what scope gives hides names it sees.")
        ] = None,
    ) -> Tried:
        given = object_or_refuse(scope, "scope")
        if execution_id is None and path is None:
            return await design.try_expression(info.context, expression, given)
        if execution_id is None or path is None:
            raise Invalid("executionId and path belong together", path=("path" if path is None else "executionId",))
        execution = ExecutionId(read_id("execution", execution_id, "executionId"))
        return await trials.try_expression(info.context, execution, path, expression, given)
