# Needs make and Python 3.11 or newer; each target makes its own .venv from a lock file the first time.
# Another Python than the first one found: make test PYTHON=python3.12
.DEFAULT_GOAL := help
.PHONY: help demo test lint check format bench fuzz chaos soak lock dashboards up up-check backfill down clean runtime dev form style types imports

SPEED ?= 20
TESTS ?=
BENCH ?=
KILLS ?= 20
MINUTES ?= 30
SEED ?=
UPGRADE ?=
PROFILE ?=
FILE ?=
BIN := .venv/bin
COMPOSE := docker compose --env-file deploy/.env
export PYTHON

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: runtime ## watch relaywatch say what happened to flight 72, on a private Kafka (SPEED=20)
	@$(BIN)/relaywatch demo --speed $(SPEED)

test: dev ## run every test (TESTS=tests/frames runs a part)
	@tools/test.sh $(TESTS)

lint: form style types imports ## format, style, types and import contracts, without the tests

form: dev
	$(BIN)/ruff format --check

style: dev
	$(BIN)/ruff check

types: dev
	$(BIN)/mypy

imports: dev
	$(BIN)/lint-imports

check: lint test ## all that must pass before a change is shared: lint and test

format: dev ## write the code as ruff formats it, and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: dev ## measure speed as ratios to a fixed loop, memory, and alerts on 2,000 flights (BENCH="flights --seed 7")
	@$(BIN)/python -m tests.bench $(BENCH)

fuzz: dev ## try new examples of every property until the time is up; one that fails is printed (MINUTES=30)
	@tools/fuzz.sh $(MINUTES)

chaos: dev ## kill workers and broker in the midst of a replay: nothing lost, nothing said twice (KILLS=20 SEED=1)
	@$(BIN)/python -m tests.chaos --kills $(KILLS) $(if $(SEED),--seed $(SEED))

soak: dev ## the same for as long as one likes, run after run, with rubbish among the records (MINUTES=30 SEED=1)
	@$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

lock: ## write both lock files from pyproject.toml (needs uv; UPGRADE=--upgrade takes newer versions)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile pyproject.toml --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -o requirements.lock
	uv pip compile pyproject.toml --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --group dev -o requirements-dev.lock

dashboards: dev ## write deploy/grafana/dashboards from deploy/grafana/source
	$(BIN)/python -m deploy.grafana.source

up: deploy/.env ## Kafka, workers, Prometheus, Alertmanager and Grafana in containers (PROFILE=demo: and flight 72 replayed)
	$(COMPOSE) $(PROFILE:%=--profile %) up --build --detach --wait

up-check: ## ask the running Grafana whether every dashboard is there and shows something
	@$${PYTHON:-python3} tools/up_check.py

backfill: runtime deploy/.env ## a recording into the Prometheus of the containers, at its own time (FILE=flight-72.mcap)
	@$(BIN)/relaywatch backfill $(FILE) --openmetrics - | $(COMPOSE) exec -T prometheus sh -euc \
		'cat > /tmp/text && promtool tsdb create-blocks-from openmetrics --quiet /tmp/text /prometheus; rm /tmp/text'

down: deploy/.env ## stop the containers; what they stored stays
	$(COMPOSE) --profile demo down

deploy/.env:
	@echo "No deploy/.env: copy deploy/example.env to it and set the password in it" >&2; exit 1

clean: ## remove .venv, caches and what was built
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

runtime:
	@tools/venv.sh requirements.lock

dev:
	@tools/venv.sh requirements-dev.lock
