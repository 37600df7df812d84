"""What implementers test with: contract suites to inherit, and fakes that do as they are told."""

from optix_core.testing.agent_contract import AgentContract
from optix_core.testing.evaluator_contract import EvaluatorContract
from optix_core.testing.fake_agent import FakeAgent, FakeGreedyAgent, FakeStatefulAgent
from optix_core.testing.fake_clock import FakeClock
from optix_core.testing.pipeline_contract import PipelineContract
from optix_core.testing.scripted_pipeline import ScriptedPipeline

__all__ = [
    "AgentContract",
    "EvaluatorContract",
    "FakeAgent",
    "FakeClock",
    "FakeGreedyAgent",
    "FakeStatefulAgent",
    "PipelineContract",
    "ScriptedPipeline",
]
