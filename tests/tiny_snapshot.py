"""Snapshots of a few literal rows, written by pyarrow: training and its tests need no Spark."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from hcf_spark.models.companies import text_mean
from hcf_spark.nn.checkpoint import save_tensors
from hcf_spark.train.loop import START
from hcf_spark.train.manifest import PADDING, DataFile, Manifest
from hcf_spark.train.plan import TrainPlan
from hcf_spark.train.snapshot import read_snapshot


@dataclass
class Company:
    """A row of the snapshot; ``held`` is what validation (training rows) or the test (test rows) withholds."""

    index: int
    text: list[float]
    known: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    cold: bool = False
    n_tokens: int = 0
    words: dict[int, float] = field(default_factory=dict)


def write_snapshot(folder: Path, shards: list[list[Company]], test: list[Company], n_products: int) -> Manifest:
    """Write the files and the manifest of a snapshot, a training file for each shard."""
    train = [company for shard in shards for company in shard]
    dimension = len(train[0].text)
    widths = {name: max(1, *(len(getattr(company, name)) for company in train)) for name in ("known", "held")}
    files = []
    for number, shard in enumerate(shards):
        columns = {
            "company_idx": pa.array([company.index for company in shard], pa.int64()),
            "validation_cold": pa.array([company.cold for company in shard]),
            "text": pa.array([company.text for company in shard], pa.list_(pa.float32())),
            **_word_columns(shard),
            **{
                name: pa.array(
                    [getattr(company, name) + [PADDING] * (width - len(getattr(company, name))) for company in shard],
                    pa.list_(pa.int32()),
                )
                for name, width in widths.items()
            },
        }
        files.append(_write(folder, f"train/shard={number}/part.parquet", pa.table(columns)))
    columns = {
        "company_idx": pa.array([company.index for company in test], pa.int64()),
        "regime": pa.array(["cold" if company.cold else "warm" for company in test], pa.string()),
        "text": pa.array([company.text for company in test], pa.list_(pa.float32())),
        **_word_columns(test),
        "n_tokens": pa.array([company.n_tokens for company in test], pa.int64()),
        "known": pa.array([company.known for company in test], pa.list_(pa.int32())),
        "hidden": pa.array([company.held for company in test], pa.list_(pa.int32())),
    }
    manifest = Manifest(
        snapshot_id=folder.name, n_companies=len(train), n_products=n_products, text_dimension=dimension,
        encoder_id="tiny", seed=0, train=tuple(files), test=(_write(folder, "test/part.parquet", pa.table(columns)),),
        table_versions={"company_product": 0},
    )  # fmt: skip
    manifest.write(folder)
    return manifest


def _word_columns(companies: list[Company]) -> dict[str, pa.Array]:
    return {
        "word_ids": pa.array([list(company.words) for company in companies], pa.list_(pa.int32())),
        "word_counts": pa.array([list(company.words.values()) for company in companies], pa.list_(pa.float32())),
    }


def _write(folder: Path, path: str, table: pa.Table) -> DataFile:
    (folder / path).parent.mkdir(parents=True)
    pq.write_table(table, folder / path)
    return DataFile(path, len(table))


def checkerboard_shards(n_companies: int, n_products: int, n_shards: int, seed: int = 0) -> list[list[Company]]:
    """Even companies use even products, odd ones odd products, and their text tells which.

    Each holds back one product for validation; the last two companies are held out whole.
    """
    random = np.random.default_rng(seed)
    companies = []
    for index in range(n_companies):
        own = list(range(index % 2, n_products, 2))
        held = own.pop(index // 2 % len(own))
        text = (1 - 2 * (index % 2)) * np.tile([1.0, -1.0], 2) + 0.3 * random.standard_normal(4)
        cold = index >= n_companies - 2
        words = {index % 2: 1, 2 + index: 2} if index % 3 else {}
        known, held = ([], sorted([*own, held])) if cold else (own, [held])
        companies.append(Company(index, text.tolist(), known, held, cold, words=words))
    return [companies[number::n_shards] for number in range(n_shards)]


def make_plan(snapshot: Path, folder: Path, **changes) -> TrainPlan:
    """A short training run on a snapshot, its start file in place."""
    settings = {
        "network": "hcf", "use_validation": True, "epochs": 4, "patience_steps": 1000, "cutoff": 3, "max_judged": 1000,
        "batch_companies": 3, "hidden_size": 6, "depth": 1, "dropout": 0.2, "learning_rate": 0.02,
        "weight_decay": 0.01, "company_l2": 0.1, "loss": "huber", "huber_delta": 1.0, "positive_weight": 2.0,
        "timeout_seconds": 60, "use_gpu": False, "seed": 0, **changes,
    }  # fmt: skip
    plan = TrainPlan(snapshot=str(snapshot), folder=str(folder), **settings)
    found = read_snapshot(snapshot, Manifest.read(snapshot), max_fit=1000, max_judged=1000, seed=0)
    companies = found.inner if plan.use_validation else found.full
    shares = np.asarray(companies.known.mean(axis=0), np.float32).ravel()
    start = {"text_mean": torch.from_numpy(text_mean(companies.text)), "product_shares": torch.from_numpy(shares)}
    save_tensors(folder / START, start, {})
    return plan
