import numpy as np
import pytest
from tiny_snapshot import Company, write_snapshot

from hcf_spark.errors import TrainingError
from hcf_spark.text.words import N_WORDS
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import read_snapshot

SHARDS = [
    [Company(0, [1.0, 0.0], [0, 3], [1], words={5: 2, 7: 1}), Company(2, [0.0, 0.0], [2])],
    [Company(1, [0.5, 0.5], [], [0, 2], cold=True, words={7: 3}), Company(3, [0.0, 1.0], [1, 2, 3], [0])],
]
TEST = [
    Company(9, [0.25, 0.75], [], [1, 3], cold=True, words={N_WORDS - 1: 1}),
    Company(0, [1.0, 0.0], [0, 1, 3], [2], n_tokens=70),
    Company(3, [0.0, 1.0], [0, 1, 2], [3]),
]


@pytest.fixture
def read(tmp_path):
    manifest = write_snapshot(tmp_path / "snapshot", SHARDS, TEST, n_products=4)

    def read(max_fit=100, max_judged=100, seed=0):
        return read_snapshot(tmp_path / "snapshot", manifest, max_fit, max_judged, seed)

    return read


def assert_companies(companies, index, text, known):
    assert companies.index.tolist() == index
    assert companies.text.dtype == np.float32
    assert companies.text.tolist() == text
    assert companies.known.dtype == np.float32
    assert companies.known.toarray().tolist() == known


def test_full_is_every_training_company_with_all_its_products(read):
    assert_companies(
        read().full,
        index=[0, 2, 1, 3],
        text=[[1, 0], [0, 0], [0.5, 0.5], [0, 1]],
        known=[[1, 1, 0, 1], [0, 0, 1, 0], [1, 0, 1, 0], [1, 1, 1, 1]],
    )


def test_inner_lacks_what_validation_withholds(read):
    snapshot = read()
    assert_companies(
        snapshot.inner,
        index=[0, 2, 3],
        text=[[1, 0], [0, 0], [0, 1]],
        known=[[1, 0, 0, 1], [0, 0, 1, 0], [0, 1, 1, 1]],
    )
    warm, cold = snapshot.validation.warm, snapshot.validation.cold
    assert_companies(warm.companies, index=[0, 3], text=[[1, 0], [0, 1]], known=[[1, 0, 0, 1], [0, 1, 1, 1]])
    assert warm.hidden.toarray().tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert_companies(cold.companies, index=[-1], text=[[0.5, 0.5]], known=[[0, 0, 0, 0]])
    assert cold.hidden.toarray().tolist() == [[1, 0, 1, 0]]


def test_test_companies_by_regime_and_no_model_is_told_who_the_cold_are(read):
    snapshot = read()
    warm, cold = snapshot.test.warm, snapshot.test.cold
    assert_companies(warm.companies, index=[0, 3], text=[[1, 0], [0, 1]], known=[[1, 1, 0, 1], [1, 1, 1, 0]])
    assert warm.hidden.toarray().tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]
    assert_companies(cold.companies, index=[-1], text=[[0.25, 0.75]], known=[[0, 0, 0, 0]])
    assert cold.hidden.toarray().tolist() == [[0, 1, 0, 1]]
    assert (warm.n_tokens.tolist(), cold.n_tokens.tolist()) == ([70, 0], [0])
    assert {regime: index.tolist() for regime, index in snapshot.test_index.items()} == {"warm": [0, 3], "cold": [9]}


def test_words_are_those_of_the_company(read):
    snapshot, words = read(), {}
    for part, companies in (
        ("full", snapshot.full), ("inner", snapshot.inner), ("validation", snapshot.validation.warm.companies),
        ("cold", snapshot.validation.cold.companies), ("test", snapshot.test.warm.companies),
        ("test cold", snapshot.test.cold.companies),
    ):  # fmt: skip
        assert companies.words.shape == (len(companies), N_WORDS)
        words[part] = [dict(zip(row.indices.tolist(), row.data.tolist(), strict=True)) for row in companies.words]
    first = {5: 2.0, 7: 1.0}
    assert words == {
        "full": [first, {}, {7: 3.0}, {}], "inner": [first, {}, {}], "validation": [first, {}],
        "cold": [{7: 3.0}], "test": [{}, {}], "test cold": [{N_WORDS - 1: 1.0}],
    }  # fmt: skip


def test_a_snapshot_without_test_companies_reads_as_none(tmp_path):
    manifest = write_snapshot(tmp_path, SHARDS, [], n_products=4)
    snapshot = read_snapshot(tmp_path, manifest, 100, 100, 0)
    assert len(snapshot.test.warm) == len(snapshot.test.cold) == 0
    assert snapshot.test.cold.companies.text.shape == (0, 2)


@pytest.fixture
def read_many(tmp_path):
    warm = [Company(index, [float(index)], [0], [1]) for index in range(30)]
    cold = [Company(index, [float(index)], [], [1], cold=True) for index in range(30, 60)]
    manifest = write_snapshot(tmp_path, [warm, cold], [], n_products=2)

    def read(**limits):
        return read_snapshot(tmp_path, manifest, **{"max_fit": 100, "max_judged": 100, "seed": 0, **limits})

    return read


def drawn(snapshot):
    return {
        "full": snapshot.full.index.tolist(),
        "warm": snapshot.validation.warm.companies.index.tolist(),
        "cold": snapshot.validation.cold.companies.text[:, 0].astype(int).tolist(),
    }


def test_limits_draw_by_seed(read_many):
    limits = {"max_fit": 20, "max_judged": 5}
    first = drawn(read_many(**limits))
    assert first == drawn(read_many(**limits))
    assert first != drawn(read_many(**limits, seed=1))
    assert len(first["full"]) == 20
    assert len(first["warm"]) == len(first["cold"]) == 5
    for part in first.values():
        assert part == sorted(set(part))
    assert set(first["warm"]) < set(first["full"])


def test_drawing_judged_companies_takes_none_from_those_to_fit_on(read_many):
    limited, unlimited = read_many(max_judged=5), read_many()
    assert limited.inner.index.tolist() == unlimited.inner.index.tolist() == list(range(30))
    assert set(drawn(limited)["warm"]) < set(range(30))
    assert len(unlimited.validation.warm) == len(unlimited.validation.cold) == 30


def test_manifest_comes_back_as_written(tmp_path):
    manifest = write_snapshot(tmp_path, SHARDS, TEST, n_products=4)
    assert Manifest.read(tmp_path) == manifest
    assert [file.rows for file in manifest.train] == [2, 2]


def test_a_folder_without_manifest_is_no_snapshot(tmp_path):
    with pytest.raises(TrainingError) as caught:
        Manifest.read(tmp_path)
    assert str(caught.value) == (f"no complete snapshot in {tmp_path}: manifest.json is missing; run train_model again")
