"""What the paper leaves open in stage 2, settled on validation: one change at a time; test is never read.

make benchmark NAME=stage2 [DATA=folder] [CONF=file] [OUT=file]
"""

from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from benchmarks.command import run_benchmark
from hcf_spark.config import Config
from hcf_spark.evaluation.candidate import Search
from hcf_spark.launch import DistributedCandidate
from hcf_spark.models.hcf import Dcf, Hcf
from hcf_spark.spark.export import export_snapshot
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import read_snapshot
from jobs import build_matrix, embed_companies, load_tables

CHOICES = [
    {},
    {"depth": 1},
    {"depth": 2},
    {"depth": 1, "dropout": 0.6},
    {"company_l2": 0.1},
    {"company_l2": 10.0},
    {"positive_weight": 1.0},
    {"positive_weight": 20.0},
    {"huber_delta": 0.3},
    {"learning_rate": 0.002},
    {"weight_decay": 0.1},
]


def compare(config: Config) -> Iterator[list[dict]]:
    """Validation NDCG of every choice, for hcf, and of the first for dcf."""
    spark = get_session("benchmark", config)
    for job in (load_tables, build_matrix, embed_companies):
        job.run(spark, config)
    tables = Tables(spark, config)
    folder = export_snapshot(tables, config, resolve_encoder(config.encoder).encoder_id)
    limits = config.evaluation
    snapshot = read_snapshot(folder, Manifest.read(folder), limits.max_fit_companies, limits.max_companies, config.seed)
    rows = []
    for kind, choice in tqdm([*((Hcf, choice) for choice in CHOICES), (Dcf, {})]):
        work = Path(config.output) / "work" / str(len(rows))
        train = config.train.model_copy(update=choice)
        candidate = DistributedCandidate(kind, spark, folder, work, train, limits.max_companies, {})
        chosen = candidate.tune(snapshot.inner, snapshot.validation, Search(1, limits.cutoff, config.seed))
        (trial,) = chosen.trials
        rows.append(
            {
                "model": kind.name, "choice": choice, "epochs": chosen.settings["warm"]["epochs"],
                "warm": trial.warm, "cold": trial.cold,
            }
        )  # fmt: skip
        yield rows


def print_table(rows: list[dict]) -> None:
    """One row for each choice."""
    print(f"{'model':6} {'choice':40} {'epochs':>6} {'warm':>7} {'cold':>7} {'mean':>7}   validation NDCG")
    for row in rows:
        choice = ", ".join(f"{key}={value}" for key, value in row["choice"].items()) or "as in conf/base.yml"
        mean = (row["warm"] + row["cold"]) / 2
        print(f"{row['model']:6} {choice:40} {row['epochs']:6d} {row['warm']:7.4f} {row['cold']:7.4f} {mean:7.4f}")


if __name__ == "__main__":
    run_benchmark(__doc__, compare, print_table)
