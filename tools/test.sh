#!/bin/sh
# Runs the tests, those of the folders and files given or all:  tools/test.sh tests/frames
# What is pure goes over all cores. What needs a broker goes by itself afterwards: such tests wait for processes that
# would have to share the cores with the others.
set -u
cd "$(dirname "$0")/.."

part() {
    .venv/bin/python -m pytest "$@"
    status=$?
    # 5: none of the tests asked for is of this part.
    [ "$status" -eq 5 ] || found=yes
    [ "$status" -eq 0 ] || [ "$status" -eq 5 ] || failed=$status
}

failed=0
found=
part -m "not kafka" --numprocesses auto --dist loadgroup "$@"
part -m kafka "$@"
[ -n "$found" ] || { echo "no test in: $*" >&2; exit 5; }
exit "$failed"
