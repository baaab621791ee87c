"""Closed forms from sums over processes that hold some of the companies each: the models of all companies."""

import numpy as np
import pytest
import torch.multiprocessing
from fit_over_ranks import fit, fit_all
from tiny_snapshot import Company, write_snapshot

from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import read_snapshot

N_COMPANIES, N_PRODUCTS = 40, 8


def random_company(index, random):
    used = np.flatnonzero(random.random(N_PRODUCTS) < np.linspace(0.7, 0.2, N_PRODUCTS))
    return Company(index, random.standard_normal(4).tolist(), used.tolist())


@pytest.mark.distributed
def test_two_processes_fit_what_one_fits(tmp_path):
    snapshot, folder = tmp_path / "snapshot", tmp_path / "models"
    folder.mkdir()
    random = np.random.default_rng(0)
    companies = [random_company(index, random) for index in range(N_COMPANIES)]
    write_snapshot(snapshot, [companies[number::3] for number in range(3)], [], N_PRODUCTS)
    torch.multiprocessing.spawn(fit, (2, snapshot, folder), nprocs=2)
    everyone = read_snapshot(snapshot, Manifest.read(snapshot), 1_000, 1_000, 0).full
    for name, model in fit_all(everyone, everyone).items():
        expected = model.arrays()
        for rank in range(2):
            found = dict(np.load(folder / f"{name} {rank} of 2.npz"))
            assert found.keys() == expected.keys()
            for key, array in expected.items():
                signs = np.sign((found[key] * array).sum(axis=0)) if key == "axes" else 1
                np.testing.assert_allclose(signs * found[key], array, rtol=1e-3, atol=1e-5, err_msg=f"{name} {key}")
