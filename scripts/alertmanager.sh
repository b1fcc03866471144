#!/bin/sh
# Makes sure that Prometheus Alertmanager is there: its notifier is tested against a real one. Debian and its relatives.
set -eu
command -v prometheus-alertmanager >/dev/null 2>&1 && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus-alertmanager >/dev/null
