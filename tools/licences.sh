#!/bin/sh
# Print docs/licences.md from what is installed: tools/licences.sh PIP_LICENSES PYTHON
#
# Libraries that only some systems or versions of Python need are left out, so that the page is the same everywhere.
set -eu

pip_licences=$1
python=$2

names() {
  sed -n "s/^\([a-z0-9-]*\)==$1.*/\1/p" "$2"
}

list() {
  # shellcheck disable=SC2046  # a list of words
  "$pip_licences" --python "$python" --from mixed --format markdown "$@" \
    --ignore-packages keydesk $(names '.*\(python_full_version\|sys_platform\)' requirements-dev.txt) $ignored
}

bot=$(names '' requirements.txt)
cat <<END
# Licences of the libraries

What \`requirements.txt\` and \`requirements-dev.txt\` pin, with the licence that each library states.
Written by \`make pins\`. \`make audit\` compares this page with what is installed.

## The bot

END
ignored=
# shellcheck disable=SC2086
list --packages $bot
printf '\n## The sandbox, the tests and the checks\n\n'
ignored=$bot
list
