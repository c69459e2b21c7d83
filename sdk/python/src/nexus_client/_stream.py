"""One connection of a subscription. A task of its own reads it, so that nothing else waits while a callback works; what it reads waits in
order, within a bound. The library answers pings, and gives up a connection that has died silently."""

import asyncio
from collections import deque
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from ._errors import UNREACHABLE, HubError

OPEN_SECONDS_MAX = 10.0
PING_SECONDS = 20.0
"""After this much time the hub is asked whether it is there, and this is how long it has to say so."""
CLOSE_SECONDS_MAX = 1.0
MESSAGE_BYTES_MAX = 1024 * 1024
"""No event is as long."""
WAITING_CHARS_MAX = 8 * 1024 * 1024
"""Text that may wait for a callback. Beyond it we hang up, work it off, and come back for the rest."""

LOST = 1006
FULL = -1
"""Not a close code: more waited than may."""


class Stream:
    """The end at which frames come out."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._waiting: deque[str] = deque()
        self._waiting_chars = 0
        self._news = asyncio.Event()
        self.ending = LOST
        """The close code, once `next` has given None; or `FULL`."""
        self._reader = asyncio.create_task(self._read())
        self._reader.add_done_callback(lambda _: self._news.set())

    @classmethod
    async def open(cls, url: str, first: str) -> Self:
        """Connects and sends the first command."""
        try:
            connection = await connect(
                url,
                open_timeout=OPEN_SECONDS_MAX,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                close_timeout=CLOSE_SECONDS_MAX,
                max_size=MESSAGE_BYTES_MAX,
                compression=None,
            )
            await connection.send(first)
        except (OSError, EOFError, WebSocketException) as cause:
            # The address holds the ticket; the library's own words don't.
            raise HubError(UNREACHABLE, f"The stream was not opened: {cause}") from cause
        return cls(connection)

    async def next(self) -> str | None:
        """The next frame; None when the connection ended and everything it brought was taken."""
        while (text := self.take()) is None and not self._reader.done():
            self._news.clear()
            await self._news.wait()
        return text

    def take(self) -> str | None:
        """The next frame if there is one already."""
        if not self._waiting:
            return None
        text = self._waiting.popleft()
        self._waiting_chars -= len(text)
        return text

    async def leave(self) -> None:
        """Hangs up."""
        self._reader.cancel()
        await self._connection.close()

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                if isinstance(text, bytes):
                    continue
                self._waiting.append(text)
                self._waiting_chars += len(text)
                self._news.set()
                if self._waiting_chars > WAITING_CHARS_MAX:
                    self.ending = FULL
                    await self._connection.close()
                    return
        except ConnectionClosed:
            pass
        self.ending = self._connection.close_code or LOST
