#!/usr/bin/env bash
# Makes a virtual environment with the first Python that is new enough: venv.sh FOLDER
set -euo pipefail

new_enough='import sys; sys.exit(sys.version_info < (3, 10))'

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10 python}; do
        if "$name" -c "$new_enough" 2> /dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Colony needs Python 3.10 or newer; found ${PYTHON:-python3}:" \
        "$("${PYTHON:-python3}" --version 2>&1 || true)." \
        'Name another with `make PYTHON=/path/to/python3.12 ...`.' >&2
    exit 1
}

python=$(find_python)
echo "making $1 with $("$python" --version)"
if ! "$python" -m venv "$1"; then
    rm -rf "$1"
    echo 'The module venv is missing: on Debian and Ubuntu, `apt-get install python3-venv`.' >&2
    exit 1
fi
