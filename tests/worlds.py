"""Small companies x products worlds whose answer is known."""

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.companies import Companies, Holdout, Regimes


def checkerboard(n_companies=24, n_products=12, seed=0):
    """Even companies use even products, odd ones odd products; text tells which; each warm company lacks one product.

    Returns:
        (training companies, warm and cold holdouts); products are about equally popular.
    """
    random = np.random.default_rng(seed)
    parity = np.arange(n_companies) % 2
    full = (parity[:, None] == np.arange(n_products) % 2).astype(np.float32)
    text = text_of(parity, random)
    hidden = np.zeros_like(full)
    own = np.arange(n_companies) // 2 % (n_products // 2) * 2 + parity
    hidden[np.arange(n_companies), own] = 1
    train = Companies(text, sp.csr_matrix(full - hidden), np.arange(n_companies), words_of(text))
    new = unseen(text_of(np.array([0, 1]), random), n_products)
    return train, Regimes(Holdout(train, sp.csr_matrix(hidden)), Holdout(new, sp.csr_matrix(full[:2])))


def text_of(parity, random):
    direction = np.tile([1.0, -1.0], 4)
    return (
        np.where(parity[:, None] == 0, direction, -direction) + 0.1 * random.standard_normal((len(parity), 8))
    ).astype(np.float32)


def words_of(text):
    """Counts of words that tell what the vectors do: two words for each dimension, one of them where it is large."""
    return sp.csr_matrix(np.round(5 * np.maximum(np.hstack([text, -text]), 0)))


def unseen(text, n_products):
    known = sp.csr_matrix((len(text), n_products), dtype=np.float32)
    return Companies(text, known, np.full(len(text), -1), words_of(text))


def random_world(seed, n_companies=60, n_products=15, n_judged=20, dimension=5):
    """Companies, warm and cold holdouts without structure but for a long tail of popularity."""
    random = np.random.default_rng(seed)
    chance = np.linspace(0.6, 0.1, n_products)
    usage = (random.random((n_companies + n_judged, n_products)) < chance).astype(np.float32)
    usage[np.arange(len(usage)), random.integers(0, n_products, len(usage))] = 1
    text = random.standard_normal((len(usage), dimension)).astype(np.float32)
    hidden = np.zeros_like(usage)
    for row in range(n_judged):
        used = np.flatnonzero(usage[row])
        hidden[row, random.choice(used, max(1, len(used) // 3), replace=False)] = 1
    train = Companies(
        text[:n_companies], sp.csr_matrix((usage - hidden)[:n_companies]), np.arange(n_companies),
        words_of(text[:n_companies]),
    )  # fmt: skip
    warm = Holdout(train.take(slice(n_judged)), sp.csr_matrix(hidden[:n_judged]))
    return train, Regimes(warm, Holdout(unseen(text[n_companies:], n_products), sp.csr_matrix(usage[n_companies:])))


def fit_first(candidate, train):
    """The candidate's model with the settings it tries first."""
    settings = candidate.start(train)
    return candidate.fit(train, {"warm": settings, "cold": settings}, seed=0)


def telling_world(seed, spoil=None, n_companies=400, n_products=60, n_judged=120, n_groups=6):
    """Companies of some groups that prefer products of their own, a few very popular; the text tells the group.

    Args:
        spoil: (usage, text, random) to the usage and text to go on with, before anything is withheld.

    Returns:
        (training companies, warm and cold holdouts).
    """
    random = np.random.default_rng(seed)
    group = random.integers(n_groups, size=n_companies + n_judged)
    own = group[:, None] == np.arange(n_products) % n_groups
    chance = 0.3 / np.arange(1, n_products + 1) ** 0.5
    usage = (random.random(own.shape) < chance * np.where(own, 4, 0.3)).astype(np.float32)
    text = (np.eye(n_groups, 16)[group] + 0.2 * random.standard_normal((len(group), 16))).astype(np.float32)
    if spoil is not None:
        usage, text = spoil(usage, text, random)
    usage[np.arange(len(usage)), random.integers(0, 3, len(usage))] = 1
    hidden = usage * (random.random(usage.shape) < 0.3)
    hidden[n_judged:] = 0
    enough = np.flatnonzero((hidden[:n_judged] > 0).any(axis=1))
    train = Companies(
        text[:n_companies], sp.csr_matrix((usage - hidden)[:n_companies]), np.arange(n_companies),
        words_of(text[:n_companies]),
    )  # fmt: skip
    warm = Holdout(train.take(enough), sp.csr_matrix(hidden[enough]))
    return train, Regimes(warm, Holdout(unseen(text[n_companies:], n_products), sp.csr_matrix(usage[n_companies:])))


def wide_world(seed, n_companies, n_products, n_tastes=12, n_used=25):
    """Companies whose chances of using a product are of rank ``n_tastes``, with a long tail; text tells the taste.

    Nothing of size companies x products is made.

    Returns:
        (training companies, warm holdout: a fifth of the cells of each company).
    """
    random = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, n_products + 1)
    likes = popularity * np.where(random.integers(n_tastes, size=n_products) == np.arange(n_tastes)[:, None], 20, 1)
    taste = random.integers(n_tastes, size=n_companies)
    cells = np.stack(
        [random.choice(n_products, n_used, replace=False, p=likes[own] / likes[own].sum()) for own in taste]
    )
    text = (np.eye(n_tastes, 16)[taste] + 0.2 * random.standard_normal((n_companies, 16))).astype(np.float32)
    hidden, known = (rows_of(side, n_products) for side in (cells[:, : n_used // 5], cells[:, n_used // 5 :]))
    train = Companies(text, known, np.arange(n_companies))
    return train, Holdout(train, hidden)


def rows_of(cells, n_products):
    starts = np.arange(len(cells) + 1) * cells.shape[1]
    return sp.csr_matrix((np.ones(cells.size, np.float32), np.sort(cells).ravel(), starts), (len(cells), n_products))
