"""Every error that Optix raises on its own account; each keeps a builtin as a second base."""


class OptixError(Exception):
    """Base of all errors of Optix."""


class ConfigurationError(OptixError, ValueError):
    """An argument, or a combination of arguments, that cannot work."""


class ContractViolationError(OptixError, TypeError):
    """An agent, pipeline, evaluator or optimizer broke its contract."""


class LoopError(OptixError, RuntimeError):
    """The training loop cannot go on."""


class NonFiniteScoreError(LoopError, ArithmeticError):
    """Scores stayed NaN or infinite."""


class NonFiniteDataError(LoopError, ArithmeticError):
    """Rewards or observations were NaN or infinite."""


class HyperparamError(OptixError, ValueError):
    """A hyperparameter that cannot be stored, or that leaves its bounds."""


class CheckpointError(OptixError):
    """A snapshot or its registry cannot be read or written."""


class CheckpointNotFoundError(CheckpointError, LookupError):
    """The snapshot asked for does not exist."""


class CheckpointCorruptError(CheckpointError):
    """A snapshot's files do not match their checksums or their schema."""


class CheckpointLockedError(CheckpointError):
    """Another process is writing to this directory."""


class PipelineError(OptixError):
    """Experience could not be collected."""


class StreamClosedError(PipelineError):
    """A live source ended."""


class StreamTimeoutError(PipelineError, TimeoutError):
    """A live source or an environment worker did not answer in time."""
