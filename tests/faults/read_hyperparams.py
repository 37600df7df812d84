"""Run as a module with a directory: tells the best policy's hyperparameters with types."""

import json
import sys

from optix_core.checkpoint_registry import CheckpointRegistry

from .registry_scene import WeightAgent

if __name__ == "__main__":
    agent = WeightAgent()
    assert CheckpointRegistry(sys.argv[1]).load_best(agent) is not None
    params = agent.get_hyperparams().params
    sys.stdout.write(json.dumps([f"{type(value).__name__} {value!r}" for value in params.values()]))
