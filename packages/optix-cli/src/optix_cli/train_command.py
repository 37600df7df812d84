"""`optix train`: from an environment's id to a trained policy and its report."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from optix_cli.agent_choice import why
from optix_cli.console import output_console, print_line
from optix_cli.environments import episode_pipeline, training_pipeline
from optix_cli.evolution import evolution_callback, make_manager
from optix_cli.fresh_episodes import play_test
from optix_cli.interruption import Interruption, interruptible
from optix_cli.live_view import LiveView
from optix_cli.plain_view import PlainView
from optix_cli.progress import ProgressCallback, ProgressView
from optix_cli.report_command import print_report, print_row, read_runs
from optix_cli.report_text import run_title, settings_text
from optix_cli.saved_ensemble import as_one_agent, save_ensemble
from optix_cli.train_request import PreparedRun, TrainRequest, prepare
from optix_cli.tuners import NONE, make_tuner
from optix_core.base_agent import BaseAgent
from optix_core.finite_guard import check_policy
from optix_core.loop_callback import LoopCallback
from optix_core.rl_optimizer import RLOptimizer
from optix_core.run_directory import RunDirectory
from optix_core.run_report import RunReport
from optix_evolve import PolicyManager


def train(
    env_id: str,
    /,
    *,
    seed: int | None = None,
    run_dir: Path | None = None,
    max_steps: int | None = None,
    assignments: Annotated[
        tuple[str, ...],
        Parameter(
            name="--set",
            metavar="NAME=VALUE",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = (),
    agent: str | None = None,
    spawns: int = 0,
    ensemble: int | None = None,
    tuner: str = NONE,
) -> None:
    """Train until nothing improves any more, test the best policy, report.

    Args:
        env_id: A Gymnasium id with Discrete or Box actions: CartPole-v1, or my_module:MyEnv-v0.
        seed: What everything random is drawn from. Default: drawn, and written down.
        run_dir: Where journal, settings and policies go. A run that is there already stays, and
            this one is appended. Default: a fresh runs/ENV-seedSEED, numbered where that exists.
        max_steps: Stop after at most as many steps of training, in whole windows.
        assignments: Hyperparameters and loop settings; a name that does not exist lists those
            that do.
        agent: An installed agent, such as dqn, ppo, sac and td3 of optix-tf, or
            my_package.my_module:make_agent, a function called without arguments; its module is
            looked for in the current directory first. Default: sac for Box actions with bounds,
            else ppo.
        spawns: At each convergence train a variant of the best policy, at most so many times;
            they are saved as an ensemble, and fresh episodes choose who of them acts.
        ensemble: Members of the ensemble at most; the weakest are pruned. Default: all.
        tuner: Who tunes hyperparameters beside the step size, which is steered of itself: none,
            backoff (the documented arithmetic), evidence (probe and counter-probe on two branches
            of training), population (while scores do not rise, a challenger trains beside the
            learner, and becomes it where it is proven better) or optuna (trials that are pruned;
            pip install optix-cli[optuna]). Branches count as training.
    """
    request = TrainRequest(
        env_id=env_id,
        seed=seed,
        run_dir=run_dir,
        max_steps=max_steps,
        assignments=assignments,
        agent=agent,
        spawns=spawns,
        ensemble=ensemble,
        tuner=tuner,
    )
    console = output_console()
    with interruptible() as interruption:
        with console.status(f"Loading {agent or 'the agent'}"):
            run = prepare(request)
        train_and_report(run, console, interruption)


def train_and_report(
    run: PreparedRun, console: Console, interruption: Interruption, *, resume: bool = False
) -> None:
    """Train, test the best policy and report; with `resume`, go on with the directory's run."""
    _print_settings(run, console)
    n_runs = len(read_runs(run.run_dir)) - resume
    manager = make_manager(run) if run.request.spawns else None
    try:
        optimizer = _optimizer(run, manager, console, interruption, resume=resume)
        report = optimizer.run()
        _test(run, manager, report, console)
    finally:
        # Also for a run that failed or was interrupted; none where not even a run began.
        for history in read_runs(run.run_dir)[n_runs:]:
            print_line(console, "")
            print_report(history, run.run_dir, console)


