"""Tables for those who want to know more about a regime than its main figures."""

from hcf_spark.report.formats import plain
from hcf_spark.report.metric_table import MetricTable, Models, build_table, differences, select

_CUTOFFS = {
    f"{key}_at_{cutoff}": f"{title}@{cutoff}"
    for key, title in (("recall", "Recall"), ("ndcg", "NDCG"), ("precision", "Precision"))
    for cutoff in (5, 20, 50)
}
_WITHIN = {"company_auc": "AUC", "company_average_precision": "Average precision"}
_EXPOSURE = {"coverage": "Coverage", "gini": "Gini index", "novelty": "Novelty in bits"}
_SLICES = {
    "known_products": "{slice} known",
    "told_products": "{slice} told",
    "text_tokens": "{slice} tokens",
    "popularity": "{slice}",
}


def build_detail_tables(models: Models, regime: str, cutoff: int) -> dict[str, MetricTable]:
    """Tables by title: other cut-offs, means over companies, what is shown, slices; those without numbers left out."""
    shown = {name: exposure[regime] for name, exposure in select(models, "exposure").items()}
    exposure = {f"{key}_at_{cutoff}": title for key, title in _EXPOSURE.items()}
    tables = {
        "at other cut-offs": _build_cutoffs(models, regime),
        "companies for a product, at other cut-offs": _build_cutoffs(models, f"companies_{regime}"),
        "within each company, mean over companies": build_table(
            select(models, regime), _WITHIN, differences(models, regime)
        ),
        f"the {cutoff} products shown to each company": build_table(shown, exposure, mark=False),
        f"NDCG@{cutoff} in slices": _build_slices(models, regime, f"ndcg_at_{cutoff}"),
        f"Recall@{cutoff} in slices": _build_slices(models, regime, f"recall_at_{cutoff}"),
    }
    return {title: table for title, table in tables.items() if table is not None}


def _build_cutoffs(models: Models, group: str) -> MetricTable | None:
    return build_table(select(models, group), _CUTOFFS, differences(models, group))


def _build_slices(models: Models, regime: str, key: str) -> MetricTable | None:
    measured, titles = {}, {}
    for name, slices in select(models, "slices").items():
        measured[name] = {}
        for kind, label in _SLICES.items():
            for part, figures in slices[regime].get(kind, {}).items():
                measured[name][f"{kind} {part}"] = figures[key]
                titles[f"{kind} {part}"] = f"{label.format(slice=part)} ({plain(figures['companies'])})"
    return build_table(measured, titles)
