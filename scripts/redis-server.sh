#!/bin/sh
# Makes sure that redis-server is there: the tests of the redis engine run against a real one. Debian and its relatives.
set -eu
command -v redis-server >/dev/null 2>&1 && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server >/dev/null
