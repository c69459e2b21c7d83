"""The hub's routes: signed, or with a token."""

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from ._errors import UNREACHABLE, HubError, refusal
from ._events import HubEvent, Published, event_of, parsed

REQUEST_SECONDS_MAX = 15.0


class Api:
    """The hub's address, and what proves who we are."""

    def __init__(self, url: str, secret: str | None, source: str | None, token: str | None, http: httpx.AsyncClient | None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"The url must begin with http: or https:, not {url}")
        if secret is None and token is None:
            raise ValueError("A client needs a secret or a token")
        self._base = url.rstrip("/")
        self._secret = secret
        self._source = source
        self._token = token
        self._is_ours = http is None
        self._http = http or httpx.AsyncClient(timeout=REQUEST_SECONDS_MAX)

    async def publish(self, body: bytes, external_id: str) -> Published:
        """One try to publish. The id makes a second one harmless."""
        if self._secret is None:
            raise ValueError("Publishing needs the source's secret")
        headers = {"x-nexus-event-id": external_id, **self._signed(self._secret, body)}
        answer = await self._ask("POST", "/events", headers, body)
        try:
            return Published(str(answer["id"]), int(answer["position"]), str(answer["event"]), answer["status"] == "duplicate")
        except (KeyError, TypeError, ValueError) as cause:
            raise HubError(UNREACHABLE, "The hub's answer to an event is not understood.") from cause

    async def events(self, events: Sequence[str], source: str | None, before: int | None, limit: int | None) -> list[HubEvent]:
        """The newest events first."""
        given = {"limit": limit, "before": before, "source": source, "event": ",".join(events) or None}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        path = f"/events?{query}" if query else "/events"
        answer = await self._ask("GET", path, self._proof(f"GET {path}".encode()))
        found = [event_of(one) for one in answer] if isinstance(answer, list) else []
        return [one for one in found if one is not None]

    async def stream(self) -> str:
        """The address of a stream, with a ticket that opens it once within half a minute."""
        answer = await self._ask("POST", "/events/tickets", self._proof(b"{}"), b"{}")
        try:
            query = urlencode({"token": answer["ticket"]})
        except (KeyError, TypeError) as cause:
            raise HubError(UNREACHABLE, "The hub's answer holds no ticket.") from cause
        return f"ws{self._base.removeprefix('http')}/events/stream?{query}"

    async def close(self) -> None:
        """Closes what was opened here."""
        if self._is_ours:
            await self._http.aclose()

    def _proof(self, signed: bytes) -> Mapping[str, str]:
        """For readers, a token counts as much as a signature."""
        if self._token is not None:
            return {"authorization": f"Bearer {self._token}"}
        return self._signed(self._secret or "", signed)

    def _signed(self, secret: str, signed: bytes) -> Mapping[str, str]:
        """The body is signed as its very bytes; a request without one by its method, path and query."""
        timestamp = str(int(time.time()))
        signature = hmac.new(secret.encode(), timestamp.encode() + b"." + signed, hashlib.sha256).hexdigest()
        proof = {"x-nexus-timestamp": timestamp, "x-nexus-signature": signature}
        if self._source is not None:
            proof["x-nexus-source"] = self._source
        return proof

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Any:
        kind = {} if body is None else {"content-type": "application/json"}
        try:
            answer = await self._http.request(method, self._base + path, headers={**kind, **headers}, content=body)
        except httpx.HTTPError as cause:
            raise HubError(UNREACHABLE, f"No answer came from {self._base}.") from cause
        if not answer.is_success:
            raise refusal(answer.status_code, answer.content, answer.headers.get("retry-after"))
        return parsed(answer.content)
