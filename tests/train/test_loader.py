import warnings
from itertools import chain, islice

import pytest
import torch
from tiny_snapshot import Company, checkerboard_shards, write_snapshot

from hcf_spark.errors import TrainingError
from hcf_spark.train.loader import SnapshotLoader, multi_hot


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("out with ünicode, 50% & blanks") / "snapshot"


@pytest.fixture(scope="module")
def manifest(folder):
    """11 companies, two of them cold, in files of 4, 4 and 3."""
    return write_snapshot(folder, checkerboard_shards(11, 6, 3), [], n_products=6)


@pytest.fixture
def make_loader(folder, manifest):
    def make(rank=0, ranks=1, seed=0):
        return SnapshotLoader(folder, manifest, rank, ranks, seed)

    return make


def indices(batches):
    return [rows.index.tolist() for rows in batches]


def flat(lists):
    return list(chain.from_iterable(lists))


def test_rows_are_what_the_files_hold(make_loader):
    rows = next(make_loader().all_rows(100))
    expected = checkerboard_shards(11, 6, 3)[0]
    assert rows.index.tolist() == [company.index for company in expected] == [0, 3, 6, 9]
    assert rows.validation_cold.tolist() == [False, False, False, True]
    assert rows.text.dtype == torch.float32
    torch.testing.assert_close(rows.text, torch.tensor([company.text for company in expected]))
    assert rows.known.tolist() == [company.known + [-1] * (2 - len(company.known)) for company in expected]
    assert rows.held.tolist() == [company.held + [-1] * (3 - len(company.held)) for company in expected]


def test_padding_is_no_product():
    products = torch.tensor([[0, 2, -1], [-1, -1, -1], [3, 3, -1]])
    assert multi_hot(products, 4).tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("rows_per_batch", [1, 3, 4, 100])
@pytest.mark.parametrize(("keep_cold", "expected"), [(True, range(11)), (False, range(9))])
def test_each_row_comes_once_in_a_pass(make_loader, rows_per_batch, keep_cold, expected):
    batches = make_loader().batches(rows_per_batch, epoch=1, keep_cold=keep_cold)
    n_steps = -(-len(expected) // rows_per_batch)
    for _ in range(2):
        one_pass = indices(islice(batches, n_steps))
        assert {len(batch) for batch in one_pass[:-1]} <= {rows_per_batch}
        assert sorted(flat(one_pass)) == list(expected)


def test_order_depends_on_seed_and_epoch_only(make_loader):
    def order(epoch, **changes):
        return indices(islice(make_loader(**changes).batches(3, epoch, keep_cold=True), 4))

    assert order(1) == order(1)
    assert len({str(order(1)), str(order(2)), str(order(1, seed=1))}) == 3
    one_loader = make_loader()
    list(islice(one_loader.batches(3, 1, keep_cold=True), 2))
    assert indices(islice(one_loader.batches(3, 2, keep_cold=True), 4)) == order(2)


def test_companies_of_different_files_meet_in_a_batch_and_texts_stay_with_their_company(make_loader):
    texts = {company.index: company.text for shard in checkerboard_shards(11, 6, 3) for company in shard}
    batches = list(islice(make_loader().batches(5, 1, keep_cold=True), 3))
    for rows in batches:
        torch.testing.assert_close(rows.text, torch.tensor([texts[company] for company in rows.index.tolist()]))
    assert any(len({company % 3 for company in rows.index.tolist()}) > 1 for rows in batches)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_row_is_read_by_one_process(make_loader, ranks):
    shares = [flat(indices(make_loader(rank, ranks).all_rows(2))) for rank in range(ranks)]
    assert sorted(flat(shares)) == list(range(11))


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_steps_are_the_same_on_every_process_and_enough_for_the_fullest(make_loader, manifest, ranks):
    steps = manifest.steps_per_epoch(ranks, 2)
    counts = [sum(map(len, indices(make_loader(rank, ranks).all_rows(100)))) for rank in range(ranks)]
    assert steps == -(-max(counts) // 2) == {1: 6, 2: 4, 3: 2}[ranks]
    for rank in range(ranks):
        assert len(list(islice(make_loader(rank, ranks).batches(2, 1, keep_cold=True), steps))) == steps


def test_the_only_file_of_a_process_is_read_once(make_loader, monkeypatch):
    read, files = SnapshotLoader._read_file, []

    def note(self, file):
        files.append(file)
        return read(self, file)

    monkeypatch.setattr(SnapshotLoader, "_read_file", note)
    one_of_three, all_three = make_loader(0, 3), make_loader()
    for loader in (one_of_three, all_three):
        assert indices(loader.all_rows(100)) == indices(loader.all_rows(100))
    assert len(files) == 1 + 2 * 3


def test_fewer_files_than_processes(make_loader):
    with pytest.raises(TrainingError) as caught:
        make_loader(0, 4)
    assert str(caught.value) == (
        "the snapshot has 3 files of training companies for 4 processes: lower train.processes, or give more companies"
    )


def test_a_process_that_has_held_out_companies_only(tmp_path):
    shards = [[Company(0, [1.0], [0]), Company(1, [1.0], [1])], [Company(2, [1.0], [], [0], cold=True)]]
    loader = SnapshotLoader(tmp_path, write_snapshot(tmp_path, shards, [], n_products=2), rank=1, ranks=2, seed=0)
    with pytest.raises(TrainingError) as caught:
        next(loader.batches(2, 1, keep_cold=False))
    assert str(caught.value) == (
        "training process 1 has only companies that are held out for validation: "
        "lower train.processes, or give more companies"
    )
    assert indices(islice(loader.batches(2, 1, keep_cold=True), 2)) == [[2], [2]]


def test_reading_leaves_the_warning_filters_alone(make_loader):
    before = list(warnings.filters)
    list(make_loader().all_rows(100))
    assert warnings.filters == before


@pytest.mark.parametrize("name", ["#1", "what?"])
def test_a_folder_that_petastorm_cannot_name_is_refused(tmp_path, name):
    manifest = write_snapshot(tmp_path / name, checkerboard_shards(4, 4, 1), [], n_products=4)
    with pytest.raises(TrainingError) as caught:
        SnapshotLoader(tmp_path / name, manifest, 0, 1, seed=0)
    assert str(caught.value) == (
        f"training cannot read {tmp_path / name}, for its # or ?: set output to another folder"
    )
