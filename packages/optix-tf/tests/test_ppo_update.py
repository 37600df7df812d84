"""How a window's rows are dealt out, and that padding is never seen."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from optix_tf._tensorflow import keras
from optix_tf.categorical_head import CategoricalHead
from optix_tf.ppo_settings import PPOSettings
from optix_tf.ppo_update import PPOBatch, PPOUpdate, shuffled_minibatches

from . import models


@given(st.integers(1, 60), st.integers(0, 20), st.integers(1, 25), st.integers(1, 3))
def test_each_epoch_deals_out_every_row_once(
    rows: int, more: int, minibatch: int, epochs: int
) -> None:
    settings = PPOSettings(minibatch_size=minibatch, n_epochs=epochs)
    indices, weights, n_updates = shuffled_minibatches(
        rows, rows + more, settings=settings, rng=np.random.default_rng(0)
    )
    per_epoch = n_updates // epochs
    assert per_epoch * epochs == n_updates <= len(indices)
    for epoch in range(epochs):
        part = slice(epoch * per_epoch, (epoch + 1) * per_epoch)
        dealt = indices[part][weights[part] == 1.0]
        assert sorted(dealt.tolist()) == list(range(rows))
        sizes = weights[part].sum(axis=1)
        assert sizes.max() - sizes.min() <= 1
    assert weights[n_updates:].sum() == 0


def test_padding_changes_nothing() -> None:
    def learn(capacity: int) -> tuple[dict[str, float], list[np.ndarray]]:
        rng = np.random.default_rng(0)
        model = models.two_headed(0)
        optimizer = keras.optimizers.Adam(1e-2)
        optimizer.build(model.trainable_variables)
        update = PPOUpdate(
            model,
            CategoricalHead(3),
            optimizer,
            variables=model.trainable_variables,
            jit_compile=False,
        )
        inputs = rng.standard_normal((30, 4)).astype(np.float32)
        batch = PPOBatch(
            behaviour_inputs=inputs,
            inputs=inputs,
            actions=rng.integers(0, 3, (30, 1)).astype(np.int32),
            advantages=rng.standard_normal(30).astype(np.float32),
            value_targets=rng.standard_normal(30).astype(np.float32),
            capacity=capacity,
        )
        settings = PPOSettings(minibatch_size=10, n_epochs=3)
        diagnostics = update(batch, settings, np.random.default_rng(1))
        return diagnostics, [variable.numpy() for variable in model.trainable_variables]

    plain, padded = learn(30), learn(47)
    assert plain[0].keys() == padded[0].keys()
    for name, value in plain[0].items():
        assert_allclose(padded[0][name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    for one, other in zip(plain[1], padded[1], strict=True):
        assert_allclose(one, other, atol=1e-6)
