"""Closes a run, however it ended: pipelines, report, journal, branches, directory."""

from optix_core.decisions import RESUMABLE, Stop, StopReason
from optix_core.loop_branches import close_branches
from optix_core.loop_report import report_run
from optix_core.run_in_progress import RunInProgress
from optix_core.run_report import RunReport
from optix_core.stage import try_all


def close_run(run: RunInProgress, failure: BaseException | None) -> RunReport:
    """Close a run; returns its report, which is in the journal by then.

    Args:
        run: the run.
        failure: what it raised, which nothing here masks; None where nothing failed.

    Raises:
        BaseException: what a pipeline raised when it was closed, or an interruption that came in
            `on_loop_stop`, in a run that had not failed.
    """
    notify = run.parts.callbacks.notify
    errors = try_all([lambda: notify("on_loop_stop"), *run.stage.closers])
    ending = run.ending or Stop(StopReason.STOPPED)
    report = report_run(run, ending, error="" if failure is None else ending.detail)
    try:
        run.recorder.end(report)
        run.parts.tuning.let_go(run.branches)
        close_branches(run.parts, is_over=ending.reason not in RESUMABLE)
    finally:
        run.parts.directory.end_run()
    run.book.bests.release()
    if failure is None and errors:
        raise errors[0]
    return report
