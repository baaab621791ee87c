"""Vectors of several sources to one for each company, in Spark as in numpy."""

import numpy as np
import pytest

from hcf_spark.spark.schemas import TEXT_EMBEDDINGS
from hcf_spark.spark.text_vectors import build_text_lengths, build_text_vectors
from hcf_spark.text.sources import combine_sources, combined_dimension, combined_sources

pytestmark = pytest.mark.spark


def stored(spark, *keys):
    """Rows of text_embeddings for (company_id, source, text_hash, encoder_id)."""
    return spark.createDataFrame([(*key, [1.0, 0.0], 3, 1) for key in keys], TEXT_EMBEDDINGS)


def test_one_source_is_passed_through(spark):
    table = stored(spark, ("a", "d", "h", "mine"), ("a", "w", "h", "mine"), ("b", "d", "h", "other"))
    vectors = build_text_vectors(table, "mine", ["d"], "mean", 2)
    assert [tuple(row) for row in vectors.collect()] == [("a", [1.0, 0.0])]


@pytest.mark.parametrize(("combine", "lengths"), [("mean", [("a", 6), ("b", 3)]), ("d", [("a", 3)])])
def test_the_length_is_that_of_the_sources_that_are_combined(spark, combine, lengths):
    table = stored(
        spark, ("a", "d", "h", "mine"), ("a", "w", "h", "mine"), ("a", "d", "h", "x"), ("b", "w", "h", "mine")
    )
    assert sorted(tuple(row) for row in build_text_lengths(table, "mine", ["d", "w"], combine).collect()) == lengths


def test_several_sources_are_averaged_and_scaled(spark):
    table = spark.createDataFrame(
        [
            ("a", "d", "h", "mine", [1.0, 0.0, 0.0], 3, 1),
            ("a", "w", "h", "mine", [0.0, 1.0, 0.0], 3, 1),
            ("a", "s", "h", "mine", [0.0, 1.0, 0.0], 3, 1),
            ("a", "x", "h", "mine", [0.0, 0.0, 1.0], 3, 1),
            ("b", "w", "h", "mine", [0.6, 0.0, 0.8], 3, 1),
            ("c", "w", "h", "other", [1.0, 0.0, 0.0], 3, 1),
        ],
        TEXT_EMBEDDINGS,
    )
    vectors = build_text_vectors(table, "mine", ["d", "w", "s"], "mean", 3)
    assert dict(vectors.dtypes) == {"company_id": "string", "embedding": "array<float>"}
    found = {row.company_id: row.embedding for row in vectors.collect()}
    assert sorted(found) == ["a", "b"]
    np.testing.assert_allclose(found["a"], np.array([1, 2, 0]) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(found["b"], [0.6, 0, 0.8], rtol=1e-6)


@pytest.mark.parametrize("combine", ["mean", "concatenate", "w"])
def test_spark_and_numpy_combine_alike(spark, combine):
    columns = ["d", "w", "s"]
    vectors = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    vectors[0, 1] = vectors[2, 1] = vectors[1, 2] = 0
    rows = [
        (str(company), columns[source], "h", "mine", vectors[source, company].tolist(), 3, 1)
        for source in range(3)
        for company in range(4)
        if vectors[source, company].any()
    ]
    table = spark.createDataFrame(rows, TEXT_EMBEDDINGS)
    found = {row[0]: row[1] for row in build_text_vectors(table, "mine", columns, combine, 5).collect()}
    chosen = vectors[[columns.index(source) for source in combined_sources(columns, combine)]]
    expected = combine_sources(chosen, combine)
    assert expected.shape == (4, combined_dimension(5, columns, combine))
    assert sorted(found) == [str(company) for company in range(4) if expected[company].any()]
    for company, vector in found.items():
        np.testing.assert_allclose(vector, expected[int(company)], rtol=1e-5, atol=1e-7)
