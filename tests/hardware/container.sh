# Sourced by the trials that boot: a container of this machine's own files in an overlay in memory, or with SUITE
# (bookworm, trixie) of a Debian that has nothing but systemd. Sets root, scratch, python; nothing on this machine changes.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${BOOT_PYTHON:-/usr/bin/python3}
packages=${SITE_PACKAGES:-$("$repository/.venv/bin/python" -c 'import click, pathlib; print(pathlib.Path(click.__file__).parents[1])')}

scratch=$(mktemp -d ${SUITE:+-p /var/tmp})
cleanup() { umount -q "$scratch/root" || true; rm -rf --one-file-system "$scratch/root"; umount -q "$scratch" || true; rm -rf --one-file-system "$scratch"; }
trap cleanup EXIT
[ -n "${SUITE:-}" ] || mount -t tmpfs tmpfs "$scratch" # in memory systemd-creds would keep no key
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
root=$scratch/root

# `debian SUITE`: unpack a new Debian into $root; debootstrap makes it once.
debian() {
  cache=${BOOT_CACHE:-/var/cache/facegate-boot}
  mkdir -p "$cache"
  if [ ! -s "$cache/$1.tar" ]; then
    made=$(mktemp -d "$cache/$1.XXXXXX")
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,udev "$1" "$made" > "$cache/$1.log" 2>&1 ||
      { tail -3 "$cache/$1.log"; echo "boot: apt install debootstrap"; exit 1; }
    rm -f "$made"/var/cache/apt/archives/*.deb
    tar -C "$made" -cf "$made.tar" . && rm -rf "$made" && mv "$made.tar" "$cache/$1.tar" # whole, whoever else makes one
  fi
  tar -C "$root" -xf "$cache/$1.tar"
  chmod 755 "$root" # services run as other users
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/carried-ca.crt" # of a network that has an authority of its own
}

if [ -n "${SUITE:-}" ]; then
  debian "$SUITE"
else
  mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$root"
fi

mkdir -p "$root/var/lib/lines" "$root/opt/facegate"
chmod 777 "$root/var/lib/lines"

# `place_program`: as make install would place it, with the stand-in for lgpio beside it.
place_program() {
  library=$root/opt/facegate/lib
  mkdir -p "$library" "$root/opt/facegate/bin"
  cp -r "$repository/edge" "$repository/models" "$library/"
  mkdir -p "$library/tests"
  cp -r "$repository/tests/relay" "$repository/tests/hardware" "$repository/tests/waiting.py" "$library/tests/"
  cp "$repository/tests/relay/stand_in/lgpio.py" "$library/"
  printf '#!/bin/sh\nexport PYTHONPATH=/opt/facegate/lib:%s\nexec %s "$@"\n' "$packages" "$python" > "$root/opt/facegate/bin/python"
  printf '#!/bin/sh\nexport PYTHONPATH=/opt/facegate/lib:%s\nexec %s -c "from edge.cli import main; main()" "$@"\n' \
    "$packages" "$python" > "$root/opt/facegate/bin/facegate"
  chmod 755 "$root"/opt/facegate/bin/*
  DESTDIR="$root" "$repository/install.sh" door
  systemd-sysusers --root="$root" "$root/usr/lib/sysusers.d/facegate.conf" > "$scratch/users.log" 2>&1
  systemd-tmpfiles --root="$root" --create "$root/usr/lib/tmpfiles.d/facegate.conf"
  mkdir -p "$root/var/lib/facegate" && chmod 700 "$root/var/lib/facegate"
  chroot "$root" chown -R facegate:facegate /var/lib/facegate
}

# `run_inside UNIT...`: boot, run /opt/facegate/inside as root with these units' lines in files, print its report. May be
# called again: the same machine boots once more. With WANTS (a target) it runs when that is reached.
run_inside() {
  for unit in "$@"; do
    mkdir -p "$root/etc/systemd/system/$unit.service.d"
    cat > "$root/etc/systemd/system/$unit.service.d/trial.conf" <<EOF
[Service]
Environment=FACEGATE_TEST_LINES=/var/lib/lines/lines
ReadWritePaths=/var/lib/lines
StandardError=append:/var/lib/lines/errors
EOF
  done
  cat > "$root/etc/systemd/system/trial.service" <<EOF
[Unit]
Wants=facegate-relay.service
After=facegate-relay.service ${WANTS:-}
[Service]
Type=oneshot
Environment=FACEGATE_TEST_LINES=/var/lib/lines/lines
${SUITE:+Environment=PIP_CERT=/etc/carried-ca.crt SSL_CERT_FILE=/etc/carried-ca.crt NODE_EXTRA_CA_CERTS=/etc/carried-ca.crt}
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'sh /opt/facegate/inside > /var/lib/lines/report 2>&1; echo \$? > /var/lib/lines/rc'
ExecStopPost=/bin/systemctl --no-block poweroff
EOF
  cat > "$root/etc/systemd/system/trial.target" <<EOF
[Unit]
Requires=basic.target
After=basic.target
Wants=trial.service ${WANTS:-}
EOF
  systemd-nspawn --quiet --directory="$root" --register=no --keep-unit ${NETWORK---private-network} --boot -- \
    systemd.unit=trial.target systemd.show_status=no > "$scratch/boot.log" 2>&1 || { tail -20 "$scratch/boot.log"; exit 1; }
  cat "$root/var/lib/lines/report"
  [ "$(cat "$root/var/lib/lines/rc")" = 0 ] || { tail -20 "$root/var/lib/lines/errors" || true; exit 1; }
  rm "$root/var/lib/lines/report" "$root/var/lib/lines/rc"
}
