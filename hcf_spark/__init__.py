"""Hybrid collaborative filtering (HCF, arXiv 2410.20325) of companies and products as a distributed Spark job."""

__version__ = "0.3.0"
