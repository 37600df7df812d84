"""The last act of a run: the policy that it hands back goes into the agent that was given."""

from optix_core.decisions import Stop, StopReason
from optix_core.loop_parts import LoopParts
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.round_book import RoundBook
from optix_core.run_recorder import RunRecorder


def hand_back_best(
    parts: LoopParts, book: RoundBook, recorder: RunRecorder, ending: Stop | None
) -> None:
    """Load the run's best policy into the agent; does nothing where no score was finite.

    Where the run ended by itself, the best and its challengers play off before. Who asked for the
    end (`StopReason.STOPPED`) wants it now.
    """
    best = book.bests.of_run
    if best is None:
        return
    if ending is not None and ending.reason is not StopReason.STOPPED:
        best = _play_off(parts, book, recorder, best)
    parts.registry.load(best, parts.agent)


def _play_off(
    parts: LoopParts, book: RoundBook, recorder: RunRecorder, best: PolicySnapshot
) -> PolicySnapshot:
    ranked = parts.final_choice.play_off(best, parts.agent)
    if not ranked:
        return best
    winner = ranked[0]
    recorder.progress.contenders = len(ranked)
    told = [contender.to_event() for contender in ranked]
    recorder.event("final_choice", contenders=told, winner=winner.snapshot.snapshot_id)
    if winner.snapshot is best:
        return best
    parts.registry.load(winner.snapshot, parts.agent)
    chosen = book.bests.choose(parts.agent, winner.standing())
    parts.callbacks.notify("on_improvement", chosen)
    return chosen
