"""How a function is declared and called: its name, its parameters read from Python's annotations, its documentation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import Parameter as Declared
from inspect import signature
from typing import Annotated, Any, Final, TypeAlias, cast, get_args, get_origin

from domain.expressions.coercion import Value
from domain.expressions.errors import EvaluationError, OutOfRange
from domain.expressions.functions.moments import Moment, moment_of
from domain.expressions.functions.values import as_text, found, plain, shown
from domain.expressions.functions.zones import Zone, zone_of
from domain.json import JSON, as_list, is_list


class Kind(StrEnum):
    """What a parameter takes, in the words of error messages."""

    TEXT = "text"
    NUMBER = "a number"
    WHOLE = "a whole number"
    BOOLEAN = "true or false"
    LIST = "a list"
    OBJECT = "an object"
    ANY = "any value"
    DATE = "a date"
    ZONE = "a time zone"
    KEY = "a key"
    PATH = "a path"


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter that takes one of these texts."""

    options: tuple[str, ...]


Text: TypeAlias = Annotated[str, Kind.TEXT]
Number: TypeAlias = Annotated[float, Kind.NUMBER]
Whole: TypeAlias = Annotated[int, Kind.WHOLE]
Flag: TypeAlias = Annotated[bool, Kind.BOOLEAN]
Items: TypeAlias = Annotated[list[JSON], Kind.LIST]
Members: TypeAlias = Annotated[dict[str, JSON], Kind.OBJECT]
Anything: TypeAlias = Annotated[JSON, Kind.ANY]
Date: TypeAlias = Annotated[Moment, Kind.DATE]
InZone: TypeAlias = Annotated[Zone, Kind.ZONE]
Path: TypeAlias = Annotated[tuple[str, ...], Kind.PATH]
Key: TypeAlias = Annotated[Callable[[JSON], JSON], Kind.KEY]
"""Reads from an element what it is to be known by; written as a path, in the sandbox also as a function."""

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`default` is REQUIRED where there is none; null given for an optional parameter means its default."""

    name: str
    takes: Kind | Choice
    default: object = REQUIRED

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of the expression language. `example` is an expression and the value it has."""

    family: str
    name: str
    parameters: tuple[Parameter, ...]
    description: str
    example: tuple[str, JSON]
    run: Callable[..., Value] = field(repr=False)

    @property
    def full_name(self) -> str:
        return f"{self.family}.{self.name}"

    def call(self, given: Sequence[Value]) -> Value:
        """Arguments beyond the parameters are ignored, as in JavaScript.

        Raises EvaluationError for arguments of the wrong type or range, NeedsSandbox for very large ones.
        """
        values = plain(given[: len(self.parameters)])
        missing = len(self.parameters) - len(values)
        arguments = [
            self._argument(parameter, value)
            for parameter, value in zip(self.parameters, [*values, *([None] * missing)], strict=True)
        ]
        try:
            result = self.run(*arguments)
        except OutOfRange as error:
            raise EvaluationError(f"RangeError: {self.full_name}: {error}") from None
        return 0 if isinstance(result, float) and not result else result

    def _argument(self, parameter: Parameter, value: JSON) -> object:
        if value is None and not parameter.required:
            return parameter.default
        try:
            return _converted(parameter.takes, value)
        except (TypeError, KeyError):
            takes = parameter.takes
            words = takes.value if isinstance(takes, Kind) else f"one of {', '.join(takes.options)}"
            message = f"TypeError: {self.full_name}: {parameter.name} should be {words}, not {shown(value)}"
            raise EvaluationError(message) from None


def _converted(takes: Kind | Choice, value: JSON) -> object:
    """Raises TypeError or KeyError when the value is of another kind."""
    match takes:
        case Choice(options):
            if value in options:
                return value
        case Kind.ANY:
            return value
        case Kind.TEXT if isinstance(value, str):
            return value
        case Kind.NUMBER if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        case Kind.WHOLE if isinstance(value, int) and not isinstance(value, bool):
            return value
        case Kind.BOOLEAN if isinstance(value, bool):
            return value
        case Kind.LIST if is_list(value):
            return value
        case Kind.OBJECT if isinstance(value, Mapping):
            return value
        case Kind.DATE:
            return moment_of(value)
        case Kind.ZONE if isinstance(value, str):
            return zone_of(value)
        case Kind.PATH:
            return _path(value)
        case Kind.KEY:
            return _reader(_path(value))
        case _:
            pass
    raise TypeError


def _reader(path: tuple[str, ...]) -> Callable[[JSON], JSON]:
    return lambda item: found(item, path)


def _path(value: JSON) -> tuple[str, ...]:
    """`a.b.0`, or the keys in a list, where they may have dots in them."""
    if isinstance(value, str):
        return tuple(value.split("."))
    keys = as_list(value)
    if not is_list(value) or not all(isinstance(key, (str, int)) and not isinstance(key, bool) for key in keys):
        raise TypeError
    return tuple(map(as_text, keys))


FUNCTIONS: Final[dict[str, Function]] = {}
"""Every function by its full name; filled as the modules of the families are imported."""

R = Callable[..., Any]


def function(name: str, description: str, example: str, value: JSON) -> Callable[[R], R]:
    """Declares a function of the expression language; its parameters are those of the Python function."""

    def declare(run: R) -> R:
        family, _, own = name.partition(".")
        FUNCTIONS[name] = Function(
            family=family,
            name=own,
            parameters=tuple(_parameters(run)),
            description=description,
            example=(example, value),
            run=run,
        )
        return run

    return declare


def _parameters(run: R) -> Sequence[Parameter]:
    return [
        Parameter(
            name=_camel(name),
            takes=_takes(declared.annotation),
            default=REQUIRED if declared.default is Declared.empty else declared.default,
        )
        for name, declared in signature(run).parameters.items()
    ]


def _takes(hint: Any) -> Kind | Choice:
    if get_origin(hint) is Annotated:
        return cast("Kind | Choice", get_args(hint)[1])
    return next(_takes(each) for each in get_args(hint) if each is not type(None))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
