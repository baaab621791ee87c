"""Stage 1 on Spark against the usual ways to encode texts, in one run on the same texts, and what a second run costs.

make benchmark NAME=embed [DATA=folder] [CONF=file] [OUT=file]

Every text is cut to one window of the encoder, since the other ways read no more. All have the same cores. Neither
Spark's start nor loading a model is counted; the systems take turns, and the median of their times is taken.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from benchmarks.command import run_benchmark
from hcf_spark.config import Config
from hcf_spark.spark.checks import check_companies, filter_where
from hcf_spark.spark.embed import embed_companies
from hcf_spark.spark.embed_counts import EmbedCounts
from hcf_spark.spark.encode import encode_texts
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.texts import select_texts
from hcf_spark.text.effort import Effort, add_up
from hcf_spark.text.spec import EncoderSpec, resolve_encoder
from jobs import load_tables

Numbers = dict[str, Any]

ROUNDS = 3
MOST_TEXTS = 1_000
EXAMPLE_BATCH = 32
WARM_UP_TEXTS = 8
CHANGED_SHARE = 0.01


def read_texts(companies: DataFrame, column: str, spec: EncoderSpec) -> list[str]:
    """The first texts in table order, each cut to one window."""
    texts = [row.text for row in select_texts(companies, [column]).select("text").limit(MOST_TEXTS).collect()]
    tokenizer = AutoTokenizer.from_pretrained(spec.folder)
    room = spec.max_tokens - tokenizer.num_special_tokens_to_add()
    cut = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=room, return_offsets_mapping=True)
    return [
        text[: offsets[-1][1]] if offsets else text for text, offsets in zip(texts, cut["offset_mapping"], strict=True)
    ]


def make_example_udf(spec: EncoderSpec) -> Callable[[str], Column]:
    """The pattern of Spark's and NVIDIA's examples: 32 rows as they come, padded to the longest of them."""
    folder, max_tokens = spec.folder, spec.max_tokens

    def make_predict_fn() -> Callable[[np.ndarray], np.ndarray]:
        tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

        def predict(texts: np.ndarray) -> np.ndarray:
            batch = tokenizer(list(texts), padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
            with torch.inference_mode():
                mask = batch["attention_mask"].unsqueeze(-1)
                hidden = model(**batch).last_hidden_state
                return ((hidden * mask).sum(1) / mask.sum(1)).numpy()

        return predict

    return predict_batch_udf(make_predict_fn, return_type=ArrayType(FloatType()), batch_size=EXAMPLE_BATCH)


class Systems:
    """The ways to encode, each with a model of its own."""

    def __init__(self, spark: SparkSession, spec: EncoderSpec, folder: Path) -> None:
        self.n_cores = spark.range(10_000).select(F.spark_partition_id()).distinct().count()
        self._spark, self._spec, self._folder = spark, spec, folder
        self._example_udf = make_example_udf(spec)
        self._sentence_transformer = SentenceTransformer(spec.folder, device="cpu")

    def runs(self, texts: list[str]) -> dict[str, Callable[[], Effort]]:
        """Functions that encode the texts and count them; Spark reads these from as many files as it has cores."""
        parts = [part.tolist() for part in np.array_split(texts, self.n_cores)]
        folder = self._folder / f"{len(texts)} texts"
        folder.mkdir(parents=True)
        for number, part in enumerate(parts):
            rows = pd.DataFrame({"text_hash": [f"{number}-{row}" for row in range(len(part))], "text": part})
            rows.to_parquet(folder / f"{number}.parquet")
        table = self._spark.read.parquet(str(folder))
        in_table_order = add_up(self._count(part) for part in parts)
        by_length = self._count(sorted(texts, key=len, reverse=True))

        def run_hcf_spark(precision: str) -> Effort:
            encoded = encode_texts(table, replace(self._spec, precision=precision))
            rows = self._write(encoded).where("effort IS NOT NULL").collect()
            return add_up(Effort(**json.loads(row.effort)) for row in rows)

        def run_predict_batch_udf() -> Effort:
            self._write(table.select("text_hash", self._example_udf("text").alias("embedding")))
            return in_table_order

        def run_single_process() -> Effort:
            torch.set_num_threads(self.n_cores)
            self._sentence_transformer.encode(texts, batch_size=EXAMPLE_BATCH, show_progress_bar=False)
            return by_length

        return {
            "hcf_spark": partial(run_hcf_spark, "float32"),
            "hcf_spark in bfloat16": partial(run_hcf_spark, "bfloat16"),
            "predict_batch_udf": run_predict_batch_udf,
            "single_process": run_single_process,
        }

    def _write(self, vectors: DataFrame) -> DataFrame:
        folder = str(self._folder / "vectors")
        vectors.write.mode("overwrite").parquet(folder)
        return self._spark.read.schema(vectors.schema).parquet(folder)

    def _count(self, texts: list[str]) -> Effort:
        """Of batches of 32 in the order given."""
        tokenizer = self._sentence_transformer.tokenizer
        ids = tokenizer(texts, truncation=True, max_length=self._spec.max_tokens)["input_ids"]
        batches = [ids[start : start + EXAMPLE_BATCH] for start in range(0, len(ids), EXAMPLE_BATCH)]
        padded = sum(len(batch) * max(map(len, batch)) for batch in batches)
        return Effort(texts=len(ids), tokens=sum(map(len, ids)), padded_tokens=padded)


def compare(systems: Systems, texts: list[str]) -> dict[str, Numbers]:
    """Each system's figures; a timed run comes right after one over a few texts, in which the model is loaded."""
    runs, few = systems.runs(texts), systems.runs(texts[:WARM_UP_TEXTS])
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    efforts = {}
    for turn in range(ROUNDS):
        for name in list(runs)[:: (-1) ** turn]:
            few[name]()
            start = time.perf_counter()
            efforts[name] = runs[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: _figures(efforts[name], seconds[name]) for name in runs}


