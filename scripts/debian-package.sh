#!/bin/sh
# Makes sure that a program of the system is there, for the tests against real servers: Redis, Prometheus, Alertmanager.
# Debian and its relatives.
#
#   debian-package.sh PACKAGE    its program has the package's name
set -eu
package=$1
command -v "$package" >/dev/null && exit 0
# Several tests ask at once, and apt does not wait for itself.
exec 9>"${TMPDIR:-/tmp}/hybrid-routing-packages.lock"
if command -v flock >/dev/null; then flock 9; fi
command -v "$package" >/dev/null && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package" >/dev/null
