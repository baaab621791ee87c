"""The words of texts, counted without a vocabulary."""

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer

N_WORDS = 2**18


def count_words(texts: Iterable[str]) -> sp.csr_matrix:
    """(B, N_WORDS) float32, how often each text has each word, by the word's hash; few words share one.

    Words are lower case and of two letters or digits at least, none left out (scikit-learn's ``HashingVectorizer``).

    >>> count_words(["Bread, butter and bread.", ""]).toarray().max(axis=1)
    array([2., 0.], dtype=float32)
    """
    texts = list(texts)
    if not texts:
        return sp.csr_matrix((0, N_WORDS), dtype=np.float32)
    return HashingVectorizer(n_features=N_WORDS, alternate_sign=False, norm=None, dtype=np.float32).transform(texts)
