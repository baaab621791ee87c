"""Communities of companies: graph, partition, and how far they can be trusted. Never imports pyspark or mlflow."""
