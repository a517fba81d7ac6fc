#!/bin/sh
# Put facegate on this machine from the folder that this file lies in: the door, or the property's hub. As root.
#
#   ./install.sh [door|hub] [--key PUBLIC-KEY-FILE] [--system-site-packages] [--no-services]
#   ./install.sh remove [door|hub]
#
# Needs Debian 12 or 13 or Raspberry Pi OS with python3 and systemd, and no network when the folder brings the models.
# Everything is checked before anything is replaced. Run it again to upgrade. Residents, journal and configuration stay.
# --key: the folder must be signed by this Ed25519 key. --system-site-packages: for a CSI camera (python3-picamera2).
# --no-services: packages and models alone, for a container.
set -eu
from=$PWD
cd "$(dirname "$0")"

role=door
services=yes
remove=
key=
flags=
while [ $# -gt 0 ]; do
  case $1 in
    door | hub) role=$1 ;;
    remove) remove=yes ;;
    --no-services) services= ;;
    --key) key=$(cd "$from" && readlink -f "$2") && shift ;;
    --system-site-packages) flags=$1 ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
  shift
done
DESTDIR=${DESTDIR:-}
case $role in door) prefix=${PREFIX:-/opt/facegate} ;; hub) prefix=${PREFIX:-/opt/facegate-hub} ;; esac
versions=$prefix.versions
# The program that is being installed, beside the one that runs: $prefix is a link to a folder in $versions.
new=

stop() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

checked() {
  [ -e SHA256SUMS ] || stop "this is no folder that scripts/bundle wrote; in a checkout run: sudo scripts/install"
  if [ -n "$key" ]; then
    [ -e SHA256SUMS.sig ] || stop "this folder is not signed, and --key asks for it; get the signed one"
    openssl pkeyutl -verify -rawin -pubin -inkey "$key" -in SHA256SUMS -sigfile SHA256SUMS.sig >/dev/null ||
      stop "SHA256SUMS is not signed by $key: do not use this folder"
  fi
  sha256sum --check --quiet --strict SHA256SUMS || stop "a file is damaged or missing: copy the folder anew"
}

# From the wheels alone: a machine without python3-venv has no pip to begin with.
packages() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "Python 3.11 or newer is needed: apt install python3"
  target=$(python3 -c 'import platform, sys; print("%d.%d-%s" % (*sys.version_info[:2], platform.machine()))')
  [ -e "wheels/$role-$target.txt" ] ||
    stop "this folder has no wheels for Python $target; it has: $(cd wheels && ls "$role"-*.txt | tr '\n' ' ')"
  umask 022
  mkdir -p "$versions"
  rm -rf "$prefix.new"
  forget_others "$(readlink -f "$prefix")" # of an upgrade that was cut short
  new=$(mktemp -d "$versions/XXXXXXXX") && chmod 0755 "$new"
  python3 -m venv --without-pip $flags "$new" || stop "no virtual environment in $new: apt install python3-venv"
  (cd wheels && PYTHONPATH=$(ls pip-*.whl) "$new/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-index --find-links . --no-deps --require-hashes --force-reinstall --requirement "$role-$target.txt" \
    --requirement "build-$target.txt") || stop "the packages could not be installed into $new"
}

