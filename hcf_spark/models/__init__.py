"""The models: one contract (base.py), one file per model. Never imports pyspark or mlflow."""
