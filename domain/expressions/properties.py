"""Reading properties as JavaScript does: own keys, indices, lengths, and what the prototypes would answer."""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.expressions.coercion import (
    UNDEFINED,
    Value,
    has_astral,
    is_object,
    number_text,
    to_text,
    type_error,
    utf16,
)
from domain.expressions.errors import NeedsSandbox

_OF_OBJECT = """__defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __proto__ constructor hasOwnProperty
    isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf"""
OBJECT_NAMES: Final = frozenset(_OF_OBJECT.split())
_OF_LIST = """at concat copyWithin entries every fill filter find findIndex findLast findLastIndex flat flatMap forEach
    includes indexOf join keys lastIndexOf length map pop push reduce reduceRight reverse shift slice some sort
    splice unshift values"""
LIST_NAMES: Final = OBJECT_NAMES | frozenset(_OF_LIST.split())
_OF_TEXT = """__quote anchor at big blink bold charAt charCodeAt codePointAt concat endsWith fixed fontcolor fontsize
    includes indexOf isWellFormed italics lastIndexOf length link localeCompare match matchAll normalize padEnd
    padStart repeat replace replaceAll search slice small split startsWith strike sub substr substring sup
    toLocaleLowerCase toLocaleUpperCase toLowerCase toUpperCase toWellFormed trim trimEnd trimLeft trimRight
    trimStart"""
TEXT_NAMES: Final = OBJECT_NAMES | frozenset(_OF_TEXT.split())
NUMBER_NAMES: Final = OBJECT_NAMES | {"toExponential", "toFixed", "toPrecision"}


def read(value: Value, key: Value) -> Value:
    """`value[key]`; a missing property is undefined.

    Raises EvaluationError for a property of null or undefined, NeedsSandbox for a built-in method.
    """
    if value is None or value is UNDEFINED:
        raise type_error(f"cannot read property '{key_text(key)}' of {to_text(value)}")
    if isinstance(value, dict) and isinstance(key, str):
        found = value.get(key, UNDEFINED)
        return found if found is not UNDEFINED else _inherited(key, OBJECT_NAMES)
    if isinstance(value, Mapping):
        name = key_text(key)
        return value[name] if name in value else _inherited(name, OBJECT_NAMES)
    if isinstance(value, str):
        return _of_text(value, key)
    if isinstance(value, (int, float)):
        return _inherited(key_text(key), OBJECT_NAMES if isinstance(value, bool) else NUMBER_NAMES)
    return _of_list(value, key)


def has(value: Value, key: Value) -> bool:
    """`key in value`. Raises EvaluationError when the value is neither list nor object."""
    if not is_object(value):
        raise type_error("invalid 'in' operand")
    name = key_text(key)
    if isinstance(value, Mapping):
        return name in value or name in OBJECT_NAMES
    index = _index(key)
    return name in LIST_NAMES or (index is not None and isinstance(value, Sequence) and index < len(value))


def key_text(key: Value) -> str:
    """ToPropertyKey (ECMA-262 7.1.19)."""
    return key if isinstance(key, str) else to_text(key)


def _of_list(value: Sequence[Value], key: Value) -> Value:
    index = _index(key)
    if index is not None:
        return value[index] if index < len(value) else UNDEFINED
    name = key_text(key)
    return len(value) if name == "length" else _inherited(name, LIST_NAMES)


def _of_text(value: str, key: Value) -> Value:
    index = _index(key)
    if index is not None:
        if not has_astral(value):
            return value[index] if index < len(value) else UNDEFINED
        units = utf16(value)
        unit = units[2 * index : 2 * index + 2]
        return unit.decode("utf-16-be", "surrogatepass") if unit else UNDEFINED
    name = key_text(key)
    if name == "length":
        return len(utf16(value)) // 2 if has_astral(value) else len(value)
    return _inherited(name, TEXT_NAMES)


def _index(key: Value) -> int | None:
    """The position a canonical numeric key names ("1", not "01" or 1.5), else None."""
    if isinstance(key, bool):
        return None
    if isinstance(key, float):
        return int(key) if key >= 0 and key.is_integer() else None
    if isinstance(key, int):
        return key if key >= 0 else None
    name = key_text(key)
    canonical = len(name) <= 15 and name.isascii() and name.isdigit() and number_text(int(name)) == name
    return int(name) if canonical else None


def _inherited(name: str, names: frozenset[str]) -> Value:
    if name in names:
        raise NeedsSandbox(f"TypeError: {name!r} is a built-in of this value, which only the sandbox can read")
    return UNDEFINED
