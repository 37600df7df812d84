"""Keras agents of one structure run as one, as `Stackable` asks for."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ContractViolationError
from optix_core.stacked_network import StackedNetwork
from optix_tf.action_head import ActionHead
from optix_tf.mirror_layers import Float32Array
from optix_tf.network import Network
from optix_tf.observation_encoding import OneHotEncoding
from optix_tf.observation_inputs import ObservationInputs
from optix_tf.stack_key import model_key
from optix_tf.stack_layers import network_of
from optix_tf.stack_models import StackedModels, best_of_rungs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StackParts:
    """What an agent's policy is made of: observation → inputs → network → head → action."""

    inputs: ObservationInputs
    network: Network
    head: ActionHead
    generator: Callable[[], np.random.Generator]
    """Gives what the agent draws its actions with; loading a state replaces it."""


class HasStackParts(Protocol):
    """A Keras agent that can be taken apart."""

    def stack_parts(self) -> StackParts:
        """Return the parts of the policy; they stay the same objects."""
        ...


def stack_key_of(parts: StackParts) -> Hashable:
    """Equal for policies that differ in weights and statistics alone.

    A plain stack of layers is described by what it computes; any other model by its own
    configuration without names, and by the shapes of its variables.
    """
    own = _plain_network(parts)
    model = model_key(parts.network.model) if own is None else own.structure
    return (
        parts.network.input_shape,
        _encoding_key(parts.inputs),
        parts.inputs.scaling is not None,
        type(parts.head),
        parts.head.structure,
        model,
    )


def stack_agents(members: Sequence[HasStackParts]) -> "KerasStack":
    """Run agents as one, by the quickest way that gives their own outputs.

    Plain stacks of layers run in NumPy (`RunsAsNetwork`); other models as one compiled function.

    Raises:
        ContractViolationError: if agents differ in structure, have not acted yet, or have no way
            to run together.
    """
    parts = [member.stack_parts() for member in members]
    if not all(part.network.is_ready for part in parts):
        raise ContractViolationError("a member has no weights yet; let each act once before")
    keys = {stack_key_of(part) for part in parts}
    if len(keys) > 1:
        raise ContractViolationError(f"members have {len(keys)} structures, one is needed")
    own = [_plain_network(part) for part in parts]
    networks = [network for network in own if network is not None]
    if len(networks) == len(parts):
        return KerasStack(parts, StackedNetwork.of(networks))
    return KerasStack(parts, _stacked_models(parts))


@final
class KerasStack:
    """Several Keras agents' policies as one; made by `stack_agents`.

    `forward` gives the policy outputs, which the agents' heads make actions and distributions of.
    """

    def __init__(
        self, parts: Sequence[StackParts], policies: StackedNetwork | StackedModels
    ) -> None:
        """Run the agents with these parts through these policies."""
        self._parts = list(parts)
        self._policies = policies
        self._first = self._parts[0]

    @property
    def network(self) -> StackedNetwork | None:
        """The members' networks, normalisation included; None if they run in TensorFlow."""
        return self._policies if isinstance(self._policies, StackedNetwork) else None

    def network_inputs(self, observations: NDArray[Any]) -> Float32Array:
        """Encode observations [B, ...], the same for all members, as flat vectors."""
        encoded = self._first.inputs.encode(np.asarray(observations))
        return np.asarray(encoded, np.float32).reshape(len(encoded), -1)

    def forward(self, observations: NDArray[Any]) -> Float32Array:
        """Policy outputs [M, B, P] for observations [B, ...]; the next call may overwrite them."""
        if isinstance(self._policies, StackedNetwork):
            return self._policies.forward(self.network_inputs(observations))
        inputs = [part.inputs for part in self._parts]
        return self._policies.run(_model_batch(self._first.network, inputs, observations))

    def refresh(self, index: int, member: HasStackParts) -> None:
        """Copy the weights of one member again.

        Raises:
            ContractViolationError: if its structure changed.
        """
        parts = self._parts[index] = member.stack_parts()
        if not isinstance(self._policies, StackedNetwork):
            self._policies.refresh(index, parts.network.model)
            return
        network = _plain_network(parts)
        if network is None:
            raise ContractViolationError(f"member {index} is no plain stack of layers any more")
        self._policies.put(index, network)

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Actions held best [M, B, ...] for policy outputs [M, B, P]."""
        flat = self._first.head.greedy(outputs.reshape(-1, outputs.shape[-1]))
        return flat.reshape(*outputs.shape[:2], *flat.shape[1:])

    def sample(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Draw actions [M, B, ...] with each member's own head and generator."""
        return np.stack(
            self._each(lambda part, rows: part.head.sample(rows, part.generator()), outputs)
        )

    def distribution(self, outputs: NDArray[Any]) -> Any:
        """Probabilities [M, B, K], or (mean, std), of every member."""
        if not self._first.head.acts_by_outputs_alone:
            pairs = self._each(lambda part, rows: part.head.distribution(rows), outputs)
            return tuple(np.stack(half) for half in zip(*pairs, strict=True))
        flat = self._first.head.distribution(outputs.reshape(-1, outputs.shape[-1]))
        if isinstance(flat, tuple):
            mean, deviation = cast("tuple[NDArray[Any], NDArray[Any]]", flat)
            shape = *outputs.shape[:2], mean.shape[-1]
            return mean.reshape(shape), deviation.reshape(shape)
        return flat.reshape(outputs.shape)

    def _each(
        self, act: Callable[[StackParts, NDArray[Any]], Any], outputs: NDArray[Any]
    ) -> list[Any]:
        return [act(part, rows) for part, rows in zip(self._parts, outputs, strict=True)]


def _stacked_models(parts: Sequence[StackParts]) -> StackedModels:
    network = parts[0].network
    has_own = parts[0].inputs.scaling is not None
    shape = network.input_shape
    wave = np.sin(np.arange(3 * int(np.prod(shape)), dtype=np.float32)).reshape(3, *shape)
    # These are inputs of the model already, so that they need no encoding.
    probe = network.as_batch(wave)
    if has_own:
        probe = np.stack([probe] * len(parts))
    return best_of_rungs([part.network.model for part in parts], probe, own=has_own)


def _model_batch(
    network: Network, inputs: Sequence[ObservationInputs], observations: NDArray[Any]
) -> NDArray[Any]:
    """The models' inputs: [B, ...] for all, or [M, B, ...] where each normalises by its own."""
    encoded = inputs[0].encode(np.asarray(observations))
    if inputs[0].scaling is None:
        return network.as_batch(encoded)
    return np.stack([network.as_batch(each.normalise(encoded)) for each in inputs])


def _plain_network(parts: StackParts) -> StackedNetwork | None:
    if not parts.network.is_mirrored:
        return None
    return network_of(parts.network.model, parts.inputs, parts.network.input_shape)


def _encoding_key(inputs: ObservationInputs) -> Hashable:
    encoding = inputs.encoding
    if isinstance(encoding, OneHotEncoding):
        return encoding.sizes.tobytes(), encoding.starts.tobytes(), encoding.shape
    return encoding
