"""The codes of what is dangerous: secrets in the open, private addresses, code without limits. One entry per code."""

from typing import Final

from domain.errors import ValidationLevel
from domain.validation.codes.code import INFO, WARNING, Declaring, FindingCode

_code: Final = Declaring(ValidationLevel.SECURITY)

SECURITY: Final[tuple[FindingCode, ...]] = (
    _code(
        "CODE_WITHOUT_LIMITS",
        "A program says no timeout, or no limit of its memory: the defaults hold.",
        "Give it the timeout and memory it needs, and no more.",
        INFO,
    ),
    _code(
        "PRIVATE_ADDRESS",
        "A URL leads to an address that is not public, however it is spelled.",
        "Use a public address; an administrator may allow this one (WEIR_HTTP_ALLOW).",
        WARNING,
    ),
    _code(
        "SECRET_IN_CONFIG",
        "A password, key or token stands in the workflow, where every reader and every version shows it.",
        "Keep it in a connection, which encrypts it, and name that in the node; then change the secret.",
        WARNING,
    ),
    _code(
        "TLS_NOT_VERIFIED",
        "The other side's certificate is not checked, or the way there is not encrypted.",
        "Check it; trust a certificate of your own by naming it in the connection (ca).",
        WARNING,
    ),
    _code(
        "UNESCAPED_HTML",
        "Values from outside become HTML without being escaped.",
        "Use a template (email: template; the document node), which escapes values.",
        WARNING,
    ),
    _code(
        "UNTRUSTED_COMMAND",
        "Values from outside become part of a command.",
        "Pass the values as arguments or data, not inside the command's text.",
        WARNING,
    ),
    _code(
        "UNTRUSTED_SQL",
        "Values from outside become SQL text.",
        "Write the statement in a database node; expressions in it, and its parameters, are bound.",
        WARNING,
    ),
    _code(
        "WEBHOOK_WITHOUT_AUTHENTICATION",
        "Whoever knows the address of a webhook trigger can start the workflow.",
        "Give the trigger an authentication, or check a signature in the first step.",
        WARNING,
    ),
)
