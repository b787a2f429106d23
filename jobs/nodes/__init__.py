"""Node kinds, one file each. A new one is a new file that defines `KIND`; nothing else has to change."""

from jobs.nodes.catalog import CATALOG

__all__ = ["CATALOG"]
