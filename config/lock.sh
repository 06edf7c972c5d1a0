#!/bin/sh
# Writes the two lock files from pyproject.toml; versions stay unless `config/lock.sh --upgrade` is called.
set -eu
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.12 --python .venv/bin/python \
        --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate "$@" >/dev/null
}
compile pyproject.toml -o requirements.txt "$@"
compile pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt "$@"
if grep -nE '://|file:|/home/|/root/' requirements.txt requirements-dev.txt; then
    echo "A lock file names a place of this machine (see above)." >&2
    exit 1
fi
