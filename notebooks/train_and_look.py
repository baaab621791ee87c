# Databricks notebook source
# MAGIC %md
# MAGIC # Train, look, load
# MAGIC Builds the matrix, encodes the texts, compares the models, scores every company, and loads the registered model.
# MAGIC Install the wheel on the cluster first (`dist/*.whl`). The widgets take what the jobs take as flags.

# COMMAND ----------

dbutils.widgets.text("conf", "", "settings files, comma separated")
dbutils.widgets.text("set", "", "settings a.b=value, separated by ;")

# COMMAND ----------

import mlflow
import pandas as pd

from hcf_spark.config import load_config
from hcf_spark.spark.tables import Tables
from jobs import build_matrix, embed_companies, load_tables, score_companies, train_model

config = load_config(
    [file for file in dbutils.widgets.get("conf").split(",") if file],
    [setting for setting in dbutils.widgets.get("set").split(";") if setting],
)
tables = Tables(spark, config)
print(config.to_yaml())

# COMMAND ----------

# MAGIC %md ## From tables to a registered model

# COMMAND ----------

load_tables.run(spark, config)
report = build_matrix.run(spark, config)
display(pd.DataFrame(report.sizes))

# COMMAND ----------

embed_companies.run(spark, config)
metrics = train_model.run(spark, config)
display(pd.DataFrame({name: row["warm"] for name, row in metrics["models"].items()}).T)
display(pd.DataFrame({name: row["cold"] for name, row in metrics["models"].items()}).T)

# COMMAND ----------

# MAGIC %md ## What every company may adopt next

# COMMAND ----------

score_companies.run(spark, config)
display(tables.read("company_scores", "score_companies").where("rank <= 3").orderBy("company_id", "rank").limit(30))

# COMMAND ----------

# MAGIC %md ## A company nobody has seen, by the registered model

# COMMAND ----------

model = mlflow.pyfunc.load_model(f"models:/{config.mlflow.model_name}@champion")
column = config.text.columns[0]
recommendations = model.predict(pd.DataFrame({column: ["We build web applications for hospitals."]}), params={"top_k": 5})
display(recommendations)
