"""Keras agents and evaluators for Optix. Parts that need TensorFlow load it at first use."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from optix_tf.tf_evaluator import TFEvaluator

if TYPE_CHECKING:
    from optix_tf.dqn_agent import DQNAgent
    from optix_tf.ppo_agent import PPOAgent
    from optix_tf.sac_agent import SACAgent
    from optix_tf.td3_agent import TD3Agent
    from optix_tf.tf_agent import TFAgent

__version__ = version("optix-tf")

__all__ = ["DQNAgent", "PPOAgent", "SACAgent", "TD3Agent", "TFAgent", "TFEvaluator"]

_LAZY = {
    "DQNAgent": "optix_tf.dqn_agent",
    "PPOAgent": "optix_tf.ppo_agent",
    "SACAgent": "optix_tf.sac_agent",
    "TD3Agent": "optix_tf.td3_agent",
    "TFAgent": "optix_tf.tf_agent",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
