"""What goes wrong between a program and the event hub."""

from typing import Any

from ._events import HubEvent, parsed

UNREACHABLE = "unreachable"
"""No answer came, or only 5xx and 429. It is tried again."""
INVALID_TYPE = "invalid_event_type"
CALLBACK = "callback_failed"
CLOSED = "closed"


class HubError(Exception):
    """One fault. Its text is a sentence for whoever operates the program.

    `code` is the hub's word for it (`invalid_signature`, `missing_permission`, `invalid_payload`, `event_conflict` …) or one of ours:
    `unreachable`, `invalid_event_type`, `callback_failed`, `closed`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        field: str | None = None,
        retry_in: float | None = None,
        event: HubEvent | None = None,
        tries: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        """The HTTP status, if the hub answered."""
        self.field = field
        """The field of the payload that is wrong, such as `payload.amount`."""
        self.retry_in = retry_in
        """Seconds until it is tried again; None if it is not."""
        self.event = event
        """The event whose callback failed."""
        self.tries = tries
        """How often it failed by now."""

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed soon."""
        return self.code == UNREACHABLE


def refusal(status: int, body: bytes, retry_after: str | None) -> HubError:
    """An answer that is no success, as a fault."""
    found = parsed(body)
    words: dict[str, Any] = found if isinstance(found, dict) else {}
    message = str(words.get("message") or f"The hub answered {status}.")
    if status == 429 or status >= 500:
        return HubError(UNREACHABLE, message, status=status, retry_in=_seconds(retry_after))
    if words.get("error") == "Invalid event type":
        return HubError(INVALID_TYPE, "The hub does not know this type of event.", status=status)
    field = words.get("field")
    return HubError(str(words.get("error") or "refused"), message, status=status, field=None if field is None else str(field))


def _seconds(retry_after: str | None) -> float | None:
    """The hub says seconds; a date is not understood."""
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        return None
