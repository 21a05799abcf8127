#!/bin/sh
# Tries new examples of every property, round after round, for so many minutes:  tools/fuzz.sh 30
# An example that fails is printed as code: it becomes an @example of its test.
set -u
cd "$(dirname "$0")/.."

until=$(($(date +%s) + 60 * ${1:-30}))
rounds=0
while [ "$(date +%s)" -lt "$until" ]; do
    HYPOTHESIS_PROFILE=fuzz .venv/bin/python -m pytest -q -m "hypothesis and not kafka" --numprocesses auto || exit 1
    rounds=$((rounds + 1))
done
echo "$rounds rounds, nothing found"
