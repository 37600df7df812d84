"""The face of the command: help, version, exit codes, what is imported."""

import subprocess
import sys

import pytest

from optix_cli.app import USAGE, error_text, main
from optix_core.errors import ConfigurationError


@pytest.mark.parametrize("tokens", [[], ["--help"], ["train", "--help"], ["evaluate", "--help"]])
def test_help_is_printed(tokens: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tokens) == 0
    assert "Usage: optix" in capsys.readouterr().out


def test_help_names_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    text = capsys.readouterr().out
    for word in ("train", "evaluate", "report", "--debug", "130 interrupted", "resume"):
        assert word in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("optix ")


@pytest.mark.parametrize(
    "tokens",
    [["trian"], ["train"], ["report"], ["train", "CartPole-v1", "--sed", "1"], ["train", "x", "y"]],
)
def test_wrong_usage_is_code_2(tokens: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tokens) == USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error" in captured.err


def test_help_and_report_leave_tensorflow_and_gymnasium_alone() -> None:
    script = (
        "import sys; from optix_cli.app import main\n"
        "main(['--help']); main(['report', 'nowhere'])\n"
        "heavy = {'tensorflow', 'keras', 'gymnasium', 'numba'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "there is no run in nowhere" in done.stderr


def test_an_error_is_one_line() -> None:
    error = ConfigurationError("a\n  b")
    error.add_note("Optix: in window 3")
    assert error_text(error, debug=False) == "a b (Optix: in window 3)"
    assert error_text(ValueError("no"), debug=True) == "ValueError: no"
    assert error_text(ValueError("no"), debug=False).endswith("Add --debug for the traceback.")
