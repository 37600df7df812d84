"""Makes the report of a run out of its parts and its books, however it ended."""

from optix_core.base_agent import BaseAgent
from optix_core.decisions import Stop
from optix_core.loop_parts import LoopParts
from optix_core.round_book import RoundBook
from optix_core.run_recorder import RunRecorder
from optix_core.run_report import RunReport, best_fields


def report_run(
    parts: LoopParts,
    book: RoundBook,
    recorder: RunRecorder,
    *,
    ending: Stop,
    learner: BaseAgent,
    error: str,
) -> RunReport:
    """Report a run as it stands.

    Args:
        parts: what the loop is made of.
        book: where the run stands.
        recorder: how far it came.
        ending: why it ended.
        learner: whose hyperparameters are reported where there is no best policy.
        error: what a failed run raised, in one line; empty where nothing failed.
    """
    best, progress = book.bests.of_run, recorder.progress
    params = best.hyperparams.params if best else learner.get_hyperparams().params
    return RunReport(
        run_id=recorder.run_id,
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
        time_s=recorder.time_s,
    )


def _tuner_of(parts: LoopParts) -> str:
    names = [parts.tuning.name] if parts.tuning.is_tuned else []
    return " + ".join([*names, *filter(None, [parts.steering.name])]) or parts.tuning.name
