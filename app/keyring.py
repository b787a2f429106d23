"""The keys of the installation, by what they do: changes when they are made from something else than master keys."""

from collections.abc import Sequence
from functools import lru_cache

from app.kms import TransitKey
from app.master_keys import MasterKeys
from app.settings import Settings, WrongSetting
from db.data_keys import Keyring
from db.key_wrapping import KeyWrapping, LocalKey
from domain.audit_chain import Seal

_local = lru_cache(maxsize=64)(LocalKey)


def keyring(master_keys: MasterKeys, settings: Settings | None = None) -> Keyring:
    """The key management service wraps where one is set; the master keys open what they have wrapped before."""
    service = key_service(settings) if settings else None

    def known() -> Sequence[KeyWrapping]:
        local = [_local(key) for key in master_keys.derived("data keys")]
        return [service, *local] if service else local

    return Keyring(known)


def key_service(settings: Settings) -> TransitKey | None:
    """Raises WrongSetting when only a part of it is set."""
    if settings.kms_url is None:
        return None
    if settings.kms_key is None or settings.kms_token is None:
        raise WrongSetting("WEIR_KMS_URL needs WEIR_KMS_KEY and WEIR_KMS_TOKEN", remedy="Set both, or none of them.")
    return TransitKey(url=settings.kms_url, name=settings.kms_key, token=settings.kms_token)


def audit_seal(master_keys: MasterKeys) -> Seal:
    """Signs the checkpoints of audit logs with the current key; what the others signed holds."""
    return Seal(master_keys.derived("audit checkpoints"))
