#!/bin/sh
# Makes sure that Prometheus and promtool are there: our text is scraped by a real one. Debian and its relatives.
set -eu
command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus >/dev/null
