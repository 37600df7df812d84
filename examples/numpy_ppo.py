"""Proximal policy optimization in plain NumPy: an agent that needs nothing but optix-core.

Two towers of tanh layers, backpropagation and Adam by hand, for discrete and for bounded real
actions. Run: `uv run python examples/numpy_ppo.py` (CartPole, from Gymnasium; a few seconds).
"""

import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, Domain, EpisodeData, HyperparamSet, RLOptimizer, render_report
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.running_normalisation import RunningNormalisation
from optix_core.simple_pipeline import SimplePipeline
from optix_core.weights_file import load_arrays, save_arrays

Floats = NDArray[np.floating[Any]]
Policy = tuple[Floats, Floats]
"""What a policy says of B observations: outputs [B, n_outputs] and the extra weights."""

HYPERPARAMS = {
    "learning_rate": 1e-3,
    "clip_ratio": 0.2,
    "entropy_coeff": 0.01,
    "one_minus_gamma": 0.01,
    "one_minus_lambda": 0.05,
}
DOMAINS = {
    "learning_rate": Domain(low=1e-6, high=1e-1, log=True, role="step_size"),
    "clip_ratio": Domain(low=0.02, high=0.5, log=True),
    "entropy_coeff": Domain(low=1e-5, high=0.1, log=True),
    # Horizons are 1 / (1 − γ): what matters is by which factor they change.
    "one_minus_gamma": Domain(low=1e-3, high=0.5, log=True),
    "one_minus_lambda": Domain(low=1e-3, high=0.5, log=True),
}
MAX_GRADIENT_NORM = 0.5


class Categorical:
    """One of K actions; the outputs [B, K] are logits."""

    n_extra = 0
    """Weights of its own, that no observation changes."""

    def __init__(self, n_actions: int) -> None:
        self.n_outputs = n_actions

    def sample(self, policy: Policy, rng: np.random.Generator) -> NDArray[Any]:
        """Draw actions [B] by the Gumbel-max trick: argmax(logits + noise) follows the softmax."""
        return (policy[0] + rng.gumbel(size=policy[0].shape)).argmax(axis=1)

    def greedy(self, outputs: Floats) -> NDArray[Any]:
        """Actions [B] held best."""
        return outputs.argmax(axis=1)

    def distribution(self, policy: Policy) -> Floats:
        """Probabilities [B, K]."""
        return np.exp(_log_softmax(policy[0]))

    def log_probability(self, policy: Policy, actions: NDArray[Any]) -> Floats:
        """Log-probability [B] of actions, up to a term that no weight changes."""
        return _log_softmax(policy[0])[np.arange(len(actions)), actions]

    def slopes(self, policy: Policy, actions: NDArray[Any], pull: Floats, entropy: float) -> Policy:
        """Gradient of Σ pull · log-probability + entropy · Σ entropies, in outputs and extra."""
        logs = _log_softmax(policy[0])
        probabilities = np.exp(logs)
        spread = -(probabilities * logs).sum(axis=1, keepdims=True)
        slope = -probabilities * (pull[:, np.newaxis] + entropy * (logs + spread))
        slope[np.arange(len(actions)), actions] += pull
        return slope, policy[1]

    def divergence(self, old: Policy, new: Policy) -> float:
        """Mean KL divergence of the old policy from the new."""
        before, after = _log_softmax(old[0]), _log_softmax(new[0])
        return float((np.exp(before) * (before - after)).sum(axis=1).mean())


