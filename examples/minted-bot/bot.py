"""Says in a channel what was minted: hears FACTORY:MINT_CONFIRMED from the event hub and posts as a bot.

Every event becomes one message, however often the bot or the server is restarted: the position is stored after the message was taken, and the
message carries the event's id as its nonce, so that one which was posted but not noted is not posted twice.
"""

import asyncio
import os
import signal
from pathlib import Path

import httpx
from nexus_client import HubEvent, NexusClient

URL = os.environ.get("NEXUS_URL", "http://127.0.0.1:8080")
CHANNEL_ID = os.environ["CHANNEL_ID"]
POSITION_FILE = Path(os.environ.get("POSITION_FILE", "position.txt"))


def load() -> int | None:
    return int(POSITION_FILE.read_text()) if POSITION_FILE.exists() else None


def store(position: int | None) -> None:
    """In one step: a bot that dies in the middle leaves the old file."""
    new = POSITION_FILE.with_suffix(".new")
    new.write_text(str(position or 0))
    new.replace(POSITION_FILE)


async def main() -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    headers = {"authorization": f"Bot {os.environ['BOT_TOKEN']}"}
    async with (
        httpx.AsyncClient(base_url=URL, headers=headers, timeout=15) as community,
        NexusClient(URL, secret=os.environ["NEXUS_SECRET"], source=os.environ.get("NEXUS_SOURCE")) as hub,
    ):

        async def minted(event: HubEvent) -> None:
            address = event.payload.get("targetAddress") or event.payload.get("address")
            message = {"content": f"minted {event.payload['amount']} for {address}", "nonce": event.id}
            answer = await community.post(f"/api/v1/channels/{CHANNEL_ID}/messages", json=message)
            # Raised, so that the client gives the same event again after a pause.
            answer.raise_for_status()
            store(event.position)

        since = load()
        subscription = hub.subscribe(
            ["FACTORY:MINT_CONFIRMED"],
            minted,
            since=since,
            on_gap=lambda gap: print(f"Some events after position {gap.since} are gone."),
        )
        await subscription.ready()
        if since is None:
            store(subscription.position)
        print(f"Listening after position {subscription.position}.", flush=True)
        await stop.wait()


asyncio.run(main())
