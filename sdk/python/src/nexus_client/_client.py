"""The client: one address, one proof of who we are, any number of subscriptions."""

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from ._api import Api
from ._errors import CLOSED, HubError
from ._events import HubEvent, Published
from ._pauses import backoff
from ._subscription import Callback, OnError, OnGap, Subscription

RETRY_FIRST, RETRY_CAP = 0.5, 15.0
PUBLISH_SECONDS_MAX = 60.0
"""A restart of the hub passes in this time."""
ID_CHARS_MAX = 128
"""As long as the hub takes one."""


class NexusClient:
    """The event hub, for one program.

    `secret` is the source's; it signs and is never sent. `source` is its name; without it, the source of `NEXUS_SECRET`. `token` is an
    administrator's, for reading. `on_error` hears everything that goes wrong with subscriptions, unless one has its own; without any, it is
    logged as a warning of the logger `nexus_client`.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        source: str | None = None,
        token: str | None = None,
        on_error: OnError | None = None,
        publish_for: float = PUBLISH_SECONDS_MAX,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        if not all(text is None or _is_printable(text) for text in (source, token)):
            raise ValueError("source and token are one line of ASCII")
        self._api = Api(url, secret, source, token, http)
        self._on_error = on_error
        self._publish_for = publish_for
        self._subscriptions: set[Subscription] = set()
        self._closed = asyncio.Event()

    def subscribe(
        self,
        events: Sequence[str],
        callback: Callback,
        *,
        since: int | None = None,
        on_gap: OnGap | None = None,
        on_error: OnError | None = None,
    ) -> Subscription:
        """Calls back for every event of these types (`FLOWPAY:PAYMENT_RECEIVED`, `FACTORY:*`, `*`), one after the other.

        `since` begins after that position, 0 with everything that the hub still has; without it, it begins with what happens from now on. The
        callback may be a coroutine function; one that raises is called again for the same event. Call this inside a running event loop.
        """
        if self._closed.is_set():
            raise HubError(CLOSED, "The client is closed.")
        subscription = Subscription(self._api, events, callback, since, on_gap, on_error or self._on_error)
        self._subscriptions.add(subscription)
        return subscription

    async def publish(self, event: str, payload: Mapping[str, Any], *, id: str | None = None) -> Published:
        """Says that something happened, once; returns when the hub has committed it.

        `id` (1 to 128 printable ASCII characters; random if absent) names the event in your system. The hub takes it a single time, so that a
        repetition after a lost answer is harmless. 429, 5xx and silence are tried again for a minute (`publish_for`), as Retry-After asks.
        """
        external_id = str(uuid.uuid4()) if id is None else id
        if not _is_printable(external_id) or len(external_id) > ID_CHARS_MAX:
            raise ValueError(f"An id is 1 to {ID_CHARS_MAX} printable ASCII characters")
        body = json.dumps({"event": event, "payload": payload}, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._publish_for
        attempt = 0
        while not self._closed.is_set():
            try:
                return await self._api.publish(body, external_id)
            except HubError as problem:
                if not problem.is_temporary:
                    raise
                wait = max(backoff(attempt, RETRY_FIRST, RETRY_CAP), problem.retry_in or 0.0)
                if loop.time() + wait > end:
                    raise
            attempt += 1
            await self._pause(wait)
        raise HubError(CLOSED, "The client is closed.")

    async def events(
        self,
        events: Sequence[str] = (),
        *,
        source: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[HubEvent]:
        """What happened, newest first: of these types, from this source, older than this position, 1 to 100 of them (50 if nobody says)."""
        return await self._api.events(events, source, before, limit)

    async def close(self) -> None:
        """Ends every subscription; a callback that runs may finish. What waits to be published again ends with `closed`."""
        self._closed.set()
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions))
        await self._api.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            pass


def _is_printable(text: str) -> bool:
    """What a header can carry."""
    return text != "" and text.isascii() and text.isprintable()
