"""A live source over TCP: JSON lines come in, actions go back, lost items are asked for again.

The feed of this example is a price in the same process; yours is wherever the address says.
Run: `uv run python examples/live_tcp.py`
"""

import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optix_core import BaseAgent, EpisodeData, HyperparamSet, RLOptimizer
from optix_pipelines import LivePipeline


class JsonLinesSource:
    """Reads one item a line: [observation, reward, terminated, truncated, info].

    The first line that it writes asks for an item by its number; each later one is an action.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._offset = 0
        self._socket: socket.socket | None = None

    def seek(self, offset: int) -> None:
        """Let the next stream begin with this item."""
        self._offset = offset

    def stream(self) -> Iterator[Any]:
        """Connect, and hand over every whole line as an item."""
        with socket.create_connection(self._address, timeout=5.0) as connection:
            connection.settimeout(None)
            self._socket = connection
            self._write({"offset": self._offset})
            for line in connection.makefile("rb"):
                if not line.endswith(b"\n"):
                    return  # torn: the connection was lost in the middle of it
                item = json.loads(line)
                yield (np.array(item[0], dtype=np.float64), *item[1:])

    def send(self, action: Any) -> None:
        """Write an action; an OSError says that the connection is lost."""
        self._write({"action": np.asarray(action).tolist()})

    def close(self) -> None:
        """Make a stream that waits end."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is lost already
                return

    def _write(self, message: dict[str, Any]) -> None:
        if self._socket is None:
            raise ConnectionError("not connected")
        self._socket.sendall(json.dumps(message).encode() + b"\n")


class TrendFollower(BaseAgent):
    """Holds `size` · (last change): the size grows while that pays, and shrinks otherwise."""

    def __init__(self) -> None:
        self._hyperparams = HyperparamSet({"step": 0.1})
        self.size = 0.0

    def act(self, observation: Any) -> Any:
        return self.size * float(observation[1])

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        changes = episode_data.observations[:, 1]
        slope = float(np.mean(changes[1:] * changes[:-1]))
        self.size += self._hyperparams.params["step"] * slope
        return {"size": self.size}

    def get_hyperparams(self) -> HyperparamSet:
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._hyperparams = hp.copy()

    def save_weights(self, path: str) -> None:
        Path(path).write_text(json.dumps(self.size), encoding="utf-8")

    def load_weights(self, path: str) -> None:
        self.size = float(json.loads(Path(path).read_text(encoding="utf-8")))


def serve(listener: socket.socket) -> None:
    """Send a price whose changes continue, and pay the position for each; until nobody listens."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as asked:
        json.loads(asked.readline())  # where to begin; this price has only just begun
        rng, price, change, position = np.random.default_rng(0), 100.0, 0.0, 0.0
        try:
            while True:
                change = 0.8 * change + rng.normal()
                price += change
                item = [[price, change], position * change, False, False, {"price": price}]
                connection.sendall(json.dumps(item).encode() + b"\n")
                position = json.loads(asked.readline())["action"]
        except (OSError, ValueError):
            return  # the other side has hung up


def main() -> None:
    """Trade until nothing improves any more."""
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryDirectory() as run:
        feed = threading.Thread(target=serve, args=(listener,))
        feed.start()
        agent = TrendFollower()
        report = RLOptimizer(
            agent,
            LivePipeline(JsonLinesSource(*listener.getsockname()), every_n_steps=100),
            checkpoint_dir=run,
            max_episodes=30,
            seed=0,
        ).run()
        feed.join()
    print(f"{report.steps} ticks, {report.windows} windows, best {report.best_score:.0f}")
    print(f"position = {agent.size:.2f} · change")


if __name__ == "__main__":
    main()
