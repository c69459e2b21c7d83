"""Publishing and reading."""

import json
import unittest
from typing import Any
from unittest.mock import patch

import httpx
from fake_hub import FakeHub, event, signature_fits
from nexus_client import HubError, NexusClient, Published, _client

DONE = {"status": "dispatched", "event": "GAUGE:READING", "id": "9", "position": 9}


class Client(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.hub = FakeHub(lambda _: httpx.Response(200, json=DONE))
        self.hub.url = "http://hub.example.org/"
        self.client = self.hub.client(source="gauges")
        self.pauses: list[float] = []

        async def pause(_: NexusClient, seconds: float) -> None:
            self.pauses.append(seconds)

        self.enterContext(patch.object(NexusClient, "_pause", pause))
        self.enterContext(patch.object(_client, "backoff", lambda attempt, first, cap: min(cap, first * 2**attempt)))
        self.addAsyncCleanup(self.client.close)

    async def test_the_very_bytes_are_signed_with_time_source_and_id(self) -> None:
        published = await self.client.publish("GAUGE:READING", {"level": 3.5, "place": "Brücke"})
        self.assertEqual(published, Published("9", 9, "GAUGE:READING", False))
        request = self.hub.asked[0]
        self.assertEqual(str(request.url), "http://hub.example.org/events")
        self.assertEqual(request.content, '{"event":"GAUGE:READING","payload":{"level":3.5,"place":"Brücke"}}'.encode())
        self.assertTrue(signature_fits(request))
        self.assertEqual(request.headers["x-nexus-source"], "gauges")
        self.assertEqual(len(request.headers["x-nexus-event-id"]), 36)

    async def test_a_lost_or_refused_try_is_repeated_with_the_same_id(self) -> None:
        answers: list[Any] = [
            httpx.ConnectError("reset"),
            httpx.Response(503, headers={"retry-after": "7"}),
            httpx.Response(429),
            httpx.Response(502),
            httpx.Response(200, json=DONE | {"status": "duplicate"}),
        ]

        def answer(_: httpx.Request) -> httpx.Response:
            given = answers.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        self.hub.answer = answer
        self.assertTrue((await self.client.publish("GAUGE:READING", {}, id="reading-1")).duplicate)
        self.assertEqual([request.headers["x-nexus-event-id"] for request in self.hub.asked], ["reading-1"] * 5)
        self.assertEqual(self.pauses, [0.5, 7.0, 2.0, 4.0])

    async def test_it_gives_up_when_the_hub_wants_to_be_asked_too_late(self) -> None:
        self.hub.answer = lambda _: httpx.Response(503, headers={"retry-after": "3600"}, json={"message": "The disk is full."})
        with self.assertRaises(HubError) as caught:
            await self.client.publish("GAUGE:READING", {})
        self.assertEqual((caught.exception.code, caught.exception.status), ("unreachable", 503))
        self.assertEqual(len(self.hub.asked), 1)

    async def test_what_is_refused_is_not_repeated(self) -> None:
        for status, body, code, field in [
            (400, {"error": "Invalid event type"}, "invalid_event_type", None),
            (400, {"error": "invalid_payload", "message": "too low", "field": "payload.level"}, "invalid_payload", "payload.level"),
            (401, {"error": "invalid_signature"}, "invalid_signature", None),
            (409, {"error": "event_conflict"}, "event_conflict", None),
            (418, "tea", "refused", None),
        ]:
            with self.subTest(code):
                self.hub.asked.clear()
                self.hub.answer = lambda _, status=status, body=body: httpx.Response(status, content=json.dumps(body))
                with self.assertRaises(HubError) as caught:
                    await self.client.publish("GAUGE:READING", {})
                problem = caught.exception
                self.assertEqual((problem.code, problem.status, problem.field), (code, status, field))
                self.assertEqual(len(self.hub.asked), 1)

    async def test_a_request_without_a_body_signs_method_path_and_query(self) -> None:
        self.hub.answer = lambda _: httpx.Response(200, json=[event(2), {"nonsense": True}, event(1)])
        events = await self.client.events(["GAUGE:READING", "MIO:*"], limit=10, before=99, source="gauges")
        self.assertEqual([one.position for one in events], [2, 1])
        self.assertEqual(self.hub.asked[0].url.raw_path, b"/events?limit=10&before=99&source=gauges&event=GAUGE%3AREADING%2CMIO%3A%2A")
        self.assertTrue(signature_fits(self.hub.asked[0]))

    async def test_a_token_is_shown_instead(self) -> None:
        client = self.hub.client(secret=None, token="nxa_1")
        self.hub.answer = lambda _: httpx.Response(200, json=[])
        self.assertEqual(await client.events(), [])
        self.assertEqual(self.hub.asked[0].headers["authorization"], "Bearer nxa_1")
        with self.assertRaises(ValueError):
            await client.publish("GAUGE:READING", {})

    async def test_an_id_that_no_header_can_carry_is_refused(self) -> None:
        for wrong in ["", "Brücke", "a\nb", "x" * 129]:
            with self.assertRaises(ValueError):
                await self.client.publish("GAUGE:READING", {}, id=wrong)
        with self.assertRaises(ValueError):
            await self.client.publish("GAUGE:READING", {"level": float("nan")})
        self.assertEqual(self.hub.asked, [])

    async def test_publishing_ends_with_the_client(self) -> None:
        await self.client.close()
        with self.assertRaises(HubError) as caught:
            await self.client.publish("GAUGE:READING", {})
        self.assertEqual(caught.exception.code, "closed")

    async def test_it_needs_a_secret_or_a_token_and_an_address_on_the_web(self) -> None:
        with self.assertRaises(ValueError):
            NexusClient("https://example.org")
        with self.assertRaises(ValueError):
            NexusClient("file:///x", token="nxa_1")
        with self.assertRaises(ValueError):
            NexusClient("https://example.org", token="nxa_1\n")
