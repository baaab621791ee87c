"""The companies on a map: near each other where their vectors are, with the communities found among them."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from hcf_spark.communities.graph import neighbour_graph
from hcf_spark.communities.leiden import find_partition
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, text_mean, unit_rows
from hcf_spark.report.data import Community, CompanyMap

_MOST_COMPANIES = 2_000
_FEWEST_FOR_TSNE = 50
_TSNE_ITERATIONS = 500
_PRODUCTS_NAMED = 4


def make_company_map(
    model: Model, companies: Companies, product_names: Sequence[str], neighbours: int, resolution: float, seed: int
) -> CompanyMap | None:
    """Up to 2,000 companies, drawn by seed, in two dimensions and in communities by the model's vectors.

    The places are those of t-SNE (van der Maaten and Hinton 2008), or the two main components of fewer than 50
    companies; the communities those of Leiden on the graph of nearest neighbours, as ``find_communities`` has them.

    Args:
        model: whose vectors are shown.
        companies: to draw from.
        product_names: the P names, by product_idx.
        neighbours: of each company in the graph.
        resolution: of Leiden.
        seed: of every random choice.

    Returns:
        The map; None where the vectors tell no company from another.
    """
    drawn = np.random.default_rng(seed).permutation(len(companies))[:_MOST_COMPANIES]
    companies = companies.take(np.sort(drawn))
    vectors = model.embed(companies)
    unit = unit_rows(vectors, text_mean(vectors))
    with_vector = np.flatnonzero(unit.any(axis=1))
    if len(with_vector) < 2:
        return None
    unit, known = unit[with_vector], companies.known[with_vector]
    labels = find_partition(neighbour_graph(unit, neighbours), resolution, seed).labels
    communities = [
        Community(int(size), [product_names[product] for product in _typical_products(known, labels == number)])
        for number, size in enumerate(np.bincount(labels))
    ]
    return CompanyMap(_place(unit, seed), labels, communities)


def _place(unit: np.ndarray, seed: int) -> np.ndarray:
    """(C, 2) float32, from (C, d) float32 rows."""
    if len(unit) >= _FEWEST_FOR_TSNE:
        return TSNE(init="pca", max_iter=_TSNE_ITERATIONS, random_state=seed).fit_transform(unit)
    size = min(2, *unit.shape)
    return np.pad(PCA(size, random_state=seed).fit_transform(unit), ((0, 0), (0, 2 - size)))


def _typical_products(known: sp.csr_matrix, is_member: np.ndarray) -> np.ndarray:
    """The products that tell most of the members, as ``spark.terms.build_top_terms`` ranks terms."""
    everywhere, share = (matrix.mean(axis=0).A1 for matrix in (known, known[is_member]))
    weight = share * np.log(np.divide(share, everywhere, out=np.ones_like(share), where=share > 0))
    best = np.argsort(-weight, kind="stable")[:_PRODUCTS_NAMED]
    return best[weight[best] > 0]
