#!/bin/sh
# Makes .venv with the locked packages: `config/setup.sh` those to run, `config/setup.sh dev` those to develop too.
# Does nothing if that is done. Every way to fail ends in a sentence that says what to do.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

lock=requirements.txt
[ "${1:-}" = dev ] && lock=requirements-dev.txt
works() { .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; }

if cmp -s "$lock" ".venv/$lock" && works; then
    exit 0
fi

# A candidate on PATH may be a stand-in that does not run here, so each one is run.
find_python() {
    [ -n "${PYTHON:-}" ] && set -- "$PYTHON" || set -- python3.13 python3.12 python3.14 python3 \
        "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3 /opt/homebrew/bin/python3 /usr/local/bin/python3
    for candidate in "$@"; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    for candidate in "$@"; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            fail "Python $version is here ($candidate), but it cannot make virtual environments. Install that part, on Debian or Ubuntu with: sudo apt install python$version-venv"
        fi
    done
    for candidate in "$@"; do
        if version=$("$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null); then
            fail "Stageboard needs Python 3.12 or newer; $candidate is Python $version. Install a newer one (Debian, Ubuntu: sudo apt install python3.13 python3.13-venv; macOS: brew install python@3.13; or python.org), or name one: make run PYTHON=/path/to/python3.13"
        fi
    done
    fail "Stageboard needs Python 3.12 or newer and found ${PYTHON:-none}${PYTHON:+, which does not run}. Install it (Debian, Ubuntu: sudo apt install python3.13 python3.13-venv; macOS: brew install python@3.13; or python.org), or name one: make run PYTHON=/path/to/python3.13"
}

if ! works; then
    python=$(find_python) || exit 1
    echo "Making a virtual environment with $("$python" --version) ..."
    mkdir -p .venv 2>/dev/null && touch .venv/.write-test 2>/dev/null ||
        fail "The folder $PWD cannot be written, so the packages have no place. Make it writable for $(id -un), or copy Stageboard into a folder of yours and start it there."
    rm -rf .venv
    "$python" -m venv .venv >/dev/null ||
        fail "The virtual environment $PWD/.venv could not be made (see above)."
fi

touch .venv/.write-test 2>/dev/null ||
    fail "The folder $PWD/.venv cannot be written by $(id -un). Give it to this user, or remove it and start again."
rm -f .venv/.write-test

echo "Installing the packages (once, about 10 seconds and a network) ..."
report=.venv/install.log
if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --retries 2 --require-hashes -r "$lock" >"$report" 2>&1; then
    if grep -qiE 'NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|Max retries|ProxyError|Connection (refused|broken|reset)|Temporary failure|timed out|No matching distribution' "$report"; then
        fail "The packages could not be downloaded: the package index was not reached. Connect this machine to the network, or name a mirror with PIP_INDEX_URL, and start again. Details: $PWD/$report"
    fi
    if grep -qi 'No space left' "$report"; then
        fail "The disk is full: the packages need about 300 MB. Make room and start again."
    fi
    if grep -qi 'DO NOT MATCH THE HASHES' "$report"; then
        fail "A downloaded package is not the one the lock file names, so nothing was installed. Try again; if it stays, ask who runs your package mirror. Details: $PWD/$report"
    fi
    tail -5 "$report" >&2
    fail "The packages could not be installed (see above). Details: $PWD/$report"
fi
# What is for developers holds what is needed to run, too.
cp requirements.txt .venv/requirements.txt
cp "$lock" ".venv/$lock"
