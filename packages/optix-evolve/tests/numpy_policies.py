"""Members in NumPy: networks that can be stacked, some that lie about it, some that cannot."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, EpisodeData, HyperparamSet
from optix_core.errors import ContractViolationError
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.network_steps import Activation
from optix_evolve.stacked_mlp import DenseLayer, StackedMLP


class Member(BaseAgent):
    """An agent with nothing to learn."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return {}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        del hp

    def save_weights(self, path: str) -> None:
        del path

    def load_weights(self, path: str) -> None:
        del path


class Walker(Member):
    """A deterministic network with real actions, which counts how it is asked."""

    def __init__(
        self, sizes: Sequence[int] = (3, 8, 2), seed: int = 0, dtype: Any = np.float32
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self.calls = 0
        self.sizes = tuple(sizes)
        self.dtype = dtype
        self.version = 0
        self.layers = self.draw()

    def draw(self) -> list[DenseLayer]:
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        return [
            DenseLayer(
                kernel=self._rng.normal(size=(n, m)).astype(self.dtype),
                bias=self._rng.normal(size=m).astype(self.dtype),
                activation=Activation.LINEAR if i == len(pairs) - 1 else Activation.TANH,
            )
            for i, (n, m) in enumerate(pairs)
        ]

    def change(self) -> None:
        self.layers = self.draw()
        self.version += 1

    def act(self, observation: Any) -> Any:
        return self.act_batch(np.asarray(observation)[np.newaxis])[0]

    def act_batch(self, observations: NDArray[Any]) -> Any:
        self.calls += 1
        return self.outputs(observations)

    def outputs(self, observations: NDArray[Any]) -> NDArray[Any]:
        x = observations.astype(self.dtype)
        for layer in self.layers:
            x = x @ layer.kernel + layer.bias
            x = np.tanh(x) if layer.activation is Activation.TANH else x
        return x

    @property
    def weights_version(self) -> int:
        return self.version

    def stack_key(self) -> Hashable:
        return self.sizes, self.dtype

    def stack(self, members: Sequence[Any]) -> Any:
        return StackedMLP(members, lambda walker: walker.layers)


class LyingStack:
    """A stack whose outputs are off by a little."""

    def __init__(self, members: Sequence[Walker], error: float) -> None:
        self._honest = StackedMLP(members, lambda walker: walker.layers)
        self._error = error

    def forward(self, observations: NDArray[Any]) -> NDArray[Any]:
        return self._honest.forward(observations) + self._error

    def refresh(self, index: int, member: Any) -> None:
        self._honest.refresh(index, member)


class Liar(Walker):
    """Stacks to something that answers `error` too much."""

    def __init__(self, seed: int = 0, error: float = 1e-2) -> None:
        super().__init__(seed=seed)
        self.error = error

    def stack(self, members: Sequence[Any]) -> Any:
        return LyingStack(members, self.error)


class Refuser(Walker):
    """Declines to be stacked, or raises what it was given."""

    refusal: Exception = ContractViolationError("not today")

    def stack(self, members: Sequence[Any]) -> Any:
        raise self.refusal


class Overrider(Walker):
    """Overrides `act` alone, so that its inherited fast paths are not its own."""

    def act(self, observation: Any) -> Any:
        return np.asarray(observation)[:2] * np.float32(2.0)


class Chooser(Walker):
    """Draws one of two actions from softmax(outputs) with a generator of its own."""

    def __init__(self, sizes: Sequence[int] = (3, 8, 2), seed: int = 0) -> None:
        super().__init__(sizes, seed)
        self.rng = np.random.default_rng(seed + 1000)

    def act_batch(self, observations: NDArray[Any]) -> Any:
        self.calls += 1
        return draw(probabilities_of(self.outputs(observations)), self.rng)

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        self.calls += 1
        return self.outputs(observations).argmax(axis=-1)

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        self.calls += 1
        return probabilities_of(self.outputs(observations))

    def state_dict(self) -> dict[str, Any]:
        return {"rng": generator_state(self.rng)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng = generator_from_state(state["rng"])

    def stack(self, members: Sequence[Any]) -> Any:
        return StackedChoosers(members)


class StackedChoosers:
    """A stack that has its members' outputs read as logits."""

    def __init__(self, members: Sequence["Chooser"]) -> None:
        self._members = list(members)
        self._networks = StackedMLP(members, lambda walker: walker.layers)

    def forward(self, observations: NDArray[Any]) -> NDArray[Any]:
        return self._networks.forward(observations)

    def refresh(self, index: int, member: Any) -> None:
        self._networks.refresh(index, member)

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs.argmax(axis=-1)

    def sample(self, outputs: NDArray[Any]) -> NDArray[Any]:
        rows = zip(self._members, outputs, strict=True)
        return np.stack([draw(probabilities_of(row), member.rng) for member, row in rows])

    def distribution(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return probabilities_of(outputs)


class Forgetful(Chooser):
    """Acts greedily in another way than its inherited stack believes."""

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        return 1 - super().act_greedy_batch(observations)


class GaussianWalker(Walker):
    """Offers mean and deviation."""

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        mean = self.outputs(observations)
        return mean, np.full_like(mean, 0.5)


def probabilities_of(logits: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def draw(probabilities: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    return (rng.random(len(probabilities)) < probabilities[:, 1]).astype(np.int64)
