"""What is known of a code before anything is found: changes when a finding says more of itself."""

from dataclasses import dataclass

from domain.errors import Severity, ValidationLevel

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingCode:
    """`severities`: those it may have, the usual one first. `remedy`: what to do unless the finding knows better."""

    code: str
    level: ValidationLevel
    severities: tuple[Severity, ...]
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Declaring:
    """Declares the codes of one level."""

    level: ValidationLevel

    def __call__(
        self, code: str, meaning: str, remedy: str, severity: Severity = ERROR, *others: Severity
    ) -> FindingCode:
        return FindingCode(code=code, level=self.level, severities=(severity, *others), meaning=meaning, remedy=remedy)
