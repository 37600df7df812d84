"""Build the peers' own environments beside this file.

Run: `python benchmarks/peers/install.py [sb3] [tensor-optix] [--again]`

Each environment is made with `venv` and plain pip, from whatever pip is configured for, by the
requirements file of the same name. Nothing is installed into the project's environment.
"""

import argparse
import logging
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = ("sb3", "tensor-optix", "tensor-optix-latest")

logger = logging.getLogger("install")


def environment(peer: str) -> Path:
    """The directory of a peer's environment."""
    return HERE / f".venv-{peer}"


def interpreter(peer: str) -> Path:
    """The Python of a peer's environment."""
    return environment(peer) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install(peer: str, *, again: bool) -> None:
    """Create a peer's environment, or leave a finished one alone unless `again`.

    Raises:
        subprocess.CalledProcessError: when pip fails; the unfinished environment is removed.
    """
    if environment(peer).exists() and not again:
        logger.info("%s: already there, `--again` builds it anew", environment(peer).name)
        return
    shutil.rmtree(environment(peer), ignore_errors=True)
    venv.create(environment(peer), with_pip=True)
    command = [
        str(interpreter(peer)),
        "-m",
        "pip",
        "install",
        "-q",
        "-r",
        str(HERE / f"{peer}.txt"),
    ]
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(environment(peer), ignore_errors=True)
        raise
    logger.info("%s: ready", environment(peer).name)


def main() -> None:
    """Install the peers named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(description="Build the peers' own environments.")
    parser.add_argument("peers", nargs="*", help=f"any of {', '.join(PEERS)}; all by default")
    parser.add_argument("--again", action="store_true", help="remove and rebuild what is there")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for peer in arguments.peers or PEERS:
        install(peer, again=arguments.again)


if __name__ == "__main__":
    main()
