"""Input types of which a request may hold a thousand: what is to be known of their fields is looked up once."""

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, TypeVar

from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryList,
    StrawberryOptional,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.lazy_type import LazyType

T = TypeVar("T")

_Fields = Mapping[str, tuple[str, Any]]


def quick(input_type: type[T]) -> type[T]:
    """Values of this input type are made as Strawberry makes them, without asking for each anew what its fields are."""
    known: list[tuple[_Fields, Mapping[str, None]]] = []

    def made(made_type: type[Any], value: Mapping[str, Any], context: InputContext) -> object:
        if not known:
            known.append(_known(made_type, context.config))
        fields, absent = known[0]
        given: dict[str, Any] = dict(absent)
        for name, each in value.items():
            attribute, nested = fields[name]
            given[attribute] = each if nested is None else context.convert(each, nested, name)
        return made_type(**given)

    get_object_definition(input_type, strict=True).from_input = made
    return input_type


def _known(input_type: type[Any], config: StrawberryConfig) -> tuple[_Fields, Mapping[str, None]]:
    """Attribute and type of each field by its GraphQL name, and None for every attribute without a default.

    Without a type is what GraphQL itself has read: scalars and enums.
    """
    definition = get_object_definition(input_type, strict=True)
    fields = {
        config.name_converter.from_field(field): (
            field.python_name,
            kind if _nested(kind := field.resolve_type(type_definition=definition)) else None,
        )
        for field in definition.fields
    }
    required = {field.name for field in definition.fields if field.init and not _has_default(field)}
    return fields, dict.fromkeys(required)


def _has_default(field: Any) -> bool:
    return any(given is not MISSING for given in (field.default_value, field.default_factory))


def _nested(kind: Any) -> bool:
    while isinstance(kind, StrawberryOptional):
        kind = kind.of_type
    return isinstance(kind, StrawberryList | LazyType) or has_object_definition(kind)
