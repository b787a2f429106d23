"""Where requests go to: addresses that are not public, and connections whose other side is not checked."""

import re
from collections.abc import Iterator
from typing import Final

from domain.addresses import why_not_public
from domain.errors import Finding
from domain.json import as_list
from domain.validation.codes import found
from domain.validation.leaves import Leaf, plain
from domain.validation.views import Config, GraphView

_URL: Final = re.compile(r"^\s*(?:https?|wss?|ftps?):[\\/]{1,3}([^\\/?#]*)", re.IGNORECASE)
_IN_SOURCE: Final = re.compile(r"\bhttps?://([^\s\\/?#'\"`]*)", re.IGNORECASE)
_LONGEST: Final = 100_000
_CHECKS_WORDS = """
    verify verifyssl verifytls sslverify tlsverify verifycertificate checkcertificate validatecertificate
    validatecertificates rejectunauthorized verifyhost strictssl"""
_CHECKS: Final = frozenset(_CHECKS_WORDS.split())
_PASSES_WORDS = """
    insecure insecureskipverify skipverify skiptlsverify skipsslverification ignoressl ignoretls ignoresslissues
    ignorecertificateerrors allowinsecure allowunauthorizedcerts acceptinvalidcertificates trustallcertificates
    trustservercertificate"""
_PASSES: Final = frozenset(_PASSES_WORDS.split())
_MODES: Final = {
    "tls": frozenset({"none", "require", "off", "disabled", "noverify"}),
    "ssl": frozenset({"none", "off", "disabled", "noverify"}),
    "sslmode": frozenset({"disable", "allow", "prefer", "require"}),
}


def findings(view: GraphView) -> Iterator[Finding]:
    for config, leaves in view.leaves:
        for leaf in leaves:
            if isinstance(leaf.value, str):
                yield from _url(config, leaf, leaf.value)
            if _unverified(leaf):
                message = f"{leaf.key[:60]!r} lets anybody pass for the other side"
                yield found("TLS_NOT_VERIFIED", message, node_id=config.node.id, path=leaf.path)
        if config.kind.name == "code":
            yield from _code(config)


def host_in(url: str) -> str | None:
    """The host of an absolute URL; None without one, and where an expression is part of it."""
    matched = _URL.match(url)
    return _host(matched[1]) if matched else None


def _host(authority: str) -> str | None:
    fixed, braces, _ = authority.partition("{{")
    address = fixed.rpartition("@")[2]
    if address.startswith("["):
        return address.partition("]")[0] + "]" if "]" in address else None
    host, colon, _ = address.partition(":")
    return host if host and (colon or not braces) else None


def _url(config: Config, leaf: Leaf, text: str) -> Iterator[Finding]:
    host = host_in(text)
    reason = why_not_public(host) if host is not None else None
    if host is not None and reason is not None:
        yield _private(config, leaf.path, host, reason)


def _code(config: Config) -> Iterator[Finding]:
    """Hosts that stand in a program, and those that its `fetch` may reach."""
    source = config.values.get("source")
    named = _IN_SOURCE.finditer(source[:_LONGEST]) if isinstance(source, str) else ()
    for host in dict.fromkeys(filter(None, (_host(each[1]) for each in named))):
        if reason := why_not_public(host):
            yield _private(config, (*config.path, "source"), host, reason)
    for at, domain in enumerate(as_list(config.values.get("allowedDomains"))):
        reason = why_not_public(domain.removeprefix("*.")) if isinstance(domain, str) else None
        if reason is not None:
            yield _private(config, (*config.path, "allowedDomains", str(at)), str(domain), reason)


def _private(config: Config, path: tuple[str, ...], host: str, reason: str) -> Finding:
    leads = "" if host == reason else f" leads to {reason}, which"
    message = f"{host[:80]!r}{leads} is not public: a request there is refused unless it is allowed"
    return found("PRIVATE_ADDRESS", message, node_id=config.node.id, path=path)


def _unverified(leaf: Leaf) -> bool:
    name = plain(leaf.key)
    if name in _CHECKS:
        return leaf.value is False or leaf.value == "false"
    if name in _PASSES:
        return leaf.value is True or leaf.value == "true"
    return isinstance(leaf.value, str) and leaf.value.lower() in _MODES.get(name, ())
