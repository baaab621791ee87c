"""Latency of the registered model for one company: text in, products out, and the part of it that is the encoder.

make benchmark NAME=latency [OUT=file]; the model is the fused one, the encoder all-MiniLM-L6-v2
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import scipy.sparse as sp

from hcf_spark.config import load_config
from hcf_spark.models.base import Model
from hcf_spark.models.calibrated import Calibrated, RowCalibration
from hcf_spark.models.companies import Companies, text_mean
from hcf_spark.models.ease_text import EaseTextStatistics
from hcf_spark.models.ease_text_ials import EaseTextIals
from hcf_spark.models.fused import Fused
from hcf_spark.models.hybrid_knn import HybridKnn
from hcf_spark.models.ials import Ials
from hcf_spark.models.mixture import Mixture
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidgeStatistics
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_dae import TextDae
from hcf_spark.models.text_knn import TextNeighbours
from hcf_spark.models.text_knn_words import TextKnnWords
from hcf_spark.models.word_reference import WordReference
from hcf_spark.nn.autoencoder import TextAutoencoder
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.text.words import count_words
from hcf_spark.tracking import registry
from hcf_spark.tracking.run import tracked_run

PRODUCTS_EACH = 12
NEIGHBOURS, HIDDEN = 100, 256
WORDS = (
    "we", "build", "cloud", "software", "for", "hospitals", "banks", "farms", "shops", "our", "platform", "moves",
    "data", "between", "teams", "that", "plan", "sell", "ship", "support", "machines", "energy", "travel", "homes",
)  # fmt: skip
N_WORDS, N_NAMES = 50, 10
WARM_UP = 10


def measure(model: mlflow.pyfunc.PyFuncModel, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds of a call of the loaded model with the text of one company.

    Args:
        model: the loaded model.
        texts: asked one after the other, 10 of them once before the clock starts.

    Returns:
        median and p99 of the whole call; encoder_median, of the same texts through the encoder alone.
    """
    recommender = model.unwrap_python_model()
    column = recommender.package.about.text_columns[0]
    whole, encoder = [], []
    for text in [*texts[:WARM_UP], *texts]:
        question, start = pd.DataFrame({column: [text]}), time.perf_counter()
        model.predict(question)
        whole.append(time.perf_counter() - start)
        start = time.perf_counter()
        recommender.encoder.encode([text])
        encoder.append(time.perf_counter() - start)
    whole, encoder = (1_000 * np.array(seconds[WARM_UP:]) for seconds in (whole, encoder))
    return {
        "median": float(np.median(whole)),
        "p99": float(np.quantile(whole, 0.99)),
        "encoder_median": float(np.median(encoder)),
    }


def make_texts(count: int) -> list[str]:
    """Texts as long as a description, none like another: common words, and names of which most are rare."""
    random = np.random.default_rng(0)
    names = random.zipf(1.3, (count, N_NAMES)) % 100_000
    return [" ".join([*random.choice(WORDS, N_WORDS), *(f"name{name}" for name in own)]) for own in names]


def fit_model(n_companies: int, n_products: int, text_dimension: int) -> Model:
    """The fused model of random companies: latency depends on its size, not on what it has learnt."""
    random = np.random.default_rng(0)
    products = (n_products * random.random((n_companies, PRODUCTS_EACH)) ** 3).astype(np.int64)
    starts = np.arange(n_companies + 1) * PRODUCTS_EACH
    known = sp.csr_matrix(
        (np.ones(products.size, np.float32), products.ravel(), starts), shape=(n_companies, n_products)
    )
    known.sum_duplicates()
    known.data[:] = 1
    text = random.standard_normal((n_companies, text_dimension), np.float32)
    companies = Companies(text, known, np.arange(n_companies), count_words(make_texts(n_companies)))
    near = Neighbourhood(TextNeighbours(Reference.of(companies), NEIGHBOURS), NEIGHBOURS, sharpness=10.0)
    ridge = NeighbourRidgeStatistics.of(companies, near).fit(10.0, offset=0.5)
    linear = EaseTextStatistics.of(companies).fit(n_companies / 10, 10.0, 10.0, seed=0)
    nearest = HybridKnn.fit(companies, Reference.of(companies), 0, NEIGHBOURS, sharpness=10.0, text_share=0.5)
    ials = Ials.fit(companies, 0, factors=64, regularization=0.1, alpha=10.0, iterations=2)
    network = TextDae(TextAutoencoder(n_products, text_dimension, HIDDEN, dropout=0.0), text_mean(text))
    words = TextKnnWords.fit(
        companies, TextNeighbours(WordReference.of(companies), NEIGHBOURS), 0, NEIGHBOURS, sharpness=10.0
    )
    warm = Mixture((EaseTextIals(linear, ials, 0.1), nearest, network), (1.0, 0.1, 0.1))
    cold = Mixture((ridge, words), (1.0, 1.0))
    calibration = RowCalibration(1.0, 1.0, 0.0, np.zeros(2), np.zeros(2), np.ones(2))
    return Calibrated(Fused.of_parts(warm, cold, companies, vector_size=256, seed=0), calibration, calibration)


def load_registered(n_companies: int, n_products: int, output: Path) -> mlflow.pyfunc.PyFuncModel:
    """A model of so many reference companies and products, through the registry."""
    config = load_config(overrides=[f"output={output}"])
    spec = resolve_encoder(config.encoder)
    about = About(
        text_columns=tuple(config.text.columns),
        encoder=config.encoder.model_dump(),
        encoder_id=spec.encoder_id,
        text_dimension=spec.dimension,
        snapshot_id="random",
        top_k=config.score.top_k,
    )
    names = [f"product {number}" for number in range(n_products)]
    companies = [f"company {number}" for number in range(n_companies)]
    model = fit_model(n_companies, n_products, spec.dimension)
    ModelPackage(model, names, names, companies, about).save(output / registry.PACKAGE)
    example = pd.DataFrame({about.text_columns[0]: make_texts(1)})
    signature = registry.make_signature(about.text_columns, about.top_k)
    with tracked_run(config, "benchmark", {}):
        registry.register("latency", output / registry.PACKAGE, Path(spec.folder), signature, example)
    return mlflow.pyfunc.load_model(f"models:/latency@{registry.CHALLENGER}")


def main(argv: list[str] | None = None) -> int:
    """Print the latencies, and write them as JSON where --out says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=20_000, help="reference companies of the model")
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--out")
    flags = parser.parse_args(argv)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as output:
        model = load_registered(flags.companies, flags.products, Path(output))
        found = {"latency_ms": measure(model, make_texts(flags.calls))}
    print(f"one company, {flags.companies:,} reference companies, {flags.products:,} products, {flags.calls} calls")
    print("ms:", ", ".join(f"{name} {value:.1f}" for name, value in found["latency_ms"].items()))
    if flags.out:
        Path(flags.out).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
