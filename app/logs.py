"""Logging of a process: one handler on stderr, text for people, one JSON object a line for machines."""

import json
import logging
import sys

from app.settings import Settings

_QUIET = ("arq", "httpx", "httpcore", "uvicorn.access", "tortoise")
_SILENT = ("asyncpg", "python_multipart")
"""What tells of an absent database, or a broken form, what we tell ourselves, once and in our words."""


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(settings: Settings) -> None:
    """Everything of this process goes to stderr from `settings.log_level` on; libraries only from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s") if text else JsonLines())
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
