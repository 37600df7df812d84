"""Answer calls read as JSON lines, so that a benchmark can interleave its samples with a peer's."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Handler = Callable[..., Any]


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer calls until the input ends.

    A line `{"call": name, "arguments": {...}}` gets `{"result": ...}` or `{"error": traceback}`.
    Whatever a library prints goes to standard error: file descriptor 1 is kept for answers alone.

    Args:
        handlers: the functions a benchmark may call, by name; their results must be JSON values.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(handlers, line)) + "\n")


def _answer(handlers: Mapping[str, Handler], line: str) -> dict[str, Any]:
    request = json.loads(line)
    try:
        return {"result": handlers[request["call"]](**request["arguments"])}
    except Exception:  # noqa: BLE001 - the benchmark raises it again on its own side
        return {"error": traceback.format_exc()}
