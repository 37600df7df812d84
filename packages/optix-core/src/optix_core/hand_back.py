"""The last act of a run: the policy that it hands back goes into the agent that was given."""

from optix_core.decisions import StopReason
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.run_in_progress import RunInProgress


def hand_back_best(run: RunInProgress) -> None:
    """Load the run's best policy into the agent; does nothing where no score was finite.

    Where the run ended by itself, the best and its challengers play off before. Who asked for the
    end (`StopReason.STOPPED`) wants it now.
    """
    best = run.book.bests.of_run
    if best is None:
        return
    if run.ending is not None and run.ending.reason is not StopReason.STOPPED:
        best = _play_off(run, best)
    run.parts.registry.load(best, run.parts.agent)


def _play_off(run: RunInProgress, best: PolicySnapshot) -> PolicySnapshot:
    parts = run.parts
    ranked = parts.final_choice.play_off(best, parts.agent)
    if not ranked:
        return best
    winner = ranked[0]
    run.progress.contenders = len(ranked)
    told = [contender.to_event() for contender in ranked]
    run.recorder.event("final_choice", contenders=told, winner=winner.snapshot.snapshot_id)
    if winner.snapshot is best:
        return best
    parts.registry.load(winner.snapshot, parts.agent)
    chosen = run.book.bests.choose(parts.agent, winner.standing())
    parts.callbacks.notify("on_improvement", chosen)
    return chosen
