# make demo [DATA=folder] [CONF=file] [OUT=folder]   the whole chain on one machine
# make test                                          all tests
# make benchmark NAME=name [DATA=folder] [CONF=file] [OUT=file] [KEEP=folder]
PYTHON ?= python3
OUT ?= out/demo
ENV := .venv
RUN := $(ENV)/bin/python

.PHONY: demo test lint wheel benchmark platform environment clean
.DEFAULT_GOAL := demo

demo: environment
	@$(RUN) -m jobs.run_pipeline --conf conf/demo.yml --set output="$(OUT)" \
		$(if $(DATA),--set input.source=csv --set input.folder="$(DATA)") $(if $(CONF),--conf "$(CONF)")

test: environment lint
	@OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: environment
	@$(ENV)/bin/ruff check . && $(ENV)/bin/ruff format --check .

wheel: environment
	@rm -rf build && $(RUN) -m build --wheel --no-isolation

benchmark: environment
	@$(RUN) -m benchmarks.$(NAME) $(if $(DATA),--data "$(DATA)") $(if $(CONF),--conf "$(CONF)") $(if $(KEEP),--keep "$(KEEP)") $(if $(filter file,$(origin OUT)),,--out "$(OUT)")

platform:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "error: $(PYTHON) is not Python 3.11 or 3.12; install one (Debian 12: apt-get install python3 python3-venv) and name it: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) hcf_spark/java.py

environment: platform $(ENV)/.done

$(ENV)/.done: setup.py constraints.txt conf/spark-defaults.conf
	@echo "making the environment in $(ENV) (a few minutes, once)"
	@$(PYTHON) -m venv $(ENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,test]'
	@conf=$$($(RUN) -c 'import os, pyspark; print(os.path.join(os.path.dirname(pyspark.__file__), "conf"))') && \
		mkdir -p "$$conf" && cp conf/spark-defaults.conf "$$conf/"
	@touch $@

clean:
	rm -rf $(ENV) out dist build *.egg-info
