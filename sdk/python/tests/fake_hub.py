"""A hub that shows whatever a test wants: its routes by a transport of httpx, its stream by a real socket."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
from nexus_client import NexusClient
from websockets.asyncio.server import Server, ServerConnection, serve

SECRET = "an example secret of 32 bytes ok"

Answer = Callable[[httpx.Request], httpx.Response]


def event(position: int, **more: Any) -> dict[str, Any]:
    return {"id": str(position), "position": position, "event": "GAUGE:READING", "payload": {}, "source": "default", "timestamp": 5, **more}


def ticket(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"ticket": "t/1", "expires_in": 30})


def signature_fits(request: httpx.Request) -> bool:
    """Over the raw bytes, or over method, path and query as they came."""
    signed = request.content or request.method.encode() + b" " + request.url.raw_path
    text = request.headers["x-nexus-timestamp"].encode() + b"." + signed
    return hmac.compare_digest(request.headers["x-nexus-signature"], hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest())


class Socket:
    """The hub's end of one stream."""

    def __init__(self, connection: ServerConnection, command: dict[str, Any]) -> None:
        self.connection = connection
        self.command = command

    async def give(self, *frames: dict[str, Any]) -> None:
        for frame in frames:
            await self.connection.send(json.dumps(frame))

    async def begin(self, position: int, **more: Any) -> None:
        await self.give({"status": "subscribed", "events": [], "validEvents": [], "invalidEvents": [], "position": position, "gap": False, **more})


class FakeHub:
    """Starts with `async with`; `sockets` gives the streams as they are opened, each with its first command."""

    def __init__(self, answer: Answer = ticket) -> None:
        self.answer = answer
        self.asked: list[httpx.Request] = []
        self.paths: list[str] = []
        self.sockets: asyncio.Queue[Socket] = asyncio.Queue()
        self._server: Server | None = None
        self.url = ""

    async def __aenter__(self) -> "FakeHub":
        self._server = await serve(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    def client(self, **more: Any) -> NexusClient:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._ask))
        return NexusClient(self.url, http=http, **({"secret": SECRET} | more))

    async def socket(self) -> Socket:
        return await asyncio.wait_for(self.sockets.get(), 5)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request
        self.paths.append(connection.request.path)
        self.sockets.put_nowait(Socket(connection, json.loads(await connection.recv())))
        await connection.wait_closed()
