# `make` alone lists the commands. Each first sets up what it needs in .venv, once; the versions are those of
# constraints.txt. Another Python: make report PYTHON=python3.13

PYTHON ?= python3
CHAPTER ?= 08

VENV := .venv
RUN := $(VENV)/bin/python
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))

# Empty files that say what .venv holds: written last, so that an install that failed is tried again.
CREATED := $(VENV)/.created
BASE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: help report test course chapters figures lint exercises zoo seeds clean
.NOTPARALLEL:

help:
	@echo 'make report     run a chapter into an HTML report: the VAE, or another with CHAPTER=04'
	@echo 'make course     open your own workbook in JupyterLab: the chapters, with exercises to write'
	@echo 'make test       run every test, chapters included'
	@echo 'make chapters   run all chapters again and store their outputs in place'
	@echo 'make figures    put all figures of the chapters on one page, reports/figures.html'
	@echo 'make lint       check the style of code and notebooks (a part of make test)'
	@echo 'make exercises  try solutions, stubs, wrong and right answers of every exercise (a part of make test)'
	@echo 'make seeds      run all chapters at seeds 0 to 4: which assertions fail, what the records scatter by'
	@echo 'make zoo        plant faults in the package: the assertions of the chapters must find them'
	@echo 'make clean      remove .venv and caches; reports, downloaded data and copies stay'

report: $(BASE)
	@$(RUN) -m vaecourse report $(CHAPTER)

course: $(BASE)
	@$(RUN) -m vaecourse course

figures: $(BASE)
	@$(RUN) -m vaecourse figures

# One thread, if the caller asks for no other number: with more, the last digits of a training run depend on the
# machine, and the threads of these small models wait for each other for minutes where other programs run beside them.
report chapters test exercises zoo seeds: export OMP_NUM_THREADS ?= 1

chapters: $(BASE)
	@$(RUN) -m vaecourse chapters

lint: $(DEV)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

exercises: $(DEV)
	$(RUN) tests/run_exercises.py

seeds: $(BASE)
	@$(RUN) -m vaecourse seeds

test: lint exercises
	$(RUN) -m pytest -n 2
	$(RUN) -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 -n 2 --dist loadfile chapters

zoo: $(DEV)
	@$(RUN) tests/zoo.py

clean:
	rm -rf $(VENV) *.egg-info build .pytest_cache .ruff_cache .hypothesis
	find vaecourse tests chapters -name __pycache__ -prune -exec rm -rf {} +
	find chapters -name .ipynb_checkpoints -prune -exec rm -rf {} +

# A Python that was removed since leaves a .venv that cannot run: then it is made anew.
ifeq ($(realpath $(RUN)),)
.PHONY: $(CREATED)
endif

$(CREATED):
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
	  version=$$($(PYTHON) -c 'import sys; print(sys.version.split()[0])' 2>/dev/null || echo 'not to be found'); \
	  echo "The course needs Python 3.11 to 3.14, and $(PYTHON) is $$version:" \
	    "name another, as in make report PYTHON=python3.13" >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(if $(realpath $(RUN)),,--clear) $(VENV)
	@touch $@

$(BASE): $(CREATED) pyproject.toml constraints.txt
	$(RUN) -m pip install -c constraints.txt -e .
	@touch $@

# What the tests need includes what the chapters need.
$(DEV): $(CREATED) pyproject.toml constraints.txt
	$(RUN) -m pip install -c constraints.txt -e ".[dev]"
	@touch $(BASE) $@
