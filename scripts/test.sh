#!/bin/sh
# Every check of the project, from a fresh clone: obtains what it needs, then type check, lint and the tests.
# Words after the command go to the test runner: `npm test -- src/routing` runs one folder's tests.
set -eu
root=$(dirname "$(dirname "$(readlink -f "$0")")")
cd "$root"
. scripts/toolchain.sh
require_toolchain all

if [ "$#" -eq 0 ]; then
  echo "type check"
  node_modules/.bin/tsc --noEmit
  echo "lint"
  node_modules/.bin/oxlint --type-aware --deny-warnings
fi
exec "$node" node_modules/vitest/vitest.mjs run "$@"
