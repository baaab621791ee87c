"""A challenger against the present champion on the cells that are held out now."""

from hcf_spark.evaluation.comparison import compare
from hcf_spark.evaluation.evaluate import company_ndcg
from hcf_spark.evaluation.model_result import REGIMES, ModelResult
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Regimes


def gain_over_champion(
    challenger: ModelResult, champion: Model, test: Regimes, cutoff: int, seed: int
) -> dict[str, dict[str, float]]:
    """By regime ``difference`` of the mean NDCG@K on test, ``low`` and ``high`` of its 95% interval.

    Args:
        challenger: as judged on ``test``.
        champion: takes the companies and ranks the products of ``test``.
        test: the holdouts.
        cutoff: K.
        seed: of the paired bootstrap.
    """
    gains, metric = {}, f"ndcg_at_{cutoff}"
    for regime in REGIMES:
        figures = {
            "challenger": {metric: getattr(challenger, regime).per_company[metric]},
            "champion": {metric: company_ndcg(champion, getattr(test, regime), cutoff)},
        }
        gains[regime] = compare(figures, "champion", seed)["challenger"]["over_baseline"][metric]
    return gains
