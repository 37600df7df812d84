"""Policy evolution for Optix: ensembles, spawning, pruning, adaptive noise."""

from importlib.metadata import version

from optix_evolve.adaptive_noise import NoiseLimits, NoiseSignals, adaptive_noise
from optix_evolve.ensemble import Ensemble
from optix_evolve.ensemble_agent import EnsembleAgent
from optix_evolve.ensemble_policy import EnsemblePolicy
from optix_evolve.ensemble_selection import Selection, Trial, select_members
from optix_evolve.member_calls import Question
from optix_evolve.member_choice import choose_members
from optix_evolve.member_inference import MemberInference
from optix_evolve.meta_controller import DecisionRule, MetaAction, MetaController
from optix_evolve.policy_manager import PolicyManager
from optix_evolve.policy_manager_callback import PolicyManagerCallback
from optix_evolve.population import Lineage, Member, Population
from optix_evolve.regime_detector import RegimeDetector
from optix_evolve.stacked_mlp import DenseLayer, StackedMLP

__version__ = version("optix-evolve")

__all__ = [
    "DecisionRule",
    "DenseLayer",
    "Ensemble",
    "EnsembleAgent",
    "EnsemblePolicy",
    "Lineage",
    "Member",
    "MemberInference",
    "MetaAction",
    "MetaController",
    "NoiseLimits",
    "NoiseSignals",
    "PolicyManager",
    "PolicyManagerCallback",
    "Population",
    "Question",
    "RegimeDetector",
    "Selection",
    "StackedMLP",
    "Trial",
    "adaptive_noise",
    "choose_members",
    "select_members",
]
