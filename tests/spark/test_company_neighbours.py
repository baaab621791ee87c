"""Look-alikes: against all cosines, by blocks and by index, and as a table."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hcf_spark.spark import company_neighbours
from hcf_spark.spark.company_neighbours import make_neighbours_fn, write_neighbours
from hcf_spark.spark.schemas import COMPANY_EMBEDDINGS, COMPANY_NEIGHBOURS
from hcf_spark.spark.staging import Staging
from hcf_spark.spark.tables import Tables


def make_vectors(n_companies, dimension=32, n_groups=40):
    """Companies in groups, ids in the order of rows."""
    random = np.random.default_rng(0)
    groups = random.standard_normal((n_groups, dimension))
    vectors = groups[random.integers(0, n_groups, n_companies)] + random.standard_normal((n_companies, dimension))
    return np.array([f"c{row:05d}" for row in range(n_companies)]), vectors.astype(np.float32)


def write_vectors(folder, ids, vectors):
    for part, rows in enumerate(np.array_split(np.arange(len(ids)), 2)):
        table = pa.table({"company_id": ids[rows], "embedding": list(vectors[rows])})
        pq.write_table(table, folder / f"part-{part}.parquet")


def find(folder, ids, vectors, size):
    batches = [
        pd.DataFrame({"company_id": ids[rows], "embedding": list(vectors[rows])})
        for rows in np.split(np.arange(len(ids)), 3)
    ]
    return pd.concat(make_neighbours_fn(str(folder), size)(iter(batches)))


def sorted_by_hand(ids, vectors, size):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :size]
    return ids[nearest], np.take_along_axis(cosines, nearest, axis=1)


def test_every_company_is_compared_with_every_other(tmp_path, monkeypatch):
    monkeypatch.setattr(company_neighbours, "_ROWS", 70)
    ids, vectors = make_vectors(300)
    write_vectors(tmp_path, ids, vectors)
    found = find(tmp_path, ids, vectors, 5)
    near, cosines = sorted_by_hand(ids, vectors, 5)
    assert found["company_id"].tolist() == np.repeat(ids, 5).tolist()
    assert found["rank"].tolist() == [1, 2, 3, 4, 5] * 300
    assert found["neighbour_id"].tolist() == near.ravel().tolist()
    np.testing.assert_allclose(found["similarity"], cosines.ravel(), atol=1e-6)


def test_fewer_neighbours_where_there_are_fewer_companies(tmp_path):
    ids, vectors = make_vectors(3)
    write_vectors(tmp_path, ids, vectors)
    assert find(tmp_path, ids, vectors, 5).groupby("company_id")["rank"].agg(list).tolist() == [[1, 2]] * 3


def test_the_index_finds_nearly_all_of_them_and_their_cosines_are_exact(tmp_path):
    ids, vectors = make_vectors(3_000)
    write_vectors(tmp_path, ids, vectors)
    company_neighbours._write_index(tmp_path, len(ids), seed=0)
    found = find(tmp_path, ids, vectors, 10)
    near, cosines = sorted_by_hand(ids, vectors, 10)
    assert found["company_id"].tolist() == np.repeat(ids, 10).tolist()
    assert not (found["company_id"] == found["neighbour_id"]).any()
    same = found["neighbour_id"].to_numpy().reshape(-1, 10)[:, :, None] == near[:, None, :]
    assert same.any(axis=2).mean() > 0.98
    similarities = found["similarity"].to_numpy().reshape(-1, 10)
    rows, places, positions = np.nonzero(same)
    np.testing.assert_allclose(similarities[rows, places], cosines[rows, positions], atol=1e-6)
    assert (np.diff(similarities, axis=1) <= 0).all()


@pytest.mark.spark
def test_the_table_is_written_when_vectors_change_and_only_then(spark, make_config, tmp_path):
    config = make_config("score.neighbours=2")
    tables, ids, vectors = Tables(spark, config), *make_vectors(8)
    vectors[3] = 0
    rows = [(company, "7", vector.tolist(), 0) for company, vector in zip(ids.tolist(), vectors, strict=True)]
    tables.make_empty("company_neighbours", COMPANY_NEIGHBOURS, "model_version")
    others = [(company, "6", [1.0], 0) for company in "ab"]
    tables.overwrite("company_embeddings", spark.createDataFrame(rows + others, COMPANY_EMBEDDINGS))

    def write(*overrides):
        settings = make_config("score.neighbours=2", *overrides)
        write_neighbours(tables, settings, "7", Staging(tmp_path / "staging"))
        found = tables.read("company_neighbours", "").toPandas().sort_values(["company_id", "rank"])
        return tables.version("company_neighbours"), found

    version, found = write()
    some = np.arange(8) != 3
    near, cosines = sorted_by_hand(ids[some], vectors[some], 2)
    assert found["company_id"].tolist() == np.repeat(ids[some], 2).tolist()
    assert found["neighbour_id"].tolist() == near.ravel().tolist()
    np.testing.assert_allclose(found["similarity"], cosines.ravel(), atol=1e-6)
    assert set(found["model_version"]) == {"7"}
    assert write()[0] == version

    by_index = write("score.max_exact_companies=6")
    assert by_index[0] == version + 1
    assert by_index[1]["neighbour_id"].tolist() == found["neighbour_id"].tolist()
    assert not (tmp_path / "staging").exists()

    of_another = spark.createDataFrame([("a", "b", 1, 0.5, "6")], COMPANY_NEIGHBOURS)
    tables.replace_where("company_neighbours", of_another, COMPANY_NEIGHBOURS, "model_version", "6")
    none_wanted = write("score.neighbours=0")
    assert set(none_wanted[1]["model_version"]) == {"6"}
    assert write("score.neighbours=0")[0] == none_wanted[0]
    assert len(write()[1]) == 1 + len(found)
