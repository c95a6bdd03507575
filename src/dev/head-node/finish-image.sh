#!/bin/bash
# finish-image.sh IMAGE: turns a fresh debootstrap root into the image that all head nodes share.
# Part of the image's key: any change here builds a new image.
set -euo pipefail
image=$1

chroot "$image" useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin slurmrest
mkdir -p "$image/old-root" "$image/scratch" "$image/opt/parallelcluster"

# Debian's bash reads bash.bashrc for commands run through sshd; login shells read profile.d by themselves.
loader='[ -r /etc/profile.d/modules.sh ] && ! type module >/dev/null 2>&1 && . /etc/profile.d/modules.sh'
sed -i "1i $loader" "$image/etc/bash.bashrc"

# Identities and state belong to a node, never to the image.
rm -rf "$image"/etc/ssh/ssh_host_* "$image/etc/munge/munge.key" "$image/etc/machine-id" "$image"/var/lib/mysql/*
: >"$image/etc/resolv.conf"

# Nothing below is read when jobs run; the image has no compiler, so static archives are of no use either.
rm -rf "$image"/var/cache/apt/* "$image"/var/lib/apt/lists/* "$image"/var/log/* "$image/debootstrap"
rm -rf "$image"/usr/share/{doc,man,info,lintian} "$image"/usr/share/i18n/{charmaps,locales}
find "$image/usr/share/locale" -mindepth 1 -maxdepth 1 ! -name 'en*' -exec rm -rf {} +
find "$image/usr/lib" -name '*.a' -delete
