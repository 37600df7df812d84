"""The umbrella holds every documented name under its documented path, and nothing of its own."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import optix_core
import optix_evolve
import optix_pipelines
import optix_tf
import tensor_optix

SOURCE = Path(tensor_optix.__file__).parent

DOCUMENTED = {
    "tensor_optix": [
        "BackoffOptimizer",
        "BaseAgent",
        "BaseEvaluator",
        "BatchPipeline",
        "EnsembleAgent",
        "EpisodeData",
        "EvalMetrics",
        "HyperparamSet",
        "LivePipeline",
        "LoopCallback",
        "MetaController",
        "PBTOptimizer",
        "PolicyManager",
        "RLOptimizer",
        "RegimeDetector",
        "TFAgent",
        "TFEvaluator",
    ],
    "tensor_optix.adapters.tensorflow.tf_agent": ["TFAgent"],
    "tensor_optix.adapters.tensorflow.tf_evaluator": ["TFEvaluator"],
    "tensor_optix.core.backoff_scheduler": ["BackoffScheduler"],
    "tensor_optix.core.base_agent": ["BaseAgent"],
    "tensor_optix.core.base_evaluator": ["BaseEvaluator"],
    "tensor_optix.core.base_optimizer": ["BaseOptimizer"],
    "tensor_optix.core.base_pipeline": ["BasePipeline"],
    "tensor_optix.core.checkpoint_registry": ["CheckpointRegistry"],
    "tensor_optix.core.ensemble_agent": ["EnsembleAgent"],
    "tensor_optix.core.loop_controller": ["LoopController"],
    "tensor_optix.core.meta_controller": ["MetaAction", "MetaController"],
    "tensor_optix.core.policy_manager": ["PolicyManager", "PolicyManagerCallback"],
    "tensor_optix.core.regime_detector": ["RegimeDetector"],
    "tensor_optix.core.types": ["EpisodeData", "EvalMetrics", "HyperparamSet", "LoopState"],
    "tensor_optix.optimizers.backoff_optimizer": ["BackoffOptimizer"],
    "tensor_optix.optimizers.pbt_optimizer": ["PBTOptimizer"],
    "tensor_optix.pipeline.batch_pipeline": ["BatchPipeline"],
    "tensor_optix.pipeline.live_pipeline": ["DataSource", "LivePipeline"],
}

HOMES = (optix_core, optix_evolve, optix_pipelines, optix_tf)


@pytest.mark.parametrize(
    ("module_name", "name"),
    [(module_name, name) for module_name, names in DOCUMENTED.items() for name in names],
)
def test_documented_import_line_works(module_name: str, name: str) -> None:
    assert getattr(import_module(module_name), name).__name__ == name


@pytest.mark.parametrize("name", tensor_optix.__all__)
def test_every_name_is_the_very_object_of_its_package(name: str) -> None:
    home = next(home for home in HOMES if name in home.__all__)
    assert getattr(tensor_optix, name) is getattr(home, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'NoSuchAgent'"):
        getattr(tensor_optix, "NoSuchAgent")  # noqa: B009 - pyright knows that the name is missing


def test_import_loads_no_tensorflow() -> None:
    script = "import sys, tensor_optix\nprint(*{'tensorflow', 'keras', 'numba'} & set(sys.modules))"
    shown = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert shown.stdout.strip() == ""


def is_reexport(node: ast.stmt) -> bool:
    """Whether a statement only imports, lists names, states the version or loads a name lazily."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__version__" | "_LAZY")]):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return all(map(is_reexport, node.body))
        case ast.FunctionDef(name="__getattr__"):
            return True
        case _:
            return False


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_no_module_holds_logic(path: Path) -> None:
    logic = [node for node in ast.parse(path.read_text("utf-8")).body if not is_reexport(node)]
    assert [ast.unparse(node) for node in logic] == []
