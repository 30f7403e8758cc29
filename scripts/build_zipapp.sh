#!/usr/bin/env bash
# Builds the program as one executable file and tries it out.
#
#   scripts/build_zipapp.sh [OUTPUT]      default: dist/kiro-rs-py
#
# The file runs on every system with Python 3.11 or newer: it holds pure Python only, and the build fails otherwise.
# Two builds of the same sources are equal byte for byte: exact versions (zipapp/constraints.txt), one date for all
# members, and nothing that names the place of the build. Needs the network for pip.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

output="$(realpath -m "${1:-$ROOT/dist/kiro-rs-py}")"
python="${BUILD_PYTHON:-$ROOT/.venv/bin/python}"
if [ ! -x "$python" ]; then
  ensure_venv "$ROOT/.venv"
fi
if ! "$python" -c 'import shiv' 2>/dev/null; then
  install_once "$ROOT/.venv" shiv -c scripts/zipapp/constraints.txt shiv
fi

# The date of the last commit, so that a rebuild of the same sources gives the same file.
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || echo 1767225600)}"
export PYTHONDONTWRITEBYTECODE=1

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
umask 022

say "Collecting the program and what it needs"
"$python" -c 'import sys, tomllib; print(*tomllib.load(sys.stdin.buffer)["project"]["dependencies"], sep="\n")' \
  <"$ROOT/pyproject.toml" >"$work/requirements.txt"
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: \
  -c "$ROOT/scripts/zipapp/constraints.txt" -r "$work/requirements.txt" --target "$work/site"
# The program itself is copied: building a wheel would add a tool whose version shows in the result.
cp -R "$ROOT/kiro_rs_py" "$work/site/"
cp "$ROOT/LICENSE" "$work/site/kiro_rs_py/"

say "Leaving out what is not needed at run time"
cd "$work/site"
# bin: scripts for the build's own Python. anyio: httpx asks for it, on Trio it is never used. pygments and markdown-it:
# rich asks for them, for drawing source code and Markdown only. The rest names the place of the build.
rm -rf bin anyio anyio-*.dist-info pygments pygments-*.dist-info markdown_it markdown_it_py-*.dist-info mdurl mdurl-*.dist-info
find . -type d \( -name __pycache__ -o -name tests -o -name _tests -o -name sboms -o -name '.?*' \) -prune -exec rm -rf {} +
find . -path '*.dist-info/*' \( -name direct_url.json -o -name RECORD -o -name INSTALLER -o -name REQUESTED -o -name WHEEL \) -delete
compiled="$(find . -name '*.so' -o -name '*.pyd' -o -name '*.dylib' -o -name '*.pth')"
[ -z "$compiled" ] || fail "The zipapp must be pure Python, but holds: $compiled"
cd "$ROOT"

"$python" -I "$ROOT/scripts/zipapp/render_help.py" "$work/site" "$work/site/kiro_rs_py/cli/help_pages"
find "$work/site" -type f -exec chmod 644 {} +

say "Packing $output"
mkdir -p "$(dirname "$output")"
# No --compile-pyc: it makes the first start several times slower and later ones no faster.
"$python" -m shiv --site-packages "$work/site" --entry-point kiro_rs_py.cli:main --python '/usr/bin/env python3' \
  --reproducible --output-file "$work/kiro-rs-py"
"$python" "$ROOT/scripts/zipapp/finish.py" "$work/kiro-rs-py" "$ROOT/scripts/zipapp/launcher.py"

say "Trying it"
"$python" "$ROOT/scripts/zipapp/try_out.py" "$work/kiro-rs-py"
mv "$work/kiro-rs-py" "$output"
say "$(du -h "$output" | cut -f1) $output"