class SquashedGaussian:
    """Real actions within bounds: centre + half · tanh(z), z normal round the outputs [B, A].

    The logarithms of the standard deviations are extra weights. Likelihoods, entropies and
    divergences are those of z: tanh changes them by what no weight changes, or not at all.
    """

    def __init__(self, low: NDArray[Any], high: NDArray[Any]) -> None:
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise ValueError(f"bounds must be finite, got low={low}, high={high}")
        self._centre = (np.asarray(high, np.float64) + low) / 2
        self._half = (np.asarray(high, np.float64) - low) / 2
        self.n_outputs = self.n_extra = self._half.size

    def sample(self, policy: Policy, rng: np.random.Generator) -> NDArray[Any]:
        mean, log_std = policy
        return self.greedy(mean + np.exp(log_std) * rng.standard_normal(mean.shape))

    def greedy(self, outputs: Floats) -> NDArray[Any]:
        squashed = np.tanh(outputs).reshape(-1, *self._half.shape)
        return (self._centre + self._half * squashed).astype(np.float32)

    def distribution(self, policy: Policy) -> tuple[Floats, Floats]:
        """Action held best and, to first order, the spread round it."""
        bend = (1 - np.tanh(policy[0]) ** 2) * np.exp(policy[1])
        return self.greedy(policy[0]), self._half * bend.reshape(-1, *self._half.shape)

    def log_probability(self, policy: Policy, actions: NDArray[Any]) -> Floats:
        z = (self._unsquash(actions) - policy[0]) * np.exp(-policy[1])
        return -(0.5 * z * z + policy[1]).sum(axis=1)

    def slopes(self, policy: Policy, actions: NDArray[Any], pull: Floats, entropy: float) -> Policy:
        z = (self._unsquash(actions) - policy[0]) * np.exp(-policy[1])
        pulls = pull[:, np.newaxis]
        return pulls * z * np.exp(-policy[1]), (pulls * (z * z - 1) + entropy).sum(axis=0)

    def divergence(self, old: Policy, new: Policy) -> float:
        (before, log_before), (after, log_after) = old, new
        squares = np.exp(2 * log_before) + (before - after) ** 2
        each = log_after - log_before + 0.5 * squares * np.exp(-2 * log_after) - 0.5
        return float(each.sum(axis=1).mean())

    def _unsquash(self, actions: NDArray[Any]) -> Floats:
        """Turn actions back to z; those on a bound are taken to lie a little inside."""
        inside = np.clip((actions - self._centre) / self._half, -1 + 1e-6, 1 - 1e-6)
        return np.arctanh(inside.reshape(len(actions), -1)).astype(np.float32)


class Tower:
    """Tanh layers and a linear one: x ↦ tanh(x · kernel + bias), ... whose weights are views.

    Weights and gradients of everything that is learned lie in one vector each, so that Adam and
    the weights file need not know what they are made of.
    """

    def __init__(self, sizes: Sequence[int], weights: Floats, gradients: Floats) -> None:
        self._layers = _layer_views(sizes, weights)
        self._gradients = _layer_views(sizes, gradients)

    def draw(self, rng: np.random.Generator, last_gain: float) -> None:
        """Draw kernels that keep the scale of what they are given; the biases are 0."""
        for kernel, _ in self._layers:
            gain = last_gain if kernel is self._layers[-1][0] else 1.0
            kernel[...] = gain / np.sqrt(len(kernel)) * rng.standard_normal(kernel.shape)

    def forward(self, inputs: Floats) -> list[Floats]:
        """Values of every layer for inputs [B, n]: the inputs first, the outputs last."""
        values = [inputs]
        for kernel, bias in self._layers[:-1]:
            hidden = values[-1] @ kernel
            hidden += bias
            values.append(np.tanh(hidden, out=hidden))
        kernel, bias = self._layers[-1]
        values.append(values[-1] @ kernel + bias)
        return values

    def backward(self, values: Sequence[Floats], slope: Floats) -> None:
        """Write gradients, given the slope of the loss in the outputs [B, n_outputs]."""
        for i in reversed(range(len(self._layers))):
            kernel_gradient, bias_gradient = self._gradients[i]
            np.matmul(values[i].T, slope, out=kernel_gradient)
            np.add.reduce(slope, axis=0, out=bias_gradient)
            if i:
                slope = (slope @ self._layers[i][0].T) * (1 - values[i] * values[i])


