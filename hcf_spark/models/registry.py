"""Which class is behind a model's name; imported on demand, so that one model's libraries burden no other."""

import importlib

from hcf_spark.errors import RegistryError
from hcf_spark.models.base import Model

_CLASSES = {
    "popularity": "hcf_spark.models.popularity:Popularity",
    "item_knn": "hcf_spark.models.item_knn:ItemKnn",
    "ease": "hcf_spark.models.ease:Ease",
    "ials": "hcf_spark.models.ials:Ials",
    "ae": "hcf_spark.models.text_ridge:TextRidge",
    "text_knn": "hcf_spark.models.text_knn:TextKnn",
    "text_knn_words": "hcf_spark.models.text_knn_words:TextKnnWords",
    "hybrid_knn": "hcf_spark.models.hybrid_knn:HybridKnn",
    "ease_text": "hcf_spark.models.ease_text:EaseText",
    "neighbour_ridge": "hcf_spark.models.neighbour_ridge:NeighbourRidge",
    "calibrated": "hcf_spark.models.calibrated:Calibrated",
    "mixture": "hcf_spark.models.mixture:Mixture",
    "fused": "hcf_spark.models.fused:Fused",
    "ease_text_ials": "hcf_spark.models.ease_text_ials:EaseTextIals",
    "rotated": "hcf_spark.models.rotated:Rotated",
    "dcf": "hcf_spark.models.hcf:Dcf",
    "hcf": "hcf_spark.models.hcf:Hcf",
    "text_dae": "hcf_spark.models.text_dae:TextDae",
}
_BY_REGIME = "hcf_spark.models.by_regime:ByRegime"


def model_class(name: str) -> type[Model]:
    """The class of a model by its name; names of the form ``warm+cold`` are pairs.

    >>> model_class("ease").__name__, model_class("ease+ae").__name__
    ('Ease', 'ByRegime')

    Raises:
        RegistryError: there is none of that name.
    """
    if "+" not in name and name not in _CLASSES:
        raise RegistryError(
            f"this version of hcf_spark has no model {name!r}: it was saved by another one; load it with that, or "
            "train_model again"
        )
    module, _, attribute = (_BY_REGIME if "+" in name else _CLASSES[name]).partition(":")
    return getattr(importlib.import_module(module), attribute)
