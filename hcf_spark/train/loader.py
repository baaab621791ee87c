"""Batches of training companies from the snapshot. Only this file knows petastorm: another reader can replace it."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hcf_spark.errors import TrainingError
from hcf_spark.train.manifest import DataFile, Manifest

_COLUMNS = ["company_idx", "validation_cold", "text", "known", "held"]


@dataclass(frozen=True)
class Rows:
    """Training companies, one per row.

    Attributes:
        index: (B,) long, company_idx.
        validation_cold: (B,) bool.
        text: (B, D) float32, as stored.
        known: (B, N) long, product_idx of interactions, padded with -1.
        held: (B, M) long, product_idx of validation interactions, padded with -1.
    """

    index: torch.Tensor
    validation_cold: torch.Tensor
    text: torch.Tensor
    known: torch.Tensor
    held: torch.Tensor

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: torch.Tensor | slice) -> "Rows":
        """The rows at ``rows``, in that order."""
        return Rows(*(values[rows] for values in self.__dict__.values()))

    def followed_by(self, other: "Rows") -> "Rows":
        """Both, one after the other."""
        pairs = zip(self.__dict__.values(), other.__dict__.values(), strict=True)
        return Rows(*(torch.cat(pair) for pair in pairs))


def multi_hot(products: torch.Tensor, n_products: int) -> torch.Tensor:
    """(B, P) float32, 1 at each product_idx of padded lists (B, N)."""
    hot = torch.zeros(len(products), n_products + 1)
    hot.scatter_(1, torch.where(products < 0, n_products, products), 1.0)
    return hot[:, :n_products]


class SnapshotLoader:
    """The share of a snapshot that one of several processes reads, file by file and so in bounded memory.

    A share of one file is kept once it is read.

    Raises:
        TrainingError: there are fewer files than processes, or the reader cannot take the folder's name.
    """

    def __init__(self, folder: Path, manifest: Manifest, rank: int, ranks: int, seed: int) -> None:
        self._folder = folder.absolute()
        if not {"#", "?"}.isdisjoint(str(self._folder)):
            raise TrainingError(f"training cannot read {self._folder}, for its # or ?: set output to another folder")
        self._files = manifest.files_of_rank(rank, ranks)
        self._seed = (seed, rank)
        self._only: Rows | None = None

    def batches(self, rows_per_batch: int, epoch: int, keep_cold: bool) -> Iterator[Rows]:
        """Endless shuffled batches; the order depends on seed, rank and epoch only.

        Args:
            rows_per_batch: B; the last batch of a pass over the files may be smaller.
            epoch: number of the epoch.
            keep_cold: whether companies held out for validation are among them.

        Raises:
            TrainingError: this process has no companies but those.
        """
        order = np.random.default_rng([*self._seed, epoch])
        while True:
            rest: Rows | None = None
            n_rows = 0
            for position in order.permutation(len(self._files)):
                rows = self._read(self._files[position])
                if not keep_cold:
                    rows = rows.take(~rows.validation_cold)
                n_rows += len(rows)
                rows = rows.take(torch.from_numpy(order.permutation(len(rows))))
                rows = rows if rest is None else rest.followed_by(rows)
                whole = len(rows) - len(rows) % rows_per_batch
                for start in range(0, whole, rows_per_batch):
                    yield rows.take(slice(start, start + rows_per_batch))
                rest = rows.take(slice(whole, None))
            if rest is not None and len(rest):
                yield rest
            if not n_rows:
                raise TrainingError(
                    f"training process {self._seed[1]} has only companies that are held out for validation: "
                    "lower train.processes, or give more companies"
                )

    def all_rows(self, rows_per_batch: int) -> Iterator[Rows]:
        """Every row once, in the files' order."""
        for file in self._files:
            rows = self._read(file)
            for start in range(0, len(rows), rows_per_batch):
                yield rows.take(slice(start, start + rows_per_batch))

    def _read(self, file: DataFile) -> Rows:
        if len(self._files) > 1:
            return self._read_file(file)
        if self._only is None:
            self._only = self._read_file(file)
        return self._only

    def _read_file(self, file: DataFile) -> Rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # petastorm's, about pyarrow
            from petastorm import make_batch_reader

            url = f"file://{self._folder / file.path}"  # not as_uri(): petastorm takes escapes literally
            with make_batch_reader(
                [url], schema_fields=_COLUMNS, reader_pool_type="dummy", shuffle_row_groups=False, num_epochs=1
            ) as reader:
                groups = [_to_rows(group._asdict()) for group in reader]
        rows = groups[0]
        for group in groups[1:]:
            rows = rows.followed_by(group)
        return rows


def _to_rows(columns: dict[str, np.ndarray]) -> Rows:
    return Rows(
        torch.from_numpy(columns["company_idx"].astype(np.int64)),
        torch.from_numpy(columns["validation_cold"].astype(bool)),
        torch.from_numpy(columns["text"].astype(np.float32)),
        torch.from_numpy(columns["known"].astype(np.int64)),
        torch.from_numpy(columns["held"].astype(np.int64)),
    )
