"""The workflow says what `.ci/run` does."""

import re

from .tree import MEMBERS, ROOT

RUN = (ROOT / ".ci" / "run").read_text("utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")

# The workflow's matrix of Pythons does this stage's work.
DONE_BY_MATRIX = {"pythons"}


def shell_list(name: str) -> list[str]:
    """The words of a bash array in `.ci/run`."""
    found = re.search(rf"^{name}=\((.*?)\)", RUN, re.MULTILINE)
    assert found is not None
    return found[1].split()


def test_every_stage_is_a_job() -> None:
    called = re.findall(r"run: \.ci/run (.+)", WORKFLOW)
    stages = [stage for arguments in called for stage in arguments.split()]
    assert sorted([*stages, *DONE_BY_MATRIX]) == sorted(shell_list("ALL_STAGES"))


def test_the_required_status_waits_for_every_job() -> None:
    jobs = re.findall(r"^  ([a-z]+):$", WORKFLOW.partition("\njobs:\n")[2], re.MULTILINE)
    needed = re.search(r"needs: \[(.*)\]", WORKFLOW)
    assert needed is not None
    assert sorted([*needed[1].split(", "), "check"]) == sorted(jobs)


def test_every_member_is_tested_alone_in_both() -> None:
    names = {member.name for member in MEMBERS}
    assert set(shell_list("PACKAGES")) == names
    assert {name for name in names if re.search(rf"\b{name}\b", WORKFLOW)} == names
    assert "in ${OPTIX_CI_PACKAGES:-${PACKAGES[*]}}; do" in RUN


def test_workflows_may_only_read() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert re.search(
            r"^permissions:\n  contents: read\n", path.read_text("utf-8"), re.MULTILINE
        )
