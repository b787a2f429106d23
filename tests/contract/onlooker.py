"""Watching from outside what the server is just doing, so that a test acts at that very moment."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from db.connections import Connection

BLOCKED = """
SELECT count(*) = $1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
"""Whether so many statements wait for somebody else's lock."""


@asynccontextmanager
async def onlooking(dsn: str) -> AsyncGenerator[Connection]:
    """The login itself, which sees what all its connections do and may end them."""
    connection: Connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()
