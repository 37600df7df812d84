"""The default evaluator: mean return of completed episodes, with its evidence."""

from typing import final

from optix_core.base_evaluator import BaseEvaluator


@final
class ReturnEvaluator(BaseEvaluator):
    """Scores a policy by the mean return of its completed episodes.

    Everything it does is the default of `BaseEvaluator`, whose docstring has the rules.
    """
