"""Providers of the `connector` node, one file each. A new one is a new file that defines `PROVIDER`."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from jobs.connectors.declarations import Provider


def discover() -> Mapping[str, Provider]:
    """Every provider of this package by name, sorted."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    providers: list[Provider] = [module.PROVIDER for module in modules if hasattr(module, "PROVIDER")]
    return MappingProxyType({provider.name: provider for provider in sorted(providers, key=lambda each: each.name)})


PROVIDERS = discover()
