"""Shapes of the event hub's wire, and how what comes over it is read."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class HubEvent:
    """What happened, as the hub recorded it."""

    id: str
    """Names it for ever; the key under which to remember that it was dealt with."""
    position: int
    """Its place in the hub's log. It grows; it has holes."""
    event: str
    """`NAMESPACE:NAME`, such as `FLOWPAY:PAYMENT_RECEIVED`."""
    payload: dict[str, Any]
    source: str
    timestamp: int
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a published event."""

    id: str
    position: int
    event: str
    duplicate: bool
    """The hub had it already; nothing happens a second time."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Some of what was asked for is gone, or the hub does not know the position: it was restored from a backup."""

    since: int
    """What was asked for."""
    position: int
    """Where the hub stands."""


def parsed(text: str | bytes) -> Any:
    """JSON, or None for what is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def event_of(value: Any) -> HubEvent | None:
    """An event from its JSON; None if it is none."""
    try:
        return HubEvent(
            id=str(value["id"]),
            position=int(value["position"]),
            event=str(value["event"]),
            payload=dict(value["payload"]),
            source=str(value["source"]),
            timestamp=int(value["timestamp"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
