"""What a Parquet snapshot holds: written last, so that a snapshot with a manifest is complete."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from hcf_spark.errors import TrainingError

FILE = "manifest.json"
PADDING = -1


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of the snapshot, relative to its folder."""

    path: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """A snapshot: one row per training company in ``train`` files, one per judged company in ``test`` files.

    Train columns: company_idx (long); validation_cold (boolean: held out whole while settings are chosen); text
    (D floats, zeros where there is no text); known and held (product_idx, padded with -1 to one length): interactions
    for training and for validation; word_ids and word_counts (as many ints as floats: the hashed words of the texts,
    ``text.words``).
    Test columns: company_idx, regime (warm or cold), text, n_tokens (long, of the text), word_ids, word_counts, known,
    hidden (product_idx).

    Attributes:
        snapshot_id: names content and settings it was made from.
        n_companies: number of training companies; their company_idx are 0 .. n_companies - 1.
        n_products: P.
        text_dimension: D.
        encoder_id: encoder of the text vectors.
        seed: of the split.
        train: files, each company in one of them.
        test: files.
        table_versions: Delta versions of the tables it was made from.
    """

    snapshot_id: str
    n_companies: int
    n_products: int
    text_dimension: int
    encoder_id: str
    seed: int
    train: tuple[DataFile, ...]
    test: tuple[DataFile, ...]
    table_versions: dict[str, int]

    def files_of_rank(self, rank: int, ranks: int) -> tuple[DataFile, ...]:
        """The training files that process ``rank`` of ``ranks`` reads.

        Raises:
            TrainingError: there are fewer files than processes.
        """
        if len(self.train) < ranks:
            raise TrainingError(
                f"the snapshot has {len(self.train)} files of training companies for {ranks} processes: "
                "lower train.processes, or give more companies"
            )
        return self.train[rank::ranks]

    def steps_per_epoch(self, ranks: int, batch_rows: int) -> int:
        """Steps after which the process with the most rows has seen all of them; the same number on every rank."""
        most = max(sum(file.rows for file in self.files_of_rank(rank, ranks)) for rank in range(ranks))
        return -(-most // batch_rows)

    def write(self, folder: Path) -> None:
        """Write the manifest in one atomic step."""
        waiting = folder / f"{FILE}.{os.getpid()}"
        waiting.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        os.replace(waiting, folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a snapshot's manifest.

        Raises:
            TrainingError: there is none.
        """
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise TrainingError(
                f"no complete snapshot in {folder}: {FILE} is missing; run train_model again"
            ) from error
        for part in ("train", "test"):
            content[part] = tuple(DataFile(**file) for file in content[part])
        return cls(**content)
