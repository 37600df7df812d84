"""Makes the report of a run out of its parts and its books, however it ended."""

from optix_core.decisions import Stop
from optix_core.loop_parts import LoopParts
from optix_core.run_in_progress import RunInProgress
from optix_core.run_report import RunReport, best_fields


def report_run(run: RunInProgress, ending: Stop, *, error: str) -> RunReport:
    """Report a run as it stands.

    Args:
        run: the run; its learner's hyperparameters are reported where there is no best policy.
        ending: why it ended.
        error: what a failed run raised, in one line; empty where nothing failed.
    """
    parts, book, progress = run.parts, run.book, run.progress
    best = book.bests.of_run
    params = best.hyperparams.params if best else run.learner.get_hyperparams().params
    return RunReport(
        run_id=run.recorder.run_id,
        seed=parts.seeds.seed,
        stop_reason=ending.reason,
        detail=ending.detail,
        state=book.state,
        windows=progress.windows,
        branch_windows=progress.branch_windows,
        steps=progress.steps,
        validation_steps=parts.judge.validation_steps,
        evaluations=book.history.total,
        rounds=progress.rounds,
        contenders=progress.contenders,
        first_score=book.first_score,
        **best_fields(best),
        hyperparams=params,
        tuner=_tuner_of(parts),
        skipped_windows=parts.guard.n_skipped,
        callback_errors=parts.callbacks.errors,
        error=error,
        time_s=run.recorder.time_s,
    )


def _tuner_of(parts: LoopParts) -> str:
    names = [parts.tuning.name] if parts.tuning.is_tuned else []
    return " + ".join([*names, *filter(None, [parts.steering.name])]) or parts.tuning.name
