"""Secrets that stand in a workflow in plain text: known by their name, by their form, or by where they stand in a text.

No message repeats a secret, or any part of one.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import re2

from domain.errors import Finding
from domain.validation.codes import found
from domain.validation.leaves import Leaf, leaves, plain
from domain.validation.views import GraphView

_re2: Any = re2  # an extension module without type information
_LONGEST: Final = 100_000
"""Of a longer text this much is looked at."""
_NAMES: Final = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|clientsecret|secretkey|secretaccesskey|privatekey|apikey|apitoken|accesskey"
    r"|signingsecret|signingkey|webhooksecret|authtoken|accesstoken|refreshtoken|bearertoken|sessiontoken)s?$"
)
"""Under such a name any text is a secret."""
_HINTS: Final = re.compile(r"(?:secret|token|credentials?|authorization|cookie|auth|apikeyid|signature)s?$")
"""Under such a name a text is one when it looks random."""
_SCHEME: Final = re.compile(r"^\s*(?:bearer|basic|token|apikey|digest|negotiate)\s+([^\s{][^{]{5,})$", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(
    r"\s*(?:[x*•.#_-]+|<.*>|\[.*\]|\$\{.*\}|\$[A-Z_]+|your[-_ ].*|todo|none|null|redacted|masked|placeholder)\s*",
    re.IGNORECASE,
)
_RANDOM: Final = re.compile(r"[A-Za-z0-9_+/=.~-]{16,512}")
_LEAST_ENTROPY: Final = 3.2
"""Bits a character: English words have about 3, random letters and digits 3.5 (at this length) to 6."""

_FORMS: Final = {
    "private_key": ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "aws": ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "github": ("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{22,}"),
    "gitlab": ("a GitLab token", r"\bglpat-[\w-]{20,}"),
    "slack": ("a Slack token", r"\bxox[abeoprs]-[\w-]{10,}"),
    "slack_hook": ("the address of a Slack webhook", r"\bhooks\.slack\.com/services/\w+/\w+/\w{10,}"),
    "stripe": ("a Stripe key", r"\b[rs]k_(?:live|test)_\w{16,}"),
    "model": ("the key of a language model", r"\bsk-(?:ant-|proj-)?[A-Za-z0-9][\w-]{24,}"),
    "google": ("a Google API key", r"\bAIza[\w-]{35}"),
    "mail": ("a mail service's key", r"\bSG\.[\w-]{16,}\.[\w-]{16,}|\bkey-[0-9a-f]{32}\b"),
    "npm": ("a package registry's token", r"\bnpm_[A-Za-z0-9]{36}|\bpypi-[\w-]{50,}"),
    "weir": ("an API key of Weir", r"\bweir_[A-Za-z0-9]{6,}_[\w-]{16,}"),
    "signing": ("a signing secret", r"\bwhsec_[A-Za-z0-9+/=]{16,}"),
    "jwt": ("a signed token", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{10,}"),
    "bearer": ("a bearer token", r"\bBearer\s+[A-Za-z0-9._~+/=-]{20,}"),
    "userinfo": ("a password in a URL", r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@?#{}'\"]*:[^\s/@?#{}'\"]+@[^\s/]"),
    "query": (
        "a key in a URL",
        r"[?&](?:api[_-]?key|access[_-]?token|auth[_-]?token|token|secret|password|sig|signature)=[^&\s{}#'\"]{8,}",
    ),
}
_FORM: Final = _re2.compile("|".join(f"(?P<{name}>{pattern})" for name, (_, pattern) in _FORMS.items()))
"""RE2's: its time is linear in any text that somebody may write."""
_TELLING: Final = re.compile(
    r"@|[?&]\w|PRIVATE KEY|AKIA|ASIA|gh[pousr]_|github_|glpat-|xox|slack|k_live|k_test|sk-|AIza|SG\.|key-|npm_|pypi-"
    r"|weir_|whsec_|eyJ|Bearer"
)
"""Without any of these no form fits: a quick look at every text."""


def findings(view: GraphView) -> Iterator[Finding]:
    for config, found_leaves in view.leaves:
        for leaf in found_leaves:
            what = kind_of_secret(leaf)
            if what is not None:
                yield _finding(what, leaf, config.node.id)


def variable_findings(view: GraphView) -> Iterator[Finding]:
    """Those among the defaults of the workflow's variables."""
    for name, variable in view.definition.variables.items():
        for leaf in leaves(variable.default, ("variables", name, "default"), name):
            what = kind_of_secret(leaf)
            if what is not None:
                yield _finding(what, leaf, None)


def kind_of_secret(leaf: Leaf) -> str | None:
    """What sort of secret a text seems to be, None when it seems to be none. Expressions are none."""
    text = leaf.value
    if not isinstance(text, str) or len(text) < 4:
        return None
    form = _FORM.search(text[:_LONGEST]) if len(text) >= 12 and _TELLING.search(text, 0, _LONGEST) else None
    if form is not None:
        return _FORMS[form.lastgroup][0]
    name = plain(leaf.key)
    promise = _promise(name)
    if promise is None or "{{" in text or _PLACEHOLDER.fullmatch(text):
        return None
    if promise:
        return "a secret, by its name"
    scheme = _SCHEME.match(text)
    if scheme is not None and name.endswith("authorization"):
        return "credentials"
    return "a secret, by its name and its look" if _looks_random(scheme[1] if scheme else text) else None


@lru_cache(maxsize=2048)
def _promise(name: str) -> bool | None:
    """Whether what stands under this name is surely a secret, or (False) perhaps one."""
    if _NAMES.search(name):
        return True
    return False if _HINTS.search(name) else None


def _looks_random(text: str) -> bool:
    return (
        _RANDOM.fullmatch(text.strip()) is not None
        and any(character.isdigit() for character in text)
        and any(character.isalpha() for character in text)
        and entropy(text) >= _LEAST_ENTROPY
    )


def entropy(text: str) -> float:
    """Bits per character, by how often each occurs (Shannon 1948)."""
    length = len(text)
    return -sum(count / length * math.log2(count / length) for count in Counter(text).values())


def _finding(what: str, leaf: Leaf, node_id: str | None) -> Finding:
    place = ".".join(leaf.path)
    return found("SECRET_IN_CONFIG", f"{place[:200]} holds {what}, in plain text", node_id=node_id, path=leaf.path)
