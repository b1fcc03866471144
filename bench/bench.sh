#!/bin/sh
# The benchmark command: the toolchain where it is missing, then run.ts. Its options are in `npm run bench -- --help`.
set -eu
root=$(dirname "$(dirname "$(readlink -f "$0")")")
. "$root/scripts/toolchain.sh"
require_toolchain all
exec "$node" "$root/bench/run.ts" "$@"
