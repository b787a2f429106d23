"""Which test cases are meant by what the command line says."""

from collections.abc import Sequence

from app.run_request import read_value
from domain.errors import Invalid
from domain.testcases import Case
from domain.validation.schemas import did_you_mean


def chosen(cases: Sequence[Case], names: Sequence[str]) -> Sequence[Case]:
    """Those of these names, in the order of the cases; all without names. Raises Invalid for an unknown name."""
    known = [case.name for case in cases]
    for name in names:
        if name not in known:
            raise Invalid(f"There is no case {name!r}", path=("case",), remedy=did_you_mean(name, known))
    return [case for case in cases if not names or case.name in names]


def only_case(names: Sequence[str], input_: str | None) -> Case | None:
    """What `--input` says, which a load run repeats instead of a saved case. Raises Invalid unless it is one case."""
    if len(names) > 1:
        raise Invalid("A load run repeats one case", path=("case",), remedy="Give --case once.")
    if names and input_ is not None:
        raise Invalid("--case and --input exclude each other", path=("input",), remedy="Give one of them.")
    return Case(name="input", input=read_value(input_, "input")) if input_ is not None else None
