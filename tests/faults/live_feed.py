"""A live feed in a process of its own, to be killed, stalled and restarted; over TCP or websocket.

`python -m tests.faults.live_feed '{"kind": "market", "transport": "tcp"}'` prints its port, then
sends items to one client at a time. A client's first message asks for an item by its number; each
later one is an action, read and forgotten.
"""

import asyncio
import json
import math
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ROBOT_EPISODE = 50


@dataclass(frozen=True)
class Feed:
    """What is sent, and how."""

    kind: str = "market"
    transport: str = "tcp"
    port: int = 0
    start: int = 0
    """Number of the first item, where the client's wish is ignored."""
    n_items: int = 10**9
    """How many items there are; then the connection is closed."""
    replays: bool = True
    """Whether the client's wish is heard."""
    silent_after: int = 10**9
    """From this item on nothing is sent, and the connection stays open."""
    pause_s: float = 0.0
    """Between two items."""
    odd: dict[str, Any] = field(default_factory=dict[str, Any])
    """Number → what is sent in the place of that item, as JSON."""

    def lines(self, asked: int) -> Iterator[bytes]:
        """The items from the one that was asked for on, each a line of JSON."""
        for number in range(asked if self.replays else self.start, self.n_items):
            if number == self.silent_after:
                threading.Event().wait()
            if self.pause_s:
                time.sleep(self.pause_s)
            item = self.odd.get(str(number)) or item_of(self.kind, number)
            yield json.dumps(item).encode() + b"\n"


def item_of(kind: str, number: int) -> list[Any]:
    """The item of this number, which its reward tells: a price and its change, or a pendulum."""
    if kind == "market":
        observation = [100.0 + math.sin(number / 7), math.cos(number / 7) / 7]
        return [observation, float(number), False, False, {"number": number}]
    angle, is_last = number % ROBOT_EPISODE, number % ROBOT_EPISODE == ROBOT_EPISODE - 1
    observation = [math.sin(angle / 9), math.cos(angle / 9), angle / 9]
    fell = is_last and number % (2 * ROBOT_EPISODE) == ROBOT_EPISODE - 1
    return [observation, float(number), fell, is_last and not fell, {"number": number}]


def serve_tcp(feed: Feed) -> None:
    with socket.create_server(("127.0.0.1", feed.port)) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - the test reads it
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as messages:
                try:
                    asked = json.loads(messages.readline())["offset"]
                    threading.Thread(target=read_on, args=(messages,), daemon=True).start()
                    for line in feed.lines(asked):
                        connection.sendall(line)
                    connection.shutdown(socket.SHUT_WR)
                except (OSError, ValueError):
                    continue


def read_on(messages: Any) -> None:
    try:
        for _ in messages:
            pass
    except (OSError, ValueError):
        return


async def serve_websocket(feed: Feed) -> None:
    async def answer(connection: ServerConnection) -> None:
        asked = json.loads(await connection.recv())["offset"]
        reading = asyncio.create_task(read_messages(connection))
        try:
            for line in feed.lines(asked):
                await connection.send(line.decode())
        except ConnectionClosed:
            return
        finally:
            reading.cancel()

    async with serve(answer, "127.0.0.1", feed.port) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)  # noqa: T201
        await server.serve_forever()


async def read_messages(connection: ServerConnection) -> None:
    async for _ in connection:
        pass


if __name__ == "__main__":
    asked_for = Feed(**json.loads(sys.argv[1]))
    if asked_for.transport == "tcp":
        serve_tcp(asked_for)
    else:
        asyncio.run(serve_websocket(asked_for))
