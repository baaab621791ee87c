"""Communities of the sample world against the truth: by company vectors, and by what they are made of alone.

make benchmark NAME=communities [CONF=file] [OUT=file]
"""

import json
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from benchmarks.command import run_benchmark
from hcf_spark.communities.detect import detect_communities
from hcf_spark.config import Config
from hcf_spark.models.companies import text_mean, unit_rows
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from jobs import run_pipeline

_STARTS = 10


def run(config: Config) -> Iterator[dict[str, Any]]:
    """Run the chain, then compare with ``sample_truth``: adjusted Rand index by method, and the job's own figures.

    K-means is told the true number of communities; Leiden is told nothing. All are judged on the companies that every
    method has put somewhere.
    """
    spark = get_session("benchmark", config)
    run_pipeline.run(spark, config)
    tables, settings = Tables(spark, config), config.communities
    truth = tables.read("sample_truth", "load_tables").toPandas().set_index("company_id")
    found = tables.read("company_communities", "find_communities").toPandas().set_index("company_id")["community"]
    n_true = truth["community"].nunique()
    kinds = {
        "text": _vectors(tables, "text_embeddings"),
        "company vectors": _vectors(tables, "company_embeddings"),
        "usage": _usage(tables),
    }
    methods = {"find_communities": found}
    for kind, vectors in kinds.items():
        values = vectors.to_numpy(np.float32)
        unit = unit_rows(values, text_mean(values))
        k_means = KMeans(n_true, n_init=_STARTS, random_state=config.seed).fit_predict(unit)
        methods[f"k-means on {kind}"] = pd.Series(k_means, vectors.index)
        detected = detect_communities(values, settings.neighbours, settings.resolution, config.seed)
        methods[f"Leiden on {kind}"] = pd.Series(detected.partition.labels, vectors.index[detected.rows])
    methods, judged = on_common(methods)
    facts = json.loads((Path(config.output) / "communities.json").read_text(encoding="utf-8"))
    yield {
        "true_communities": n_true,
        "companies": judged,
        "methods": {name: _judge(labels, truth) for name, labels in methods.items()},
        **{key: facts[key] for key in ("stability", "usage", "groups", "modularity")},
    }


def on_common(methods: dict[str, pd.Series]) -> tuple[dict[str, pd.Series], int]:
    """The methods' labels of the companies that all of them have, and how many these are."""
    common = reduce(pd.Index.intersection, (labels.index for labels in methods.values()))
    return {name: labels.loc[common] for name, labels in methods.items()}, len(common)


def _vectors(tables: Tables, name: str) -> pd.DataFrame:
    rows = tables.read(name, "the chain").select("company_id", "embedding").toPandas()
    return pd.DataFrame(np.stack(rows["embedding"]), rows["company_id"])


def _usage(tables: Tables) -> pd.DataFrame:
    pairs = tables.read("usage", "load_tables").select("company_id", "product_id").toPandas()
    return pd.crosstab(pairs["company_id"], pairs["product_id"]).clip(upper=1)


def _judge(labels: pd.Series, truth: pd.DataFrame) -> dict[str, float]:
    true = truth.loc[labels.index]
    return {
        "communities": int(labels.nunique()),
        "community_adjusted_rand": float(adjusted_rand_score(true["community"], labels)),
        "industry_adjusted_rand": float(adjusted_rand_score(true["industry"], labels)),
    }


def print_table(found: dict[str, Any]) -> None:
    """The methods, as Markdown, and what the job says of its own."""
    print(f"\n{found['true_communities']} true communities, judged on {found['companies']:,} companies")
    print("\n| method | found | ARI communities | ARI industries |\n|---|---|---|---|")
    for name, row in found["methods"].items():
        figures = f"{row['community_adjusted_rand']:.3f} | {row['industry_adjusted_rand']:.3f}"
        print(f"| {name} | {row['communities']} | {figures} |")
    for key in ("modularity", "stability", "usage"):
        print(f"{key}: {json.dumps(found[key])}")


if __name__ == "__main__":
    run_benchmark(__doc__, run, print_table)
