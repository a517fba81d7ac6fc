# What scripts/demo and scripts/test share: each step looks before it does anything, says what is missing and why,
# and may be run again after whatever stopped it. POSIX sh; sourced from the root of a checkout.

VENV=${VENV:-.venv}
PYTHON=${PYTHON:-python3}
BIN=$VENV/bin
STARTED=$(date +%s)

# say WORDS: one line of progress, with the seconds since the start.
say() { printf '[%3d s] %s\n' "$(($(date +%s) - STARTED))" "$*"; }

# stop WORDS: say what is wrong and the way out, and end.
stop() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}

# shown COMMAND...: run it and print only the lines that tell how far it is; all of them when it fails.
shown() {
  kept=$(mktemp)
  { "$@" 2>&1 && echo "ended 0" || echo "ended $?"; } | while IFS= read -r line; do
    printf '%s\n' "$line" >>"$kept"
    case $line in
      *"Downloading "* | *"Need to get "* | *"disk space will be used"* | *"Installing "*)
        say "   $(printf '%s' "$line" | sed 's/^ *//; s|Downloading .*/|Downloading |' | cut -c 1-110)" ;;
    esac
  done
  ended=$(sed -n '$s/^ended //p' "$kept")
  [ "$ended" = 0 ] || sed '$d' "$kept" >&2
  rm -f "$kept"
  return "${ended:-1}"
}

# debian WHY PACKAGE...: install the Debian packages that are missing.
debian() {
  why=$1
  shift
  missing=
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || stop "needed for $why, and there is no apt-get here to install it:$missing"
  sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || stop "run as root: apt-get install$missing (for $why); then run $0 again"
    sudo=sudo
  fi
  say "from Debian, for $why:$missing"
  again="apt-get could not; is there a network? Then run $0 again"
  # What apt would keep beside the packages themselves is 200 MB on a new machine. A file, not options: apt starts
  # others (debconf's) that keep as much again where they are not told.
  beside=$(mktemp -d)
  mkdir -p "$beside/lists/partial" "$beside/cache/archives/partial"
  printf '%s "%s";\n' Dir::State::lists "$beside/lists" Dir::Cache "$beside/cache" Acquire::Languages none >"$beside/conf"
  chmod -R 755 "$beside"
  thrifty="$sudo env APT_CONFIG=$beside/conf DEBIAN_FRONTEND=noninteractive"
  shown $thrifty apt-get update -q || stop "$again"
  shown $thrifty apt-get install -q -y --no-install-recommends $missing || stop "$again"
  $sudo rm -rf "$beside"
}

# python: make sure there is a Python 3.11 or newer that can make virtual environments.
python() {
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || debian "running it" python3 python3-venv ca-certificates
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$("$PYTHON" --version 2>&1) is too old: 3.11 or newer is needed (Debian 12); or name one: PYTHON=... $0"
}

# environment: a virtual environment with a working pip; a half-made one is made anew.
environment() {
  "$BIN/python" -m pip --version >/dev/null 2>&1 && return 0
  [ ! -e "$VENV" ] || say "$VENV is only half there: making it anew"
  say "virtual environment in $VENV"
  "$PYTHON" -m venv --clear "$VENV" || stop "no virtual environment could be made in $VENV; mend that and run $0 again"
}

# wheel_of MACHINE HATCHLING FOLDER: build facegate for that machine into FOLDER and name it in WHEEL. Its compiled search
# comes along where a compiler for that machine is here; else hatchling says so and the wheel is for any machine.
wheel_of() {
  made=$(mktemp -d)
  FACEGATE_MACHINE=$1 "$2" build -t wheel -d "$made" >/dev/null || stop "no wheel could be built for $1"
  WHEEL=$(cd "$made" && ls ./*.whl | sed 's|^\./||')
  mv "$made/$WHEEL" "$3/$WHEEL"
  rmdir "$made"
}

# packages STAMP PIP-ARGUMENTS...: install into the environment, once for every state of what it is made from.
packages() {
  stamp=$BIN/$1
  shift
  if [ -e "$stamp" ] && [ -z "$(find pyproject.toml hatch_build.py edge/matcher/backends/scan* -newer "$stamp")" ] && "$BIN/facegate" --version >/dev/null 2>&1; then
    return 0
  fi
  environment
  say "Python packages into $VENV"
  # The cache outlives a broken connection, not the success.
  PYTHONUNBUFFERED=1 PIP_CACHE_DIR=$VENV/pip-cache shown "$BIN/python" -m pip install --progress-bar off \
    --disable-pip-version-check "$@" || stop "pip could not; is there a network? Then run $0 again"
  rm -rf "$VENV/pip-cache"
  touch "$stamp"
}
