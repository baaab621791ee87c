"""The present champion, as far as a challenger can be measured by it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from mlflow.tracking import MlflowClient

from hcf_spark.models.package import About, ModelPackage
from hcf_spark.models.translated import Translated
from hcf_spark.tracking.gate import LINEAGE_TAG
from hcf_spark.tracking.registry import CHAMPION, fetch, find_alias

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """The version that has the alias, and its model asked in the challenger's vocabularies."""

    version: str
    model: Translated


def load_champion(name: str, lineage: str, challenger: ModelPackage, folder: Path) -> Champion | None:
    """The champion if there is one that knows the same world; None otherwise, with the reason in the log.

    Args:
        name: of the registered model.
        lineage: of the challenger; a champion of another one has seen other data, or what is held out now.
        challenger: a champion by other text vectors cannot read its.
        folder: for its package.
    """
    version = find_alias(name, CHAMPION)
    if version is None:
        return None
    if MlflowClient().get_model_version(name, version).tags.get(LINEAGE_TAG) != lineage:
        logger.warning("champion version %s is no measure: it comes from other data or another split", version)
        return None
    try:
        package = ModelPackage.load(fetch(name, CHAMPION, folder).package)
    except Exception as error:  # whatever wrote it, of whatever version, costs this run nothing
        logger.warning("champion version %s is no measure: it does not load (%s)", version, error)
        return None
    if _text_vectors(package.about) != _text_vectors(challenger.about):
        logger.warning("champion version %s is no measure: its text vectors are of another kind", version)
        return None
    return Champion(version, Translated.of(package, challenger.company_ids, challenger.product_ids))


def _text_vectors(about: About) -> tuple[str, tuple[str, ...], str]:
    return about.encoder_id, about.text_columns, about.text_combine