def _figures(effort: Effort, seconds: list[float]) -> Numbers:
    median = float(np.median(seconds))
    return {
        "seconds": median,
        "texts_per_second": effort.texts / median,
        "tokens_per_second": effort.tokens / median,
        "padded_tokens_per_second": effort.padded_tokens / median,
        "padded_per_token": effort.padded_tokens / effort.tokens,
        "seconds_of_each_turn": seconds,
    }


def run_again(tables: Tables, companies: DataFrame, spec: EncoderSpec, config: Config) -> Numbers:
    """The whole stage on whole texts: from nothing, with nothing changed, and with 1% of the texts changed."""

    def run(rows: DataFrame) -> tuple[EmbedCounts, int]:
        return embed_companies(tables, rows, spec, config), tables.version("text_embeddings")

    first, version = run(companies)
    unchanged, same_version = run(companies)
    column = config.text.columns[0]
    texts = select_texts(companies, [column]).dropDuplicates(["text_hash"]).orderBy("company_id").select("company_id")
    keys = [row.company_id for row in texts.collect()]
    chosen = np.random.default_rng(0).choice(keys, max(round(CHANGED_SHARE * len(keys)), 1), replace=False).tolist()
    other = F.when(F.col("company_id").isin(chosen), F.concat(F.lit("Now: "), column)).otherwise(F.col(column))
    changed, _ = run(companies.withColumn(column, other))
    return {
        "texts": first.n_texts,
        "encoded_first": first.n_encoded,
        "seconds_first": first.seconds,
        "encoded_unchanged": unchanged.n_encoded,
        "seconds_unchanged": unchanged.seconds,
        "new_version_unchanged": same_version != version,
        "changed": len(chosen),
        "encoded_changed": changed.n_encoded,
        "seconds_changed": changed.seconds,
        "token_ratio_changed": changed.effort.tokens / first.effort.tokens,
        "model_time_ratio_changed": changed.effort.model_seconds / first.effort.model_seconds,
    }


def measure(config: Config) -> Iterator[Numbers]:
    """Everything, on the input that the settings name."""
    spark = get_session("benchmark", config)
    load_tables.run(spark, config)
    spec, tables = resolve_encoder(config.encoder), Tables(spark, config)
    loaded = tables.read("companies", "load_tables")
    companies = check_companies(filter_where(loaded, "input.companies_where", config.input.companies_where)).good
    systems = Systems(spark, spec, Path(config.output) / "systems")
    found = compare(systems, read_texts(companies, config.text.columns[0], spec))
    speed = {name: figures["texts_per_second"] for name, figures in found.items()}
    yield {
        "ratio_to_predict_batch_udf": speed["hcf_spark"] / speed["predict_batch_udf"],
        "ratio_to_single_process": speed["hcf_spark"] / speed["single_process"],
        "cores": systems.n_cores,
        "encoder": spec.encoder_id,
        "systems": found,
        "incremental": run_again(tables, companies, spec, config),
    }


def print_table(found: dict[str, Any]) -> None:
    """One row for each system, then the ratios and what a second run does."""
    columns = "seconds", "texts_per_second", "tokens_per_second", "padded_tokens_per_second", "padded_per_token"
    print(f"{found['encoder']} on {found['cores']} cores")
    print(f"{'system':21}", *(f"{name:>25}" for name in columns))
    for name, figures in found["systems"].items():
        print(f"{name:21}", *(f"{figures[column]:25,.2f}" for column in columns))
    print(f"texts per second: {found['ratio_to_predict_batch_udf']:.2f} times predict_batch_udf's, "
          f"{found['ratio_to_single_process']:.2f} times the single process's")  # fmt: skip
    print("run again:", ", ".join(f"{name} {value}" for name, value in found["incremental"].items()))


if __name__ == "__main__":
    run_benchmark(__doc__, measure, print_table)
