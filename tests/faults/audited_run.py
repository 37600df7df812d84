"""Run as a module: trains, evaluates and reports under an audit hook, and says what was touched.

Writes `told.json` beside the directory it is given: files written and folders made outside of it,
everything that has to do with the network or another process, and the modes of what is in it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
    "os.truncate", "os.utime", "shutil.copyfile", "shutil.move", "shutil.rmtree",
    "tempfile.mkdtemp", "tempfile.mkstemp",
}  # fmt: skip
ALIEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "urllib.",
         "ftplib.", "smtplib.", "http.client", "ssl.", "webbrowser.", "ctypes.dlopen",
         "pickle.", "marshal.load", "code.__new__")  # fmt: skip
LOADING = ("ctypes.dlopen", "marshal.load", "code.__new__")
"""What the import of a library may do, and a run whose libraries are loaded may not."""


class Auditor:
    """Collects events while it is armed; bytecode and Numba's cache are not counted."""

    def __init__(self, allowed: Path) -> None:
        self.allowed, self.is_armed = str(allowed), False
        self.found: dict[str, list[str]] = {"writes": [], "alien": []}
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_armed:
            return
        if event.startswith(ALIEN):
            self.found["alien"].append(f"{event} {str(arguments)[:200]}")
        elif (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
        ) or event in PATHS:
            self.note(event, arguments[0])

    def note(self, event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | Path):
            return  # a handle, whose opening was heard
        name = os.fsdecode(path)
        # Core writes below handles of its own directory, which the modes that are told show.
        is_relative_to_a_handle = not Path(name).is_absolute() and os.sep not in name
        is_cache = "__pycache__" in name
        if not (is_cache or is_relative_to_a_handle or name.startswith(self.allowed)):
            self.found["writes"].append(f"{event} {name}")


def writes(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & WRITES)


def modes(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root.parent)): oct(path.stat().st_mode & 0o777)
        for path in (root, *sorted(root.rglob("*")))
    }


def main(directory: Path) -> None:
    auditor = Auditor(directory)
    from optix_cli.app import main as optix  # noqa: PLC0415 - heard of, had it a mind to call home

    def run(name: str, *options: str) -> None:
        agent = ("--agent", "tests.faults.resume_scene:make_steered")
        run_dir = str(directory / name)
        code = optix(
            ["train", "CartPole-v1", *agent, "--run-dir", run_dir, "--seed", "0", *options]
        )
        assert code == 0, code
        assert optix(["evaluate", run_dir, *agent, "--episodes", "3"]) == 0
        assert optix(["report", run_dir]) == 0

    auditor.is_armed = True
    # The first run loads libraries lazily; the second has them.
    run("first", "--max-steps", "6000")
    loading = auditor.found["alien"]
    auditor.found["alien"] = [line for line in loading if not line.startswith(LOADING)]
    run("second", "--max-steps", "6000", "--spawns", "1")
    auditor.is_armed = False
    told = auditor.found | {"modes": modes(directory)}
    (directory.parent / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    os.umask(0o022)
    main(Path(sys.argv[1]))
