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

_ERROR_SHOWN = 300


@dataclass(frozen=True)
class Champion:
    """The version that has the alias.

    Attributes:
        version: of the registered model.
        model: asked in the challenger's vocabularies; None where it cannot be asked.
        not_compared: why its scores are no measure of the challenger's; None where they are.
    """

    version: str
    model: Translated | None
    not_compared: str | None


def load_champion(name: str, lineage: str, challenger: ModelPackage, folder: Path) -> Champion | None:
    """The champion if there is one, as far as a challenger can be measured by it; if it cannot, the log says why too.

    Args:
        name: of the registered model.
        lineage: of the challenger; a champion of another one has seen other data, or what is held out now.
        challenger: a champion by other text vectors cannot read its.
        folder: for its package.
    """
    version = find_alias(name, CHAMPION)
    if version is None:
        return None
    model, reason = _ask(name, challenger, folder)
    if reason is None and MlflowClient().get_model_version(name, version).tags.get(LINEAGE_TAG) != lineage:
        reason = "it comes from other data or another split"
    if reason is not None:
        logger.warning("champion version %s is no measure: %s", version, reason)
    return Champion(version, model, reason)


def _ask(name: str, challenger: ModelPackage, folder: Path) -> tuple[Translated | None, str | None]:
    """The champion's model in the vocabularies of the challenger, or why there is none."""
    try:
        package = ModelPackage.load(fetch(name, CHAMPION, folder).package)
    except Exception as error:  # whatever wrote it, of whatever version, costs this run nothing
        return None, f"it does not load ({' '.join(str(error).split())[:_ERROR_SHOWN]})"
    if _text_vectors(package.about) != _text_vectors(challenger.about):
        return None, "its text vectors are of another kind"
    return Translated.of(package, challenger.company_ids, challenger.product_ids), None


def _text_vectors(about: About) -> tuple[str, tuple[str, ...], str]:
    return about.encoder_id, about.text_columns, about.text_combine
