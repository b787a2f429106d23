"""The keys of the installation, by what they do: changes when they are made from something else than the master key."""

from app.secrets import derived
from db.data_keys import Keyring
from domain.audit_chain import Seal


def keyring(master_key: bytes) -> Keyring:
    """Wraps tenants' data keys."""
    return Keyring(derived(master_key, "data keys"))


def audit_seal(master_key: bytes) -> Seal:
    """Signs the checkpoints of audit logs."""
    return Seal([derived(master_key, "audit checkpoints")])
