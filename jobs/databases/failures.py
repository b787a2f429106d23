"""How a statement on a tenant's database may fail, whatever the database."""

from domain.json import JSONObject

CONSTRAINT_REMEDY = "Check the values, or let the statement say what to do then (ON CONFLICT, ON DUPLICATE KEY)."
READ_ONLY_REMEDY = "Take the action insert, update, delete or query, without readOnly here and in the connection."
TIMEOUT_REMEDY = "Give the node a longer timeout, or let the statement do less: an index, a LIMIT."


class DatabaseFailed(Exception):
    """Nothing was changed, except that a connection lost at the very end may have left the change done.

    `code` is stable and in capitals; `details` never hold a secret.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        remedy: str | None = None,
        details: JSONObject | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.remedy = remedy
        self.details: JSONObject = details or {}
