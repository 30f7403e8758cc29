# Shared by the scripts beside it; sourced, not run. Sets ROOT and PYTHON, and makes the development environment.

set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# apt_install PACKAGE...: installs Debian packages if we may, else fails.
apt_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  say "Installing $*"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# find_python: the first Python that is new enough, as PYTHON.
find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3.11 python3.12 python3.13 python3.14 /usr/bin/python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      PYTHON="$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed. On Debian 12: apt-get install python3 python3-venv"
}

# ensure_venv FOLDER: makes a virtual environment with pip in it unless there is one that works.
ensure_venv() {
  "$1/bin/python" -c 'import pip' 2>/dev/null && return
  find_python
  say "Creating $1"
  rm -rf "$1"
  # Debian keeps ensurepip in a package of its own; without it venv leaves half an environment behind.
  "$PYTHON" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv || fail "Install python3-venv and try again."
  "$PYTHON" -m venv "$1"
}

# install_once VENV STAMP ARGUMENTS...: pip install, unless done since pyproject.toml last changed.
install_once() {
  local venv="$1" stamp="$1/.installed-$2" want
  shift 2
  want="$(cat "$ROOT/pyproject.toml" "$ROOT/scripts/zipapp/constraints.txt" | cksum) $*"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return
  say "Installing $*"
  (cd "$ROOT" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@")
  printf '%s' "$want" >"$stamp"
}