def _optimizer(
    run: PreparedRun,
    manager: PolicyManager | None,
    console: Console,
    interruption: Interruption,
    *,
    resume: bool,
) -> RLOptimizer:
    settings, env_id = run.settings, run.environment.env_id
    progress = ProgressCallback(
        _view(console),
        settings,
        max_steps=run.request.max_steps,
        after_window=interruption.check,
    )
    # Progress first: what it shows is taken down before the manager prints its report.
    callbacks: list[LoopCallback] = [progress]
    if manager is not None:
        callbacks.append(evolution_callback(run, manager))
    optimizer = RLOptimizer(
        run.agent,
        training_pipeline(env_id, n_envs=settings.n_envs, window_size=settings.window_size),
        val_pipeline=episode_pipeline(env_id, settings.validation_episodes),
        optimizer=make_tuner(run.request.tuner),
        checkpoint_dir=run.run_dir,
        max_snapshots=settings.max_snapshots,
        rollback_on_degradation=settings.rollback_on_degradation,
        improvement_margin=settings.improvement_margin,
        max_episodes=run.max_windows,
        base_interval=settings.base_interval,
        backoff_factor=settings.backoff_factor,
        max_interval_episodes=settings.max_interval_episodes,
        plateau_threshold=settings.plateau_threshold,
        dormant_threshold=settings.dormant_threshold,
        degradation_threshold=settings.degradation_threshold,
        degradation_patience=settings.degradation_patience,
        confirm=settings.confirm,
        callbacks=callbacks,
        seed=run.seeds.seed,
        resume=resume,
        on_nonfinite=check_policy("on_nonfinite", settings.on_nonfinite),
        autotune=settings.autotune,
        plateau_test=settings.plateau_test,
    )
    optimizer.annotate(run.sections())
    return optimizer


def _view(console: Console) -> ProgressView:
    return LiveView(console) if console.is_terminal else PlainView(console)


def _title(run: PreparedRun) -> str:
    return run_title(run.request.env_id, run.agent_name, run.seeds.seed)


def _print_settings(run: PreparedRun, console: Console) -> None:
    print_line(console, Text(_title(run), style="bold"))
    if run.request.agent is None:
        print_row(console, "Chosen", why(run.environment.action_space))
    print_row(console, "Loop", settings_text(run.settings.as_dict()))
    print_row(console, "Agent", settings_text(run.hyperparams))
    print_row(console, "Run", str(run.run_dir))
    print_line(console, "")


def _test(
    run: PreparedRun, manager: PolicyManager | None, report: RunReport, console: Console
) -> None:
    """Test the best policy, which `run` left in the agent, and the ensemble where there is one."""
    if report.best_score is None:
        return
    _test_one(run, report, console, agent=run.agent, event="tested", name="best policy")
    if manager is None or len(manager.agents) == 1:
        return
    with console.status("Validating and saving the ensemble"):
        save_ensemble(run, manager, report)
    policy = as_one_agent(manager, run.environment)
    _test_one(run, report, console, agent=policy, event="ensemble_tested", name="ensemble")


def _test_one(
    run: PreparedRun,
    report: RunReport,
    console: Console,
    *,
    agent: BaseAgent,
    event: str,
    name: str,
) -> None:
    """Test a policy on the run's fresh episodes and write the outcome down."""
    n_episodes = run.settings.test_episodes
    with console.status(f"Testing the {name} on {n_episodes} fresh episodes"):
        test = play_test(agent, run.environment.env_id, n_episodes=n_episodes, seed=run.seeds.seed)
    journal = RunDirectory(run.run_dir).journal
    journal.append(event, run=report.run_id, window=report.windows, **test.as_event())
    journal.sync()
    journal.close()
