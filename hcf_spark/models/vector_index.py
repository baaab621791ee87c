"""An index of company vectors, for more of them than can all be compared with each other."""

from collections.abc import Callable, Iterable

import faiss
import numpy as np

_LISTS_PER_ROOT = 2
_LISTS_PROBED = 32
_TRAINED_ON_PER_LIST = 64


def build_index(read: Callable[[], Iterable[np.ndarray]], n_vectors: int, seed: int) -> faiss.Index:
    """Inverted lists around 2 sqrt(C) centroids, of which a search looks at the nearest 32; for cosines.

    The vectors are kept as they are, 4 C d bytes of memory, so that cosines are exact: what is lost are neighbours in
    other lists.

    Args:
        read: gives the vectors in blocks, (B, d) float32 of length 1; called twice, first to train on some.
        n_vectors: C.
        seed: of the choice of training vectors and of the k-means on them.
    """
    random = np.random.default_rng(seed)
    n_lists = max(1, round(_LISTS_PER_ROOT * n_vectors**0.5))
    share = min(1.0, _TRAINED_ON_PER_LIST * n_lists / n_vectors)
    sample = np.concatenate([block[random.random(len(block)) < share] for block in read()])
    index = faiss.index_factory(sample.shape[1], f"IVF{min(n_lists, len(sample))},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed
    index.nprobe = _LISTS_PROBED
    index.train(sample)
    for block in read():
        index.add(block)
    return index
