"""Engines for every pattern, without a line in its file: changes when patterns need other ground to stand on."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """The plugin that the tests of tests/contract name themselves, so that both share one database."""
    config.pluginmanager.import_plugin("tests.contract.engine_fixture")
