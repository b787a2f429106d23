"""The key that wraps tenants' data keys: changes when it is made from something else than the master key."""

from app.secrets import derived
from db.data_keys import Keyring


def keyring(master_key: bytes) -> Keyring:
    return Keyring(derived(master_key, "data keys"))