class Adam:
    """Kingma and Ba, 2015."""

    def __init__(self, weights: Floats) -> None:
        self._weights = weights
        self._mean = np.zeros_like(weights)
        self._square = np.zeros_like(weights)
        self._steps = np.zeros((), np.int64)

    def step(self, gradients: Floats, step_size: float) -> None:
        """Go one step down."""
        self._steps += 1
        self._mean += 0.1 * (gradients - self._mean)
        self._square += 0.001 * (gradients * gradients - self._square)
        steps = int(self._steps)
        scale = step_size * np.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        self._weights -= float(scale) * self._mean / (np.sqrt(self._square) + 1e-8)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Its arrays, not copied."""
        return {"mean": self._mean, "square": self._square, "steps": self._steps}


class NumpyPPO(BaseAgent):
    """PPO (Schulman et al., 2017) on vectors of numbers, normalised like the value targets."""

    def __init__(
        self,
        n_inputs: int,
        head: Categorical | SquashedGaussian,
        hyperparams: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        hidden: tuple[int, ...] = (64, 64),
        n_epochs: int = 8,
        minibatch: int = 128,
    ) -> None:
        """Make an agent for observations of `n_inputs` numbers and the actions of `head`."""
        self._rng = np.random.default_rng(seed)
        self._head, self._n_epochs, self._minibatch = head, n_epochs, minibatch
        self._hyperparams = HyperparamSet({**HYPERPARAMS, **(hyperparams or {})})
        policy, value = (n_inputs, *hidden, head.n_outputs), (n_inputs, *hidden, 1)
        cuts = [n_weights(policy), n_weights(policy) + n_weights(value)]
        self._weights = np.zeros(cuts[-1] + head.n_extra, np.float32)
        self._gradients = np.zeros_like(self._weights)
        weights, gradients = np.split(self._weights, cuts), np.split(self._gradients, cuts)
        self._policy = Tower(policy, weights[0], gradients[0])
        self._value = Tower(value, weights[1], gradients[1])
        self._extra, self._extra_gradient = weights[2], gradients[2]
        self._policy.draw(self._rng, last_gain=0.01)
        self._value.draw(self._rng, last_gain=1.0)
        self._extra[...] = -0.5
        self._adam = Adam(self._weights)
        self._observed = RunningNormalisation((n_inputs,))
        self._returns = RunningNormalisation(())
        self._statistics = {"observed": self._observed, "returns": self._returns}

    def act(self, observation: Any) -> Any:
        return _one(self.act_batch(np.asarray(observation)[np.newaxis]))

    def act_batch(self, observations: NDArray[Any]) -> Any:
        return self._head.sample(self._says(observations), self._rng)

    def act_greedy(self, observation: Any) -> Any:
        return _one(self.act_greedy_batch(np.asarray(observation)[np.newaxis]))

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        return self._head.greedy(self._says(observations)[0])

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        return self._head.distribution(self._says(observations))

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Make some passes over the window in shuffled minibatches."""
        rows = slice(None) if episode_data.valid is None else episode_data.valid.ravel()
        lead = episode_data.rewards.ndim  # time, and environments where there are several
        seen, actions = (
            column.reshape(-1, *column.shape[lead:])[rows]
            for column in (episode_data.observations, episode_data.actions)
        )
        advantages, targets = (each.ravel()[rows] for each in self._advantages(episode_data))
        if not np.isfinite(advantages).all():
            return {"update_skipped": 1.0}
        before = self._says(seen)[0], self._extra.copy()
        self._observed.update(seen)
        self._returns.update(targets)
        batch = (
            self._inputs(seen),
            actions,
            self._head.log_probability(before, actions),
            ((advantages - advantages.mean()) / (advantages.std() + 1e-8)).astype(np.float32),
            self._returns.normalise(targets.astype(np.float32)),
        )
        for _ in range(self._n_epochs):
            order = self._rng.permutation(len(seen))
            for low in range(0, len(order), self._minibatch):
                self._update([column[order[low : low + self._minibatch]] for column in batch])
        return {"kl": self._head.divergence(before, self._says(seen))}

    def _update(self, minibatch: Sequence[NDArray[Any]]) -> None:
        """Go one step down the clipped objective."""
        inputs, actions, old_log, advantages, targets = minibatch
        params, scale = self._hyperparams.params, 1.0 / len(inputs)
        layers = self._policy.forward(inputs)
        policy = layers[-1], self._extra
        ratio = np.exp(np.minimum(self._head.log_probability(policy, actions) - old_log, 20.0))
        # Where the ratio has gone far enough, the objective is flat.
        room = params["clip_ratio"] - np.sign(advantages) * (ratio - 1)
        pull = advantages * ratio * (room > 0)
        slope, extra_slope = self._head.slopes(policy, actions, pull, params["entropy_coeff"])
        self._policy.backward(layers, -scale * slope)
        self._extra_gradient[...] = -scale * extra_slope
        values = self._value.forward(inputs)
        self._value.backward(values, scale * (values[-1] - targets[:, np.newaxis]))
        norm = float(np.sqrt(self._gradients @ self._gradients))
        if np.isfinite(norm):
            self._gradients *= min(1.0, MAX_GRADIENT_NORM / (norm + 1e-8))
            self._adam.step(self._gradients, params["learning_rate"])
            np.clip(self._extra, -5.0, 2.0, out=self._extra)

    def _advantages(self, window: EpisodeData) -> tuple[Floats, Floats]:
        """Generalised advantages and value targets, [T, N]: Aₜ = δₜ + γλ Aₜ₊₁ within an episode.

        δₜ = rₜ + γ V(sₜ₊₁) − V(sₜ), where V is 0 behind a termination, not behind a truncation.
        """
        params = self._hyperparams.params
        gamma = 1 - params["one_minus_gamma"]
        decay = gamma * (1 - params["one_minus_lambda"])
        rewards = window.rewards.reshape(len(window.rewards), -1)
        values = self._values(window.observations, window).reshape(rewards.shape)
        following = self._values(window.next_observations, window).reshape(rewards.shape)
        going_on = ~window.terminated.reshape(rewards.shape)
        deltas = rewards + gamma * np.where(going_on, following, 0.0) - values
        decays = np.where(window.dones.reshape(rewards.shape), 0.0, decay)
        advantages = np.empty_like(deltas)
        reached = np.zeros(rewards.shape[1])
        for t in reversed(range(len(deltas))):
            reached = deltas[t] + decays[t] * reached
            advantages[t] = reached
        return advantages, advantages + values

    def _values(self, observations: NDArray[Any], window: EpisodeData) -> Floats:
        inputs = self._inputs(observations.reshape(window.rewards.size, -1))
        scale = np.sqrt(self._returns.variance)
        return self._value.forward(inputs)[-1].astype(np.float64) * scale + self._returns.mean

    def _inputs(self, observations: NDArray[Any]) -> Floats:
        return self._observed.normalise(observations).astype(np.float32)

    def _says(self, observations: NDArray[Any]) -> Policy:
        return self._policy.forward(self._inputs(observations))[-1], self._extra

    def get_hyperparams(self) -> HyperparamSet:
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._hyperparams = hp.copy()

    def hyperparam_space(self) -> Mapping[str, Domain]:
        return DOMAINS

    def save_weights(self, path: str) -> None:
        save_arrays(path, self._arrays())

    def load_weights(self, path: str) -> None:
        mine, stored = self._arrays(), load_arrays(path, self._arrays())
        for name in ("weights", "adam/mean", "adam/square", "adam/steps"):
            np.copyto(mine[name], stored[name])
        for name, held in self._statistics.items():
            held.load_state_dict({part: stored[f"{name}/{part}"] for part in held.state_dict()})

    def state_dict(self) -> dict[str, Any]:
        return {"rng": generator_state(self._rng)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._rng = generator_from_state(state["rng"])

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that `learn` changes; those of weights and Adam are no copies."""
        parts = {"adam": self._adam, **self._statistics}
        arrays = {
            f"{name}/{part}": array
            for name, holder in parts.items()
            for part, array in holder.state_dict().items()
        }
        return {"weights": self._weights, **arrays}


def n_weights(sizes: Sequence[int]) -> int:
    """Numbers that a tower of these widths has."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))


def _layer_views(sizes: Sequence[int], flat: Floats) -> list[tuple[Floats, Floats]]:
    """Kernels [n_in, n_out] and biases [n_out] that lie one behind the other in a vector."""
    views: list[tuple[Floats, Floats]] = []
    for n_in, n_out in pairwise(sizes):
        kernel, bias, flat = np.split(flat, [n_in * n_out, (n_in + 1) * n_out])
        views.append((kernel.reshape(n_in, n_out), bias))
    return views


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _one(actions: NDArray[Any]) -> Any:
    return int(actions[0]) if actions.dtype.kind == "i" else actions[0]


def main() -> None:
    """Learn CartPole until nothing improves any more, and print the report."""
    import gymnasium  # noqa: PLC0415 - the agent does without

    agent = NumpyPPO(4, Categorical(2), seed=0)
    with tempfile.TemporaryDirectory() as directory:
        report = RLOptimizer(
            agent,
            SimplePipeline(gymnasium.make("CartPole-v1"), window_size=1024),
            val_pipeline=SimplePipeline(gymnasium.make("CartPole-v1"), window_size=2048),
            checkpoint_dir=directory,
            max_episodes=30,
            seed=0,
        ).run()
    print(render_report(report))


if __name__ == "__main__":
    main()
