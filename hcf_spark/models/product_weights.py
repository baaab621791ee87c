"""B, the weights by which products vote for each other: dense up to some thousand products, sparse beyond."""

import logging
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.free_memory import require_memory
from hcf_spark.models.ranks import over_ranks

Weights = np.ndarray | sp.csr_matrix
"""(P, P) float32."""

Head = np.ndarray | slice
"""An index of the products that take part in a closed form."""

MOST_DIRECT = 10_000
STRONGEST = 500

_GB = 1e9

logger = logging.getLogger(__name__)


def head_products(known: sp.csr_matrix, model: str, n_matrices: int) -> Head:
    """All products, or the ``MOST_DIRECT`` used by most companies, ascending; of equal ones those of lower index.

    Args:
        known: X, (C, P) float32 CSR.
        model: whose closed form it is, for the log.
        n_matrices: (H, H) float32 matrices, H products in the head, that the closed form holds at once.

    Raises:
        TrainingError: they need more memory than is free.
    """
    n_products = known.shape[1]
    size = min(n_products, MOST_DIRECT)
    gigabytes = n_matrices * np.dtype(np.float32).itemsize * size**2 / _GB
    require_memory(f"{model}: the closed form of {size} of {n_products} products", gigabytes)
    if size == n_products:
        return slice(None)
    counts = over_ranks(known.getnnz(axis=0))
    head = np.sort(np.argsort(-counts, kind="stable")[:size])
    logger.info(
        "%s: closed form of the %d most used products; the other %d of %d, with %.1f%% of the interactions, are left "
        "out of it; its matrices take up to %.1f GB",
        model, size, n_products - size, n_products, 100 * (1 - counts[head].sum() / counts.sum()), gigabytes,
    )  # fmt: skip
    return head


def spread(weights: np.ndarray, head: Head, n_products: int) -> Weights:
    """The weights of the head among all products, 0 beyond: the strongest in absolute value, ``STRONGEST`` a product.

    They are chosen among all weights at once: products that many use get votes from many others, and the same number
    for each column would take most from those.

    Args:
        weights: (H, H) float32.
        head: of ``head_products``; where it is all products, the weights stay as they are.
        n_products: P.
    """
    if isinstance(head, slice):
        return weights
    threshold = _largest_but(STRONGEST * len(head), weights)
    voters, targets = np.nonzero((weights > threshold) | (weights < -threshold))
    return sp.csr_matrix((weights[voters, targets], (head[voters], head[targets])), shape=(n_products, n_products))


def _largest_but(n_larger: int, weights: np.ndarray) -> np.float32:
    """The largest absolute value of ``weights`` when the ``n_larger`` before it are left out."""
    values = np.abs(weights).ravel(order="K")
    place = values.size - n_larger - 1
    values.partition(place)
    return values[place]


def vote(known: sp.csr_matrix, weights: Weights) -> np.ndarray:
    """(B, P) float32, x B for the (B, P) CSR rows x of ``known``."""
    votes = known @ weights
    return votes.toarray() if sp.issparse(votes) else votes


def weights_to_arrays(weights: Weights) -> dict[str, np.ndarray]:
    """The weights as they are, or by the parts of their CSR form."""
    if not sp.issparse(weights):
        return {"weights": weights}
    return {"weights_data": weights.data, "weights_products": weights.indices, "weights_starts": weights.indptr}


def weights_from_arrays(arrays: Mapping[str, np.ndarray]) -> Weights:
    """The weights that ``weights_to_arrays`` was given; other keys are left alone."""
    if "weights" in arrays:
        return arrays["weights"]
    n_products = len(arrays["weights_starts"]) - 1
    parts = arrays["weights_data"], arrays["weights_products"], arrays["weights_starts"]
    return sp.csr_matrix(parts, shape=(n_products, n_products))
