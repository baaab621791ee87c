"""Small models with their vocabularies, as they travel to the registry and to the executors."""

import numpy as np

from hcf_spark.config import Config
from hcf_spark.models.base import Model
from hcf_spark.models.directory import Directory
from hcf_spark.models.hcf import Hcf
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.text.spec import resolve_encoder


def make_hcf(dimension: int = 16, n_companies: int = 3, n_products: int = 5, seed: int = 0) -> Hcf:
    """The paper's model with random weights."""
    random = np.random.default_rng(seed)
    shapes = {
        "companies.weight": (n_companies, dimension), "products.weight": (n_products, dimension),
        "products.bias": n_products, "text_mean": dimension,
    }  # fmt: skip
    return Hcf.from_arrays({name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()})


def make_package(
    model: Model, config: Config, n_products: int = 5, n_companies: int = 3, directory: Directory | None = None
) -> ModelPackage:
    """A model of the products p0, p1 .. and the training companies c0, c1 .., with the encoder of the settings."""
    spec = resolve_encoder(config.encoder)
    about = About(
        text_columns=tuple(config.text.columns),
        encoder=config.encoder.model_dump(),
        encoder_id=spec.encoder_id,
        text_dimension=spec.dimension,
        snapshot_id="snapshot 1",
        top_k=config.score.top_k,
    )
    products = [f"p{product}" for product in range(n_products)]
    companies = [f"c{company}" for company in range(n_companies)]
    return ModelPackage(model, products, [name.upper() for name in products], companies, about, directory)
