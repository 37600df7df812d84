"""An agent from any Keras model: the REINFORCE baseline, and the base for agents of your own."""

import functools
import math
import numbers
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, Domain, EpisodeData, HyperparamSet
from optix_core.errors import CheckpointError, HyperparamError
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.weights_file import load_arrays, save_arrays
from optix_tf._tensorflow import Model, Optimizer
from optix_tf.categorical_head import CategoricalHead
from optix_tf.network import Network
from optix_tf.observation_inputs import ObservationInputs
from optix_tf.reinforce_update import ReinforceUpdate
from optix_tf.returns import discounted_returns
from optix_tf.sampling import log_softmax, sample_index, sample_indices
from optix_tf.stack import KerasStack, StackParts, stack_agents, stack_key_of
from optix_tf.variable_arrays import arrays_of, assign_arrays, shapes_of, variables_of
from optix_tf.window_rows import by_environment, discrete_actions, mean_kl, valid_rows

_INPUT_SHAPE = "agent/input_shape"
_MEMORY = 0.9
"""Share that the running mean of returns keeps at each window."""


class TFAgent(BaseAgent):
    """Plays discrete actions from softmax(logits) of a Keras model and learns by REINFORCE.

    The model's first output (of a list, tuple or dict the first entry) is the logits [B, K]; other
    outputs are yours. Two hyperparameters have a meaning here: `learning_rate`, put into the
    optimizer whenever hyperparameters are set, construction included, and `gamma` (0.99 where it
    is not given). Others are kept for subclasses.

    **The return of a row** is r + γ·(return of the next row), never across an episode's end nor
    from another environment. Behind a termination comes 0; behind a truncation and behind the
    window's last row, where the window does not show what follows, comes the mean return of the
    windows before (0 in the first). Rows that are no steps (`valid`) are left out. Returns are
    standardised over the window, which is the baseline.

    **Acting** does not enter TensorFlow where the model is a plain stack: its weights are mirrored
    in NumPy, and copied again after `learn` and `load_weights`, those of subclasses included. Code
    that writes into the model elsewhere calls `refresh()` afterwards. A subclass that overrides
    `act` alone is played by that `act` everywhere.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        hyperparams: HyperparamSet,
        *,
        seed: int | np.random.SeedSequence | None = None,
    ) -> None:
        """Make an agent.

        Args:
            model: any Keras model; one without weights yet gets them at the first observation.
            optimizer: any Keras optimizer.
            hyperparams: in force at once, as by `set_hyperparams`.
            seed: of the agent's own generator, the only randomness in `act`; None for a fresh one.
        """
        self.model = model
        self.optimizer = optimizer
        self._network = Network(model)
        self._weights_version = 0
        self._rng = np.random.default_rng(seed)
        self._update: ReinforceUpdate | None = None
        self._typical_return = 0.0
        self._gamma = 0.99
        self._hyperparams = HyperparamSet()
        if model.built and model.variables:
            self._build_optimizer()
        self.set_hyperparams(hyperparams)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have the mirror of the weights renewed after a subclass's own `learn` and loading."""
        super().__init_subclass__(**kwargs)
        for name in ("learn", "load_weights"):
            method = vars(cls).get(name)
            if method is not None:
                setattr(cls, name, _refreshing(method))

    def refresh(self) -> None:
        """Have the next `act` see the model's present weights; see the class's docstring."""
        self._network.mark_stale()
        self._weights_version += 1

    @property
    def weights_version(self) -> int:
        """Rises with every `refresh`: whoever keeps a copy of the weights copies them again."""
        return self._weights_version

    def stack_key(self) -> Hashable:
        """Equal for agents that can act as one; known once the agent has acted."""
        return stack_key_of(self.stack_parts())

    def stack(self, members: Sequence["TFAgent"]) -> KerasStack:
        """Make one policy of agents of one structure.

        Raises:
            ContractViolationError: if they differ, have not acted yet, or have no joint form.
        """
        return stack_agents(members)

    def stack_parts(self) -> StackParts:
        """Return the parts of the policy; a subclass with others overrides this and `stack`."""
        return StackParts(
            inputs=ObservationInputs(None, normalise=False),
            network=self._network,
            head=CategoricalHead(),
            generator=lambda: self._rng,
        )

    def act(self, observation: Any) -> Any:
        """Draw an action from softmax(logits) of one observation."""
        return sample_index(self._network.one(observation), self._rng)

    def act_batch(self, observations: NDArray[Any]) -> Any:
        """Draw actions [B] for observations [B, ...]; the same draws as `act` one by one."""
        return sample_indices(self._network.head(0, observations), self._rng)

    def act_greedy(self, observation: Any) -> Any:
        """Return the most probable action; takes nothing from the generator."""
        return int(self._network.one(observation).argmax())

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        """Return the most probable actions [B] for observations [B, ...]."""
        return self._network.head(0, observations).argmax(axis=-1)

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        """Probabilities [B, K] of the actions that `act_batch` draws from."""
        return np.exp(log_softmax(self._network.head(0, observations)))

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Make one step of REINFORCE over the window, in one compiled function.

        Returns:
            `loss`, `entropy`, `kl` (mean KL divergence of the new policy from the old over the
            window's rows), `grad_norm`, `mean_return`, and `update_skipped`: 1 where the data or
            the gradient were not finite; then nothing was changed.
        """
        returns = self._returns(episode_data)
        targets = valid_rows(returns.reshape(episode_data.rewards.shape), episode_data)
        batch = self._network.as_batch(valid_rows(episode_data.observations, episode_data))
        if not (len(targets) and np.isfinite(targets).all() and np.isfinite(batch).all()):
            return {"update_skipped": 1.0}
        actions = discrete_actions(valid_rows(episode_data.actions, episode_data))
        mean = float(targets.mean())
        advantages = (targets - mean) / (float(targets.std()) + 1e-8)
        self._build_optimizer()
        before = log_softmax(self._network.head(0, batch))
        diagnostics = self._reinforce(batch, actions, advantages)
        self.refresh()
        after = log_softmax(self._network.head(0, batch))
        if not diagnostics["update_skipped"]:
            self._typical_return = _MEMORY * self._typical_return + (1.0 - _MEMORY) * mean
        return {**diagnostics, "kl": mean_kl(before, after), "mean_return": mean}

    def get_hyperparams(self) -> HyperparamSet:
        """Return a copy of the hyperparameters in force."""
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        """Put hyperparameters into force; `learning_rate` goes to the optimizer.

        Raises:
            HyperparamError: if `learning_rate` is no positive number, or `gamma` is outside [0, 1].
        """
        gamma = _number("gamma", hp.params.get("gamma", 0.99))
        if not 0.0 <= gamma <= 1.0:
            raise HyperparamError(f"gamma must lie in [0, 1], got {gamma}")
        if "learning_rate" in hp.params:
            self._set_learning_rate(_number("learning_rate", hp.params["learning_rate"]))
        self._gamma = gamma
        self._hyperparams = hp.copy()

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """Declare the learning rate, where there is one, as the step size."""
        rate = self._hyperparams.params.get("learning_rate")
        if rate is None:
            return {}
        low, high = min(1e-6, float(rate)), max(1e-2, float(rate))
        return {"learning_rate": Domain(low=low, high=high, log=True, role="step_size")}

    def save_weights(self, path: str) -> None:
        """Write weights, statistics, optimizer slots and counters to one safetensors file.

        Raises:
            CheckpointError: if the model has no weights yet.
        """
        save_arrays(path, arrays_of(self._variables()) | self._agent_arrays())

    def load_weights(self, path: str) -> None:
        """Read what `save_weights` wrote; the learning rate stays as the hyperparameters say.

        Raises:
            CheckpointError: if the file is of another architecture or optimizer; then nothing
                was changed.
        """
        arrays = load_arrays(path)
        own = {name: arrays.pop(name) for name in list(arrays) if name.startswith("agent/")}
        if _INPUT_SHAPE not in own:
            raise CheckpointError(f"{path} holds no agent of this package")
        self._network.build(tuple(int(n) for n in own[_INPUT_SHAPE]))
        if shapes_of(own) != shapes_of(self._agent_arrays()):
            raise CheckpointError(
                f"{path} was saved by another kind of agent: it holds {shapes_of(own)} where "
                f"{shapes_of(self._agent_arrays())} are needed"
            )
        assign_arrays(self._variables(), arrays)
        self._set_agent_arrays(own)
        self.refresh()

    def state_dict(self) -> dict[str, Any]:
        """Return what the weights file does not hold: the state of the generator."""
        return {"rng": generator_state(self._rng)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._rng = generator_from_state(state["rng"])

    def _variables(self) -> dict[str, Any]:
        """Every variable that a checkpoint holds, by name."""
        if not self._network.is_ready:
            self._build_from_inputs()
        self._build_optimizer()
        own = {**self._head_variables(), **self._fixed_variables()}
        return variables_of(self.model, self.optimizer) | own

    def _head_variables(self) -> dict[str, Any]:
        """Trainable variables beside the model's, by name; a subclass may have some."""
        return {}

    def _fixed_variables(self) -> Mapping[str, Any]:
        """Variables that a checkpoint holds and no optimizer trains; a subclass may have some."""
        return {}

    def _trainable_variables(self) -> list[Any]:
        return [*self.model.trainable_variables, *self._head_variables().values()]

    def _agent_arrays(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint holds beside the variables; names begin with `agent/`."""
        return {
            _INPUT_SHAPE: np.array(self._network.input_shape, dtype=np.int64),
            "agent/typical_return": np.array(self._typical_return),
        }

    def _set_agent_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._typical_return = float(arrays["agent/typical_return"])

    def _build_from_inputs(self) -> None:
        inputs = getattr(self.model, "inputs", None)
        if not inputs:
            raise CheckpointError(
                "the model has no weights yet; give it an Input, or let the agent act once"
            )
        self._network.build(tuple(inputs[0].shape[1:]))

    def _build_optimizer(self) -> None:
        if not self.optimizer.built:
            self.optimizer.build(self._trainable_variables())

    def _returns(self, window: EpisodeData) -> NDArray[np.float64]:
        return discounted_returns(
            by_environment(window.rewards),
            by_environment(window.terminated),
            by_environment(window.truncated),
            gamma=self._gamma,
            unknown=self._typical_return,
            valid=None if window.valid is None else by_environment(window.valid),
        )

    def _reinforce(
        self, batch: NDArray[Any], actions: NDArray[np.int32], advantages: NDArray[np.float64]
    ) -> dict[str, float]:
        if self._update is None:
            self._update = ReinforceUpdate(self.model, self.optimizer)
        return self._update(batch, actions, advantages)

    def _set_learning_rate(self, rate: float) -> None:
        if not 0.0 < rate < math.inf:
            raise HyperparamError(f"learning_rate must be a positive number, got {rate}")
        try:
            self.optimizer.learning_rate = rate
        except TypeError as error:
            raise HyperparamError(
                "the optimizer follows a schedule of its own; make it with a number, or leave "
                "learning_rate out of the hyperparameters"
            ) from error


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise HyperparamError(f"{name} must be a number, got {value!r}")
    return float(value)


def _refreshing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: TFAgent, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            self.refresh()

    return call
