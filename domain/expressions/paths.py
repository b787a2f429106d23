"""Which names of the scope an expression reads."""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from domain.expressions.lex import Kind, Token
from domain.expressions.properties import key_text
from domain.expressions.tree import (
    ArrayLiteral,
    Call,
    Chain,
    Conditional,
    Fold,
    Literal,
    Name,
    Node,
    ObjectLiteral,
    TemplateText,
    Unary,
)

ROOTS: Final = frozenset(
    {"input", "trigger", "steps", "vars", "item", "index", "error", "execution", "workflow", "now"}
)
"""Names that are undefined rather than unknown where the scope lacks them."""


def read_paths(node: Node) -> Iterator[tuple[str, ...]]:
    """The paths a tree reads, each as long as its keys are static."""
    match node:
        case Literal():
            return
        case Name(name):
            yield (name,)
        case Chain(base, links):
            keys = [link.key for link in links]
            if isinstance(base, Name):
                static = next((at for at, key in enumerate(keys) if not isinstance(key, Literal)), len(keys))
                yield (base.name, *(key_text(key.value) for key in keys[:static] if isinstance(key, Literal)))
            else:
                yield from read_paths(base)
            for key in keys:
                if not isinstance(key, Literal):
                    yield from read_paths(key)
        case Unary(_, operand):
            yield from read_paths(operand)
        case Call(_, arguments):
            for argument in arguments:
                yield from read_paths(argument)
        case Fold(first, rest):
            for part in (first, *(operand for _, operand in rest)):
                yield from read_paths(part)
        case Conditional(test, then, otherwise):
            for part in (test, then, otherwise):
                yield from read_paths(part)
        case ArrayLiteral(items):
            for item in items:
                yield from read_paths(item)
        case ObjectLiteral(items):
            for key, value in items:
                yield from read_paths(key)
                yield from read_paths(value)
        case TemplateText(parts):
            for part in parts:
                yield from read_paths(part)
        case _:
            assert_never(node)


def seeming_paths(tokens: Sequence[Token]) -> Iterator[tuple[str, ...]]:
    """The paths a source beyond the subset seems to read; every root where they cannot be told."""
    if tokens[-1].kind is Kind.UNSURE or any(
        token.text in ("eval", "Function", "globalThis", "this") for token in tokens
    ):
        yield from ((root,) for root in ROOTS)
        return
    for at, token in enumerate(tokens):
        if token.kind is Kind.TEMPLATE:
            for part in token.parts:
                if not isinstance(part, str):
                    yield from seeming_paths(part)
        elif token.kind is Kind.NAME and token.text in ROOTS and (at == 0 or tokens[at - 1].text not in (".", "?.")):
            yield (token.text, *_keys_after(tokens, at + 1))


def _keys_after(tokens: Sequence[Token], at: int) -> Iterator[str]:
    while tokens[at].text in (".", "?.") and tokens[at + 1].kind is Kind.NAME:
        yield tokens[at + 1].text
        at += 2
