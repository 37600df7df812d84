"""TensorFlow on one thread: results that repeat, and a quiet machine."""

from collections.abc import Iterator

import pytest

from optix_tf._tensorflow import tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


@pytest.fixture
def op_by_op() -> Iterator[None]:
    """Run compiled functions uncompiled: for a few steps of a tiny network that is quicker."""
    tf.config.run_functions_eagerly(run_eagerly=True)
    yield
    tf.config.run_functions_eagerly(run_eagerly=False)
