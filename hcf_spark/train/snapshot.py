"""A snapshot as the matrices that closed-form models and the evaluation need, on one machine and bounded in rows."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from hcf_spark.models.companies import Companies, Holdout, Regimes, as_newcomers
from hcf_spark.text.words import N_WORDS
from hcf_spark.train.manifest import DataFile, Manifest

logger = logging.getLogger(__name__)

_WORDS = ("word_ids", "word_counts")


@dataclass(frozen=True)
class Snapshot:
    """What the models are fitted, chosen and judged on.

    Attributes:
        inner: training companies without those and without the interactions that are for validation.
        validation: to choose settings and thresholds on, after fitting on ``inner``.
        full: all training companies and interactions; what is finally fitted on.
        test: to be looked at once.
        test_index: company_idx of the judged companies by regime, in the order of ``test``; no model is told those
            of the cold.
    """

    inner: Companies
    validation: Regimes
    full: Companies
    test: Regimes
    test_index: dict[str, np.ndarray]


def read_snapshot(folder: Path, manifest: Manifest, max_fit: int, max_judged: int, seed: int) -> Snapshot:
    """Read a snapshot.

    Args:
        folder: of the snapshot.
        manifest: its manifest.
        max_fit: at most this many training companies are read, drawn by seed.
        max_judged: at most this many companies in each regime of the validation set, drawn by seed.
        seed: of the draws.
    """
    rows = _read(folder, manifest.train, ["company_idx", "validation_cold", "text", "known", "held", *_WORDS])
    if len(rows) > max_fit:
        logger.info("closed-form models are fitted on %s of %s training companies (evaluation.max_fit_companies)",
                    f"{max_fit:,}", f"{len(rows):,}")  # fmt: skip
        rows = rows.take(pa.array(_draw(len(rows), max_fit, seed)))
    products = manifest.n_products
    index = rows["company_idx"].to_numpy().astype(np.int64)
    text, words = _vectors(rows["text"], manifest.text_dimension), _words(rows)
    known, held = _matrix(rows["known"], products), _matrix(rows["held"], products)
    full = Companies(text, (known + held).tocsr(), index, words)
    told = replace(full, known=known)
    is_cold = rows["validation_cold"].to_numpy()
    inner_rows = np.flatnonzero(~is_cold)

    warm_rows = inner_rows[np.diff(held[inner_rows].indptr) > 0]
    warm_rows = warm_rows[_draw(len(warm_rows), max_judged, seed)]
    cold_rows = np.flatnonzero(is_cold)
    cold_rows = cold_rows[_draw(len(cold_rows), max_judged, seed)]
    validation = Regimes(
        warm=Holdout(told.take(warm_rows), held[warm_rows]),
        cold=Holdout(as_newcomers(told.take(cold_rows)), held[cold_rows]),
    )
    return Snapshot(told.take(inner_rows), validation, full, *_read_test(folder, manifest))


def _read_test(folder: Path, manifest: Manifest) -> tuple[Regimes, dict[str, np.ndarray]]:
    rows = _read(folder, manifest.test, ["company_idx", "regime", "text", "n_tokens", "known", "hidden", *_WORDS])
    regime = np.asarray(rows["regime"].to_pylist())
    text, words = _vectors(rows["text"], manifest.text_dimension), _words(rows)
    known, hidden = (_matrix(rows[column], manifest.n_products) for column in ("known", "hidden"))
    index = rows["company_idx"].to_numpy().astype(np.int64)
    n_tokens = rows["n_tokens"].to_numpy().astype(np.int64)
    companies = Companies(text, known, index, words)
    warm, cold = np.flatnonzero(regime == "warm"), np.flatnonzero(regime == "cold")
    regimes = Regimes(
        warm=Holdout(companies.take(warm), hidden[warm], n_tokens[warm]),
        cold=Holdout(as_newcomers(companies.take(cold)), hidden[cold], n_tokens[cold]),
    )
    return regimes, {"warm": index[warm], "cold": index[cold]}


def _read(folder: Path, files: tuple[DataFile, ...], columns: list[str]) -> pa.Table:
    parts = [pq.ParquetFile(folder / file.path).read(columns=columns) for file in files]
    return pa.concat_tables(parts).combine_chunks()


def _draw(n: int, at_most: int, seed: int) -> np.ndarray:
    if n <= at_most:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, n]).choice(n, at_most, replace=False))


def _vectors(column: pa.ChunkedArray, dimension: int) -> np.ndarray:
    values = pa.concat_arrays(column.chunks).flatten() if column.num_chunks else pa.array([], pa.float32())
    return values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, dimension)


def _matrix(column: pa.ChunkedArray, n_products: int) -> sp.csr_matrix:
    """(rows, P) float32 CSR of lists of product_idx; negative entries are padding."""
    product, starts = _lists(column, pa.int32())
    row = np.repeat(np.arange(len(column)), np.diff(starts))
    real = product >= 0
    ones = np.ones(int(real.sum()), np.float32)
    return sp.csr_matrix((ones, (row[real], product[real])), shape=(len(column), n_products))


def _words(rows: pa.Table) -> sp.csr_matrix:
    """(rows, N_WORDS) float32 CSR of the word counts."""
    words, starts = _lists(rows["word_ids"], pa.int32())
    counts, _ = _lists(rows["word_counts"], pa.float32())
    return sp.csr_matrix((counts, words, starts), shape=(len(rows), N_WORDS))


def _lists(column: pa.ChunkedArray, kind: pa.DataType) -> tuple[np.ndarray, np.ndarray]:
    """The values of all lists one after the other, and (rows + 1,) int64 where each list starts."""
    lists = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.list_(kind))
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return lists.flatten().to_numpy(zero_copy_only=False), np.concatenate([[0], np.cumsum(lengths)])
