"""The Python one of three programs that the tests here drive against a real server; see probe.ts."""

import asyncio
import json
import os
import sys

from nexus_client import NexusClient


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


async def listen(client: NexusClient, since: str, *types: str) -> None:
    subscription = client.subscribe(
        types,
        lambda event: say(position=event.position, id=event.id, payload=event.payload),
        since=None if since == "now" else int(since),
        on_gap=lambda gap: say(gap=gap.since),
        on_error=lambda problem: say(problem=problem.code, message=str(problem)),
    )
    await subscription.ready()
    say(ready=subscription.position)
    await asyncio.to_thread(sys.stdin.read)
    await client.close()
    say(closed=subscription.position)


async def publish(client: NexusClient, count: str, name: str) -> None:
    for number in range(1, int(count) + 1):
        id = f"{name}-{number}"
        published = await client.publish("FLUXX:VOTE_CAST", {"proposalId": id, "voterId": name, "decision": "for"}, id=id)
        say(published=published.position, duplicate=published.duplicate)


async def main() -> None:
    action, *words = sys.argv[1:]
    async with NexusClient(os.environ["NEXUS_URL"], secret=os.environ["NEXUS_SECRET"], publish_for=120) as client:
        await (listen if action == "listen" else publish)(client, *words)


asyncio.run(main())
