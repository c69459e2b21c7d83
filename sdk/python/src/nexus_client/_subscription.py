"""One subscription, kept alive: every event once and in order into the callback, across restarts of the hub and lost connections.

It has a stream of its own. The position moves only after the callback is done with an event, and every connection begins there; so nothing is
lost, and what comes twice is dropped. A callback that raises gets the same event again, with growing pauses, until it succeeds or `on_error`
returns `SKIP`: an event that was not dealt with is never passed over silently.
"""

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from ._api import Api
from ._errors import CALLBACK, INVALID_TYPE, UNREACHABLE, HubError
from ._events import Gap, HubEvent, event_of, parsed
from ._pauses import backoff
from ._stream import FULL, Stream

Callback = Callable[[HubEvent], Awaitable[Any] | Any]
OnGap = Callable[[Gap], Awaitable[Any] | Any]
OnError = Callable[[HubError], Awaitable[Any] | Any]

SKIP: Final = "skip"
"""What `on_error` returns to give up on the event whose callback failed."""

RETRY_FIRST, RETRY_CAP = 0.25, 10.0
REFUSED = 60.0
"""A signature or token that was refused is not accepted a second later."""
CALLBACK_FIRST, CALLBACK_CAP = 1.0, 60.0
TOO_SLOW = 4901
"""The hub's close code for a reader that was too slow."""
PATTERNS_MAX = 20
"""As many types as the hub takes in one list."""

log = logging.getLogger("nexus_client")
T = TypeVar("T")


class Closed(Exception):
    """The subscription was closed while it waited."""


class Subscription:
    """A subscription that runs, until it or its client is closed."""

    def __init__(
        self,
        api: Api,
        events: Sequence[str],
        callback: Callback,
        since: int | None,
        on_gap: OnGap | None,
        on_error: OnError | None,
    ) -> None:
        if isinstance(events, str) or not 1 <= len(events) <= PATTERNS_MAX:
            raise ValueError(f"Subscribe to a list of 1 to {PATTERNS_MAX} types of events")
        self._api = api
        self._events = list(events)
        self._callback = callback
        self._position = since
        self._on_gap = on_gap
        self._on_error = on_error
        self._attempt = 0
        self._ready = asyncio.Event()
        self._closed = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"nexus_client {','.join(events)}")

    @property
    def position(self) -> int | None:
        """Everything up to here was dealt with. Store it, and pass it as `since` next time. None until the hub has said where it stands."""
        return self._position

    async def ready(self) -> None:
        """Waits until the hub has said for the first time that it will tell; or until the subscription is closed."""
        await self._ready.wait()

    async def close(self) -> None:
        """Ends it. A callback that runs may finish, and is waited for unless it is the caller; none is called after."""
        self._closed.set()
        self._ready.set()
        if asyncio.current_task() is not self._task:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while not self._closed.is_set():
            try:
                await self._pause(await self._connect())
            except Closed:
                return

    async def _connect(self) -> float:
        """One connection, from its ticket to its end; and how long to wait before the next."""
        before = self._position
        try:
            ending = await self._listen()
        except Closed:
            raise
        except Exception as cause:
            # A fault of ours must not end the subscription either.
            problem = cause if isinstance(cause, HubError) else HubError("broken", f"The stream failed: {cause!r}")
            if problem.is_temporary:
                problem.retry_in = max(self._backoff(), problem.retry_in or 0.0)
            else:
                problem.retry_in = backoff(0, REFUSED, REFUSED)
            await self._report(problem)
            return problem.retry_in
        return 0.0 if ending in (TOO_SLOW, FULL) and self._position != before else self._backoff()

    async def _listen(self) -> int:
        stream = await self._unless_closed(self._open())
        has_begun = False
        try:
            while (text := stream.take() or await self._unless_closed(stream.next())) is not None:
                frame = parsed(text)
                if isinstance(frame, dict):
                    has_begun = has_begun or frame.get("status") == "subscribed"
                    await self._take(frame)
                if self._closed.is_set():
                    raise Closed
        finally:
            await stream.leave()
        if not has_begun:
            raise HubError(UNREACHABLE, f"The stream ended before it began ({stream.ending}).")
        return stream.ending

    async def _open(self) -> Stream:
        url = await self._api.stream()
        since = {} if self._position is None else {"since": self._position}
        return await Stream.open(url, json.dumps({"action": "subscribe", "events": self._events, **since}))

    async def _take(self, frame: dict[str, Any]) -> None:
        """What is not understood is passed over, so that a newer hub can say more."""
        position = frame.get("position")
        match frame.get("status"):
            case None:
                event = event_of(frame)
                if event and (self._position is None or event.position > self._position):
                    await self._handle(event)
            case "subscribed" if isinstance(position, int):
                await self._begin(position, frame.get("gap") is True, [str(one) for one in frame.get("invalidEvents") or []])
            case "caught_up" if isinstance(position, int):
                self._position = max(self._position or 0, position)
            case "error":
                code = str(frame.get("error"))
                await self._report(HubError(code, str(frame.get("message") or code)))

    async def _begin(self, position: int, gap: bool, unknown: list[str]) -> None:
        self._attempt = 0
        since = self._position
        # A hub that was restored from a backup counts from where it stood then: what it tells now is new, though its position is not.
        if since is None or (gap and position < since):
            self._position = position
        self._ready.set()
        if gap and since is not None and self._on_gap:
            await self._tell(self._on_gap, Gap(since, position))
        if unknown:
            await self._report(HubError(INVALID_TYPE, f"The hub does not know {', '.join(unknown)}."))

    async def _handle(self, event: HubEvent) -> None:
        tries = 0
        while True:
            try:
                await _awaited(self._callback(event))
                break
            except Exception as cause:
                tries += 1
                pause = backoff(tries - 1, CALLBACK_FIRST, CALLBACK_CAP)
                message = f"The callback failed for {event.event} {event.id}: {cause!r}"
                problem = HubError(CALLBACK, message, event=event, tries=tries, retry_in=pause)
                problem.__cause__ = cause
                if await self._report(problem) == SKIP:
                    break
                await self._pause(pause)
        self._position = event.position

    def _backoff(self) -> float:
        self._attempt += 1
        return backoff(self._attempt - 1, RETRY_FIRST, RETRY_CAP)

    async def _report(self, problem: HubError) -> Any:
        if self._on_error:
            return await self._tell(self._on_error, problem)
        log.warning("%s", problem, exc_info=problem.__cause__ if problem.code == CALLBACK else None)
        return None

    async def _tell(self, act: Callable[[T], Any], what: T) -> Any:
        """A fault in a function that hears of faults must not end the subscription."""
        try:
            return await _awaited(act(what))
        except Exception:
            log.exception("on_error or on_gap raised")
            return None

    async def _pause(self, seconds: float) -> None:
        await self._unless_closed(asyncio.sleep(seconds))

    async def _unless_closed(self, work: Awaitable[T]) -> T:
        """The work's result; it is given up when the subscription is closed."""
        task = asyncio.ensure_future(work)
        closed = asyncio.create_task(self._closed.wait())
        try:
            await asyncio.wait({task, closed}, return_when=asyncio.FIRST_COMPLETED)
            if self._closed.is_set():
                raise Closed
            return task.result()
        finally:
            closed.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
