"""Subscriptions against a hub that misbehaves on purpose."""

import asyncio
import unittest
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import httpx
from fake_hub import FakeHub, event, signature_fits
from nexus_client import SKIP, Gap, HubError, HubEvent, Subscription, _stream, _subscription


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.002)


@patch.multiple(_subscription, RETRY_FIRST=0.01, CALLBACK_FIRST=0.01, REFUSED=0.2)
class Subscriptions(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.hub = await self.enterAsyncContext(FakeHub())
        self.seen: list[int] = []
        self.problems: list[HubError] = []
        self.client = self.hub.client(on_error=self.problems.append)
        self.addAsyncCleanup(self.client.close)

    def listen(self, act: Callable[[HubEvent], Any] = lambda _: None, **more: Any) -> Subscription:
        async def callback(event: HubEvent) -> None:
            result = act(event)
            if asyncio.iscoroutine(result):
                await result
            self.seen.append(event.position)

        return self.client.subscribe(["GAUGE:*"], callback, **more)

    async def test_it_asks_for_a_ticket_and_says_what_it_wants(self) -> None:
        subscription = self.listen(since=7)
        socket = await self.hub.socket()
        self.assertEqual(socket.command, {"action": "subscribe", "events": ["GAUGE:*"], "since": 7})
        self.assertEqual(self.hub.paths, ["/events/stream?token=t%2F1"])
        self.assertEqual(self.hub.asked[0].content, b"{}")
        self.assertTrue(signature_fits(self.hub.asked[0]))
        await socket.begin(20)
        await subscription.ready()
        self.assertEqual(subscription.position, 7)

    async def test_it_begins_where_the_hub_stands_and_comes_back_to_there(self) -> None:
        subscription = self.listen()
        socket = await self.hub.socket()
        self.assertNotIn("since", socket.command)
        await socket.begin(20)
        await subscription.ready()
        await socket.connection.close(1012)
        self.assertEqual((await self.hub.socket()).command["since"], 20)
        self.assertEqual(self.problems, [])

    async def test_what_comes_twice_is_dropped_and_the_position_waits_for_the_callback(self) -> None:
        go = asyncio.Semaphore(0)
        subscription = self.listen(lambda _: go.acquire(), since=0)
        socket = await self.hub.socket()
        await socket.begin(3)
        await socket.give(event(1), event(2), event(2), event(1), {"status": "caught_up", "position": 9})
        await asyncio.sleep(0.02)
        self.assertEqual(subscription.position, 0)
        go.release()
        await until(lambda: subscription.position == 1)
        go.release()
        await until(lambda: subscription.position == 9)
        self.assertEqual(self.seen, [1, 2])

    async def test_an_event_whose_callback_raised_is_given_again(self) -> None:
        failures = [OSError("disk full"), OSError("disk full")]

        def act(_: HubEvent) -> None:
            if failures:
                raise failures.pop()

        self.listen(act, since=0)
        socket = await self.hub.socket()
        await socket.begin(3)
        await socket.give(event(1), event(2))
        await until(lambda: self.seen == [1, 2])
        self.assertEqual([(one.code, one.tries) for one in self.problems], [("callback_failed", 1), ("callback_failed", 2)])
        self.assertIsInstance(self.problems[0].__cause__, OSError)

    async def test_on_error_may_give_up_on_an_event(self) -> None:
        async def skip(_: HubError) -> str:
            return SKIP

        def act(event: HubEvent) -> None:
            if event.position == 1:
                raise ValueError("never")

        subscription = self.listen(act, since=0, on_error=skip)
        socket = await self.hub.socket()
        await socket.begin(3)
        await socket.give(event(1), event(2))
        await until(lambda: subscription.position == 2)
        self.assertEqual(self.seen, [2])

    async def test_an_on_error_that_raises_ends_nothing(self) -> None:
        failures = [OSError("once")]

        def act(_: HubEvent) -> None:
            if failures:
                raise failures.pop()

        def broken(_: HubError) -> None:
            raise RuntimeError("on_error is broken too")

        self.listen(act, since=0, on_error=broken)
        socket = await self.hub.socket()
        await socket.begin(3)
        with self.assertLogs("nexus_client", "ERROR"):
            await socket.give(event(1))
            await until(lambda: self.seen == [1])

    async def test_a_restored_hub_counts_anew(self) -> None:
        gaps: list[Gap] = []
        subscription = self.listen(since=100, on_gap=gaps.append)
        socket = await self.hub.socket()
        await socket.begin(40, gap=True)
        await socket.give(event(41))
        await until(lambda: self.seen == [41])
        self.assertEqual(gaps, [Gap(100, 40)])
        self.assertEqual(subscription.position, 41)

    async def test_a_gap_of_old_events_keeps_the_place(self) -> None:
        self.listen(since=5)
        socket = await self.hub.socket()
        await socket.begin(40, gap=True)
        await socket.give(event(30), event(41))
        await until(lambda: self.seen == [30, 41])

    async def test_types_that_the_hub_does_not_know_are_named(self) -> None:
        self.listen()
        await (await self.hub.socket()).begin(1, invalidEvents=["GAUGE:NOTHING"])
        await until(lambda: len(self.problems) == 1)
        self.assertEqual(str(self.problems[0]), "The hub does not know GAUGE:NOTHING.")

    async def test_it_comes_back_at_once_after_4901_if_it_got_on(self) -> None:
        with patch.object(_subscription, "RETRY_FIRST", 60.0), patch.object(_subscription, "RETRY_CAP", 60.0):
            self.listen(since=0)
            socket = await self.hub.socket()
            await socket.begin(3)
            await socket.give(event(1))
            await until(lambda: self.seen == [1])
            await socket.connection.close(4901)
            self.assertEqual((await self.hub.socket()).command["since"], 1)

    async def test_a_stream_that_never_begins_is_told(self) -> None:
        self.listen()
        await (await self.hub.socket()).connection.close(1011)
        await until(lambda: len(self.problems) == 1)
        self.assertEqual(str(self.problems[0]), "The stream ended before it began (1011).")

    async def test_who_is_turned_away_hears_why_and_waits(self) -> None:
        self.hub.answer = lambda _: httpx.Response(401, json={"error": "invalid_signature", "message": "It does not fit."})
        self.listen()
        await until(lambda: len(self.problems) == 1)
        problem = self.problems[0]
        self.assertEqual((problem.code, problem.status, str(problem)), ("invalid_signature", 401, "It does not fit."))
        self.assertGreaterEqual(problem.retry_in or 0, 0.1)
        await asyncio.sleep(0.05)
        self.assertEqual(len(self.hub.asked), 1)
        await until(lambda: len(self.hub.asked) == 2)

    async def test_a_fault_of_our_own_is_told_and_ends_nothing(self) -> None:
        def broken(_: httpx.Request) -> httpx.Response:
            raise RuntimeError("planted")

        self.hub.answer = broken
        self.listen()
        await until(lambda: len(self.problems) == 1)
        self.assertEqual((self.problems[0].code, str(self.problems[0])), ("broken", "The stream failed: RuntimeError('planted')"))

    async def test_it_waits_as_retry_after_asks(self) -> None:
        self.hub.answer = lambda _: httpx.Response(503, headers={"retry-after": "7"})
        self.listen()
        await until(lambda: len(self.problems) == 1)
        self.assertEqual((self.problems[0].code, self.problems[0].retry_in), ("unreachable", 7.0))

    async def test_it_hangs_up_when_too_much_waits_and_comes_back_for_the_rest(self) -> None:
        go = asyncio.Semaphore(0)
        with patch.object(_stream, "WAITING_CHARS_MAX", 1_000):
            self.listen(lambda _: go.acquire(), since=0)
            socket = await self.hub.socket()
            await socket.begin(3)
            await socket.give(*(event(position, payload={"padding": "x" * 200}) for position in range(1, 12)))
            await socket.connection.wait_closed()
            for _ in range(12):
                go.release()
            again = await self.hub.socket()
        self.assertEqual(again.command["since"], self.seen[-1])
        self.assertEqual(self.seen, list(range(1, self.seen[-1] + 1)))
        self.assertLess(len(self.seen), 8)

    async def test_closing_waits_for_the_callback_that_runs_and_begins_no_other(self) -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def act(_: HubEvent) -> None:
            started.set()
            await go.wait()

        subscription = self.listen(act, since=0)
        socket = await self.hub.socket()
        await socket.begin(3)
        await socket.give(event(1), event(2))
        await started.wait()
        closing = asyncio.create_task(self.client.close())
        await asyncio.sleep(0.02)
        self.assertFalse(closing.done())
        go.set()
        await closing
        self.assertEqual((self.seen, subscription.position), ([1], 1))

    async def test_a_callback_may_close_its_own_subscription(self) -> None:
        subscription = self.listen(lambda _: subscription.close(), since=0)
        socket = await self.hub.socket()
        await socket.begin(3)
        await socket.give(event(1), event(2))
        await asyncio.wait_for(socket.connection.wait_closed(), 5)
        await subscription.close()
        self.assertEqual(self.seen, [1])

    async def test_it_takes_a_list_of_1_to_20_types(self) -> None:
        for wrong in [[], ["A:B"] * 21, "A:B"]:
            with self.assertRaises(ValueError):
                self.client.subscribe(wrong, lambda _: None)
