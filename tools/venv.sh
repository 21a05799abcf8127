#!/bin/sh
# Makes .venv from a lock file, or does nothing where it is made already:  tools/venv.sh requirements-dev.lock
# PYTHON=python3.12 chooses the Python. Copies of the locks it was made from lie in the .venv: a lock that differs
# from its copy makes it anew, whatever the times of the files say.
set -eu
cd "$(dirname "$0")/.."
lock=$1
venv=.venv

say() { printf '%s\n' "$*" >&2; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# One that is only named on the path does not count: a version manager's stand-in may start nothing.
find_python() {
    for one in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if is_new_enough "$one"; then
            printf '%s\n' "$one"
            return
        fi
    done
    found=$("${PYTHON:-python3}" --version 2>/dev/null || true)
    say "relaywatch needs Python 3.11 or newer; ${PYTHON:-python3} is ${found:-not there}"
    say "Install one, or name one that is there: make test PYTHON=python3.12"
    exit 1
}

same() { cmp -s "$1" "$venv/made-from/$1"; }

keep() { mkdir -p "$venv/made-from" && cp "$1" "$venv/made-from/$1"; }

version_of() { "$1" -c 'import sys; print(sys.version_info[:3])' 2>/dev/null || true; }

is_stale() {
    [ -x "$venv/bin/python" ] && is_new_enough "$venv/bin/python" || return 0
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of "$venv/bin/python")" ] || return 0
    for one in requirements.lock requirements-dev.lock; do
        [ ! -f "$venv/made-from/$one" ] || same "$one" || return 0
    done
    return 1
}

make_venv() {
    python=$(find_python)
    if [ -e "$venv" ]; then
        say "The lock files or the Python have changed: making $venv anew"
        rm -rf "$venv"
    fi
    say "Making $venv with $("$python" --version)"
    if ! "$python" -m venv "$venv" >&2; then
        rm -rf "$venv"
        say "$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
        exit 1
    fi
}

if [ ! -e "$venv" ] || is_stale; then
    make_venv
fi

# All that runs is among what the tests need, so a .venv made for the tests serves the demo too.
if ! same "$lock" && ! { [ "$lock" = requirements.lock ] && same requirements-dev.lock; }; then
    say "Installing what $lock names (once; pip keeps what it downloads)"
    if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2; then
        say "Could not install what $lock names: pip says why above. Run the same command again to go on."
        exit 1
    fi
    keep "$lock"
fi

# The command `relaywatch`, reading this checkout. pyproject.toml says what it is called and which version it has.
if ! same pyproject.toml; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable . >&2
    keep pyproject.toml
fi
