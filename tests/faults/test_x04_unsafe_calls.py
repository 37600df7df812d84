"""X04: no package runs code or hides a failure because of what stands in a file."""

import ast
import textwrap

import pytest

from ..architecture.tree import in_repository, shipped_files

FORBIDDEN_MODULES = {
    "cloudpickle", "code", "codeop", "dill", "imp", "joblib", "jsonpickle", "marshal", "pickle",
    "pickletools", "pty", "runpy", "shelve", "xmlrpc", "yaml",
}  # fmt: skip
FORBIDDEN_CALLS = {"__import__", "compile", "eval", "exec", "input"}
FORBIDDEN_ENDS = {
    "builtins.eval", "builtins.exec", "os.popen", "os.system", "importlib.reload",
    "load_model", "model_from_json", "model_from_config", "deserialize_keras_object",
    "enable_unsafe_deserialization", "module_from_spec", "spec_from_file_location", "exec_module",
    "load_module", "tempfile.mktemp", "ctypes.CDLL", "yaml.load", "torch.load", "read_pickle",
}  # fmt: skip
FORBIDDEN_ARGUMENTS = {
    ("allow_pickle", True),
    ("ignore_errors", True),
    ("safe_mode", False),
    ("shell", True),
    ("verify", False),
    ("weights_only", False),
}
FORBIDDEN_NAMES = {"eval", "exec", "popen", "system"}
"""Names that nobody imports from `os` or `builtins` to call them under another."""
# Names that stand in the same file, or that were typed on the command line.
IMPORT_BY_NAME = {
    "packages/optix-cli/src/optix_cli/user_modules.py",
    "packages/optix-tf/src/optix_tf/__init__.py",
    "packages/optix-tf/src/optix_tf/_tensorflow.py",
    "packages/optix-core/src/optix_core/__init__.py",
    "packages/tensor-optix/src/tensor_optix/__init__.py",
}


def unsafe(tree: ast.AST) -> list[str]:
    """Every forbidden import, call and argument of a module."""
    return [finding for node in ast.walk(tree) for finding in unsafe_node(node)]


def unsafe_node(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(module="os" | "builtins" as module, names=names):
            return [f"{module}.{alias.name}" for alias in names if alias.name in FORBIDDEN_NAMES]
        case ast.ImportFrom(module=str(module)):
            modules = [module]
        case ast.Call():
            return unsafe_call(node)
        case _:
            return []
    return [name for name in modules if name.partition(".")[0] in FORBIDDEN_MODULES]


def unsafe_call(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    is_forbidden = name in FORBIDDEN_CALLS or any(
        name == end or name.endswith(f".{end}") for end in FORBIDDEN_ENDS
    )
    found = [name] if is_forbidden else []
    for keyword in call.keywords:
        if isinstance(keyword.value, ast.Constant):
            argument = (keyword.arg, keyword.value.value)
            found += [f"{name}({argument[0]}={argument[1]})"] * (argument in FORBIDDEN_ARGUMENTS)
    return found


def imports_by_name(tree: ast.AST) -> bool:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(ast.unparse(function).endswith("import_module") for function in calls)


def test_no_package_makes_an_unsafe_call() -> None:
    found = {
        in_repository(path): unsafe(ast.parse(path.read_text("utf-8"))) for path in shipped_files()
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_modules_are_imported_by_name_only_where_no_file_can_say_which() -> None:
    found = {
        in_repository(path)
        for path in shipped_files()
        if imports_by_name(ast.parse(path.read_text("utf-8")))
    }
    assert found == IMPORT_BY_NAME


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("import pickle", "pickle"),
        ("from yaml import load", "yaml"),
        ("import os.path, marshal", "marshal"),
        ("eval('1')", "eval"),
        ("np.load(path, allow_pickle=True)", "np.load(allow_pickle=True)"),
        ("shutil.rmtree(path, ignore_errors=True)", "shutil.rmtree(ignore_errors=True)"),
        ("keras.models.load_model(path, safe_mode=False)", "safe_mode=False"),
        ("subprocess.run(text, shell=True)", "subprocess.run(shell=True)"),
        ("os.system('ls')", "os.system"),
        ("from os import system as harmless", "os.system"),
        ("from builtins import eval as harmless", "builtins.eval"),
        ("importlib.util.spec_from_file_location(name, path)", "spec_from_file_location"),
        ("keras.saving.load_model(path)", "load_model"),
        ("keras.config.enable_unsafe_deserialization()", "enable_unsafe_deserialization"),
        ("import runpy", "runpy"),
    ],
)
def test_the_scan_sees(source: str, finding: str) -> None:
    nested = ast.parse("def function():\n" + textwrap.indent(source, "    "))
    assert any(finding in name for name in unsafe(nested))


def test_the_scan_passes_harmless_code() -> None:
    harmless = "import os\nre.compile('a')\nnp.load(path, allow_pickle=False)\nmodel.eval()"
    assert unsafe(ast.parse(harmless)) == []