# forget_others KEPT...: the programs in $versions but these.
forget_others() {
  for old in "$versions"/*; do
    for kept in "$@"; do [ "$old" != "$kept" ] || continue 2; done
    rm -rf "$old"
  done
}

# In one step, whatever happens: $prefix is the old program or the new one, never none. The old one goes when the new one
# has started.
switch() {
  sync # a link must not outlive what it leads to
  ln -sfn "$new" "$prefix.new"
  if [ -d "$prefix" ] && [ ! -L "$prefix" ]; then # a program of a version that was installed in place
    "$new/bin/python" - "$prefix.new" "$prefix" <<'EXCHANGE' || stop "$prefix cannot be exchanged for a link"
import ctypes, os, sys
one, other = map(os.fsencode, sys.argv[1:])
sys.exit(ctypes.CDLL(None, use_errno=True).renameat2(-100, one, -100, other, 2))
EXCHANGE
    mv -T "$prefix.new" "$versions/before"
  else
    mv -T "$prefix.new" "$prefix"
  fi
  sync
}

# A library built for a newer processor ends its process with SIGILL: let that be another one than the door.
loads() {
  ORT_DISABLE_TELEMETRY=1 "$new/bin/python" -c "import $1" && return 0
  ended=$?
  [ "$ended" -ne 132 ] || stop "$1 has instructions that this processor lacks (SIGILL): it was built for a newer one. \
Use another board, or a bundle with another version of it; what ran before goes on"
  stop "$1 cannot be loaded (exit code $ended, see above); what ran before goes on"
}

# models FOLDER: into a state folder, from what the bundle brings or else from the network. The command works with the
# rights of the folder's owner, who may not be able to read the bundle where it lies.
models() {
  brought=
  if [ -d models ]; then
    brought=$(mktemp -d -p /var/tmp) && trap 'rm -rf "$brought"' EXIT
    cp -R models/. "$brought" && chmod -R a+rX "$brought"
  fi
  STATE_DIRECTORY=$1 "$new/bin/facegate" models install ${brought:+--from "$brought"} ||
    stop "the packages are in place, a model is not: no face would open the door. Mend that and run this again"
}

door() {
  place 0644 systemd/facegate.service /etc/systemd/system
  place 0644 systemd/facegate-relay.service /etc/systemd/system
  place 0644 systemd/sysusers.conf /usr/lib/sysusers.d facegate.conf
  place 0644 systemd/tmpfiles.conf /usr/lib/tmpfiles.d facegate.conf
  place 0644 systemd/modules-load.conf /usr/lib/modules-load.d facegate.conf
  place 0644 systemd/60-facegate.rules /etc/udev/rules.d
  place 0644 systemd/completion.bash /usr/share/bash-completion/completions facegate
  [ -e "$DESTDIR/etc/facegate/config.toml" ] || place 0640 systemd/config.toml /etc/facegate
  [ -z "$DESTDIR" ] || return 0
  systemd-sysusers /usr/lib/sysusers.d/facegate.conf
  systemd-tmpfiles --create /usr/lib/tmpfiles.d/facegate.conf
  install -d -o facegate -g facegate -m 0700 /var/lib/facegate
  models /var/lib/facegate
  switch
  [ ! -S /run/udev/control ] || { udevadm control --reload && udevadm trigger --subsystem-match=gpio; }
  started facegate-relay facegate
  "$prefix/bin/facegate" doctor || true # what is red here is what is still to be done
  echo "next: edit /etc/facegate/config.toml, then follow docs/install.md: the first hour (中文：docs/zh/installer.md)"
}

hub() {
  place 0644 systemd/facegate-site.service /etc/systemd/system
  place 0644 systemd/facegate-hub.service /etc/systemd/system
  place 0644 systemd/facegate-signer.service /etc/systemd/system
  place 0644 systemd/facegate-console.service /etc/systemd/system
  place 0644 systemd/facegate-page.service /etc/systemd/system
  place 0644 systemd/sysusers-hub.conf /usr/lib/sysusers.d facegate-hub.conf
  [ -z "$DESTDIR" ] || return 0
  systemd-sysusers /usr/lib/sysusers.d/facegate-hub.conf
  install -d -o facegate-hub -g facegate-staff -m 0710 /var/lib/facegate-hub # its folders say who else gets in
  [ -d /etc/facegate ] || install -d -m 0755 /etc/facegate                   # for hub.env and page.env
  switch
  install -d -o facegate-signer -g facegate-signer -m 0700 /var/lib/facegate-signer
  started facegate-signer facegate-hub facegate-console facegate-page
  echo "next: make the site, as its user, then start the hub (docs/hub.md):"
  echo "  sudo -u facegate-hub $prefix/bin/facegate provision site /var/lib/facegate-hub/site --broker HOST --door front"
  echo "  sudo systemctl enable --now facegate-hub"
  echo "to keep the signing key apart from the hub, as a user of its own:"
  echo "  sudo $prefix/bin/facegate provision signer /var/lib/facegate-hub/site --user facegate-signer"
}

# Whole or not at all: a unit that a cut left half written would not start.
place() {
  to=$DESTDIR$3/${4:-$(basename "$2")}
  install -D -m "$1" "$2" "$to.new" && mv -T "$to.new" "$to"
}

started() {
  systemctl daemon-reload
  systemctl try-restart "$@" || stop "installed, but it did not come up: journalctl -u $1"
}

remove_door() {
  systemctl disable --now facegate facegate-relay
  rm -f /etc/systemd/system/facegate.service /etc/systemd/system/facegate-relay.service \
    /usr/lib/sysusers.d/facegate.conf /usr/lib/tmpfiles.d/facegate.conf /usr/lib/modules-load.d/facegate.conf \
    /etc/udev/rules.d/60-facegate.rules /usr/share/bash-completion/completions/facegate
  echo "kept: /var/lib/facegate, /etc/facegate and the users facegate and facegate-relay"
}

remove_hub() {
  systemctl disable --now facegate-page facegate-console facegate-hub facegate-signer
  rm -f /etc/systemd/system/facegate-page.service /etc/systemd/system/facegate-console.service
  rm -f /etc/systemd/system/facegate-hub.service /etc/systemd/system/facegate-signer.service \
    /etc/systemd/system/facegate-site.service /usr/lib/sysusers.d/facegate-hub.conf
  echo "kept: /var/lib/facegate-hub, /var/lib/facegate-signer, the users facegate-* and their groups"
}

if [ -n "$DESTDIR" ]; then # for packages and tests: the files alone
  "$role"
  exit 0
fi
[ "$(id -u)" -eq 0 ] || stop "run as root: sudo $0"
if [ -n "$remove" ]; then
  "remove_$role"
  rm -rf "$prefix" "$versions"
  systemctl daemon-reload
  exit 0
fi
[ -z "$services" ] || { command -v systemctl && command -v systemd-sysusers; } >/dev/null ||
  stop "there is no systemd here, and the $role runs as its service: apt install systemd, or see docs/install.md, container"
checked
packages
case $role in door) libraries="numpy cv2 onnxruntime cryptography" ;; hub) libraries="sqlalchemy cryptography" ;; esac
for library in $libraries; do loads "$library"; done
[ "$role" = hub ] || echo /var/lib/facegate >"$new/state-folder" # what commands on this board work on unless told otherwise
[ -n "$services" ] || [ "$role" = hub ] || models /var/lib/facegate
[ -n "$services" ] || switch
[ -z "$services" ] || "$role"
forget_others "$new"
