"""Augmented random search: a linear policy that learns without gradients, on optix-core alone.

While it explores, each window is played by the policy with a random step added; when all steps
have had their window, the policy moves along those that paid. Run: `uv run python
examples/linear_search.py` (CartPole, from Gymnasium; a few seconds).
"""

import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, Domain, EpisodeData, HyperparamSet, RLOptimizer, render_report
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.running_normalisation import RunningNormalisation
from optix_core.simple_pipeline import SimplePipeline
from optix_core.weights_file import load_arrays, save_arrays

HYPERPARAMS = {"step_size": 0.1, "noise": 0.2}
DOMAINS = {
    "step_size": Domain(low=1e-4, high=10.0, log=True, role="step_size"),
    "noise": Domain(low=1e-3, high=10.0, log=True),
}


class LinearSearch(BaseAgent):
    """ARS: scores = theta · (normalised observation, 1), theta found by trial.

    A sweep has 2K windows: theta + ν εₖ and theta − ν εₖ for K random steps εₖ of unit normal
    numbers. With fitnesses fₖ⁺ and fₖ⁻ of those windows, and sd their standard deviation over the
    sweep, theta moves by α / (K sd) · Σₖ (fₖ⁺ − fₖ⁻) εₖ over the best half of the steps. Where all
    fitnesses are equal it stays.

    The fitness of a window is its reward for each episode that ended in it (at least one): in the
    long run the mean return, and known even where an episode is longer than a window.

    Greedily it plays theta alone, so a validation pipeline scores what will be kept.

    References:
        Mania, Guy, Recht, Simple random search of static linear policies is competitive for
        reinforcement learning, 2018.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        hyperparams: Mapping[str, float] | None = None,
        *,
        bounds: tuple[NDArray[Any], NDArray[Any]] | None = None,
        n_steps: int = 8,
        seed: int = 0,
    ) -> None:
        """Make an agent that plays zeros, or the first action.

        Args:
            n_inputs: numbers of an observation.
            n_outputs: how many actions there are, or how many numbers one has.
            hyperparams: α is `step_size` and ν is `noise`; those not given have their defaults.
            bounds: of real actions, low and high; None for one of `n_outputs` actions.
            n_steps: K.
            seed: of the agent's generator.
        """
        self._rng = np.random.default_rng(seed)
        self._hyperparams = HyperparamSet({**HYPERPARAMS, **(hyperparams or {})})
        self._bounds = bounds
        self._observed = RunningNormalisation((n_inputs,))
        self._theta = np.zeros((n_outputs, n_inputs + 1))
        self._steps = np.zeros((n_steps, *self._theta.shape))
        self._fitness = np.zeros(2 * n_steps)
        self._window = 0
        self._begin_sweep()

    def act(self, observation: Any) -> Any:
        return self._action(self._exploring, observation)

    def act_greedy(self, observation: Any) -> Any:
        return self._action(self._theta, observation)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Take note of what the step of this window earned; after the last, move and begin anew."""
        fitness = episode_data.total_reward / max(1, int(episode_data.dones.sum()))
        self._observed.update(episode_data.observations)
        self._fitness[self._window] = fitness
        self._window += 1
        if self._window == len(self._fitness):
            self._move()
            self._begin_sweep()
        self._explore()
        return {"fitness": fitness, "size": float(np.abs(self._theta).mean())}

    def _move(self) -> None:
        plus, minus = self._fitness[0::2], self._fitness[1::2]
        spread = self._fitness.std()
        if not spread > 0:  # all alike, or not finite
            return
        best = np.argsort(-np.maximum(plus, minus), kind="stable")[: (len(plus) + 1) // 2]
        gains = (plus - minus)[best] / (len(best) * spread)
        self._theta += self._hyperparams.params["step_size"] * np.tensordot(
            gains, self._steps[best], axes=1
        )

    def _begin_sweep(self) -> None:
        self._window = 0
        self._steps = self._rng.standard_normal(self._steps.shape)
        self._explore()

    def _explore(self) -> None:
        """Set the policy of the next window."""
        sign = 1.0 if self._window % 2 == 0 else -1.0
        step = self._steps[self._window // 2]
        self._exploring = self._theta + sign * self._hyperparams.params["noise"] * step

    def _action(self, theta: NDArray[np.float64], observation: Any) -> Any:
        scores = theta[:, :-1] @ self._observed.normalise(observation) + theta[:, -1]
        if self._bounds is None:
            return int(scores.argmax())
        low, high = self._bounds
        return np.minimum(np.maximum(scores.reshape(low.shape), low), high)

    def get_hyperparams(self) -> HyperparamSet:
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._hyperparams = hp.copy()

    def hyperparam_space(self) -> Mapping[str, Domain]:
        return DOMAINS

    def save_weights(self, path: str) -> None:
        save_arrays(path, self._arrays())

    def load_weights(self, path: str) -> None:
        """Take over theta; the sweep in progress was round another one and begins anew."""
        stored = load_arrays(path, self._arrays())
        self._theta = stored.pop("theta")
        self._observed.load_state_dict(stored)
        self._begin_sweep()

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": generator_state(self._rng),
            "steps": self._steps.copy(),
            "fitness": self._fitness.copy(),
            "window": self._window,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rng = generator_from_state(state["rng"])
        self._steps = np.array(state["steps"])
        self._fitness = np.array(state["fitness"])
        self._window = int(state["window"])
        self._explore()

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"theta": self._theta, **self._observed.state_dict()}


def main() -> None:
    """Learn CartPole until nothing improves any more, and print the report."""
    import gymnasium  # noqa: PLC0415 - the agent does without

    agent = LinearSearch(4, 2, seed=0)
    with tempfile.TemporaryDirectory() as directory:
        report = RLOptimizer(
            agent,
            SimplePipeline(gymnasium.make("CartPole-v1"), window_size=500),
            val_pipeline=SimplePipeline(gymnasium.make("CartPole-v1"), window_size=1500),
            checkpoint_dir=directory,
            base_interval=16,  # a validation a sweep: in between, the policy stays
            max_episodes=192,
            seed=0,
        ).run()
    print(render_report(report))


if __name__ == "__main__":
    main()
