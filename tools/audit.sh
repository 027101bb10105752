#!/bin/sh
# Ask pip-audit what is known against the pinned libraries: tools/audit.sh PIP_AUDIT REQUIREMENTS...
#
# Fails when something is known. When the package index does not answer, it says so and passes,
# because the other checks must also run on a machine without a network. With STRICT=1 it fails then, too.
set -eu

pip_audit=$1
shift
report=$(mktemp)
trap 'rm -f "$report"' EXIT

result=0
for file in "$@"; do
  echo "Auditing $file"
  status=0
  "$pip_audit" --requirement "$file" --require-hashes --disable-pip --progress-spinner off \
    >"$report" 2>&1 || status=$?
  known='^Found [0-9]* known vulnerabilit'
  unreachable='^requests\.exceptions\.|Could not connect|ServiceError'
  if [ "$status" -eq 0 ] && ! grep -q 'could not be audited' "$report"; then
    cat "$report"
  elif grep -q "$known" "$report"; then
    cat "$report"
    result=1
  elif [ "$status" -eq 0 ] || grep -qE "$unreachable" "$report"; then
    skipped=$(grep -c 'could not be audited' "$report") || skipped=
    echo "No answer from the package index${skipped:+ for $skipped libraries}. Run 'make audit' where it can be reached."
    [ -z "${STRICT:-}" ] || result=1
  else
    cat "$report"
    result=1
  fi
done
exit "$result"
