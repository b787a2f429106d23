"""TLS towards the servers of tenants: changes when there is another way to trust one."""

import ssl
from functools import lru_cache


class WrongCertificates(Exception):
    """The connection's own certificate authorities are no certificates in PEM."""


@lru_cache(maxsize=256)
def client_context(name: str, *, verify: bool = True, ca: str | None = None) -> ssl.SSLContext:
    """A context for connections to the server `name`, whichever address they go to.

    `ca`: certificates in PEM that are trusted instead of the system's. Raises WrongCertificates.
    """
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = name
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca:
        try:
            context.load_verify_locations(cadata=ca)
        except (ssl.SSLError, ValueError) as error:
            raise WrongCertificates(str(error)) from None
    else:
        context.load_default_certs()
    return context


class _NamedContext(ssl.SSLContext):
    """Verifies its own server name: database drivers know only the address that they were given to connect to."""

    server_name: str

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, server_side, self.server_name, session)
