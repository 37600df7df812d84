"""Independent seeds of one: weights and actions do not share a stream."""

import numpy as np


def seed_children(
    seed: int | np.random.SeedSequence | None, n: int
) -> tuple[np.random.SeedSequence, ...]:
    """Return the first n children of a seed; always the same ones, however often it is asked."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return tuple(
        np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, child))
        for child in range(n)
    )
