"""Every Python example of the README runs as it stands; only the number of windows is capped."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from optix_core import BaseAgent, BaseEvaluator, LoopCallback, RLOptimizer
from optix_core.testing import FakeAgent, ScriptedPipeline
from optix_evolve import PolicyManager, PolicyManagerCallback

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
MAX_WINDOWS = 2
EVOLVING_WINDOWS = 4


def title(example: str) -> str:
    """The heading that an example stands under."""
    before = README.read_text("utf-8").split(example)[0]
    return re.findall(r"^###? (.*)$", before, re.MULTILINE)[-1]


@pytest.fixture
def _few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    construct = RLOptimizer.__init__

    def capped(self: RLOptimizer, *args: Any, **settings: Any) -> None:
        limit = settings.pop("max_episodes", None) or MAX_WINDOWS
        if any(isinstance(each, PolicyManagerCallback) for each in settings.get("callbacks", [])):
            # DORMANT at the second evaluation of a round: evolution is what it shows.
            settings |= {"plateau_threshold": 1, "dormant_threshold": 1, "improvement_margin": 1e9}
            limit = EVOLVING_WINDOWS
        construct(self, *args, max_episodes=limit, **settings)

    monkeypatch.setattr(RLOptimizer, "__init__", capped)


@pytest.fixture
def _stand_in_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoGrad:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    class Tensor(np.ndarray[Any, Any]):
        def unsqueeze(self, axis: int) -> Any:
            return np.expand_dims(self, axis)

    class Categorical:
        def __init__(self, logits: Any) -> None:
            self.logits = logits

        def sample(self) -> Any:
            return np.argmax(self.logits)

    def float_tensor(values: Any) -> Any:
        return np.asarray(values, np.float32).view(Tensor)

    def save(state: dict[str, Any], path: str) -> None:
        np.savez(f"{path}.npz", **state)

    def load(path: str, *, weights_only: bool) -> dict[str, Any]:
        assert weights_only
        return dict(np.load(f"{path}.npz"))

    torch: Any = ModuleType("torch")
    torch.FloatTensor = float_tensor
    torch.no_grad = NoGrad
    torch.distributions = SimpleNamespace(Categorical=Categorical)
    torch.save = save
    torch.load = load
    monkeypatch.setitem(sys.modules, "torch", torch)


class LinearPolicy:
    """What a torch module does in the example, in NumPy."""

    def __init__(self) -> None:
        self.weights = np.ones((2, 2))

    def __call__(self, observation: Any) -> Any:
        return observation @ self.weights

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weights = state["weights"]


@pytest.mark.parametrize("example", EXAMPLES, ids=title)
@pytest.mark.usefixtures("_few_windows", "_stand_in_for_torch")
def test_example_runs(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(compile(example, f"README: {title(example)}", "exec"), namespace)  # noqa: S102
    use_what_it_defines(namespace)
    check_what_evolved(namespace)


def check_what_evolved(namespace: dict[str, Any]) -> None:
    """An example with a manager and a run has members with scores; one with a factory spawned."""
    manager, run = namespace.get("pm"), namespace.get("opt")
    if manager is None or run is None:
        return
    assert isinstance(manager, PolicyManager)
    status = manager.status()
    assert status["agents"][0]["mean_score"] is not None
    assert (status["spawn_count"] > 0) == ("make_agent" in namespace)
    assert len(manager.agents) == (3 if "ensemble" in namespace else 1 + status["spawn_count"])


def use_what_it_defines(namespace: dict[str, Any]) -> None:
    """Run what an example only defines: evaluators and callbacks in a loop, agents too."""
    for value in list(namespace.values()):
        if not isinstance(value, type) or value.__module__ != "readme":
            continue
        if issubclass(value, BaseEvaluator):
            run_scripted(evaluator=value())
        elif issubclass(value, LoopCallback):
            run_scripted(callbacks=[value()], plateau_threshold=1, dormant_threshold=1)
        elif value.__name__ == "TorchPPOAgent":
            run_scripted(agent=value(LinearPolicy()))
        elif issubclass(value, BaseAgent):
            agent = namespace["agent"]
            agent.act(np.zeros(4, dtype=np.float32))


def run_scripted(agent: BaseAgent | None = None, **settings: Any) -> None:
    windows = [[1.0, 2.0], [1.0, 1.0]]
    report = RLOptimizer(
        agent or FakeAgent(),
        ScriptedPipeline(windows),
        val_pipeline=ScriptedPipeline(windows),
        checkpoint_dir="scripted",
        **settings,
    ).run()
    assert report.windows == len(windows)
    assert not report.callback_errors


def test_there_is_an_example_for_each_section_of_the_quick_tour() -> None:
    sections = {title(example) for example in EXAMPLES}
    assert sections >= {
        "Quick Start",
        "PPO",
        "DQN, or any algorithm",
        "PyTorch, JAX, or no framework",
        "Automatic rollback",
        "Spawn budget",
        "Autonomous spawning",
        "MetaController",
        "Ensemble",
        "Weight rebalancing",
        "Population control",
        "Regime detection",
        "Observability",
        "Custom evaluators",
        "Live pipeline",
        "Callbacks",
        "Full configuration",
    }
