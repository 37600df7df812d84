"""A copy of a network's weights that follows them slowly."""

from collections.abc import Mapping
from typing import Any, final

from optix_tf._tensorflow import Model, Tensor, keras
from optix_tf.network import heads_of


@final
class TargetNetwork:
    """Runs a model with weights of its own: θ' ← θ' + τ (θ − θ') at each `follow`."""

    def __init__(self, model: Model, name: str) -> None:
        """Copy the weights of a model that has them; what it does not train is shared with it."""
        self._model = model
        self._weights = [
            keras.Variable(variable.numpy(), trainable=False, name=f"{name}_{i:03d}")
            for i, variable in enumerate(model.trainable_variables)
        ]

    @property
    def variables(self) -> Mapping[str, Any]:
        """The weights by name."""
        return {variable.name: variable for variable in self._weights}

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the model's first output [B, ...] at inference."""
        outputs, _ = self._model.stateless_call(
            [variable.value for variable in self._weights],
            [variable.value for variable in self._model.non_trainable_variables],
            inputs,
            training=False,
        )
        return heads_of(outputs)[0]

    def follow(self, tau: Tensor) -> None:
        """Move towards the model's weights, inside a compiled function."""
        for own, online in zip(self._weights, self._model.trainable_variables, strict=True):
            own.assign(own.value + tau * (online.value - own.value))
