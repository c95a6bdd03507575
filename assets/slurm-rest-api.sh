#!/bin/bash
# Slurm's REST API on a head node: slurmrestd behind TLS, for tokens that Slurm checks against a JWKS.
#
# usage: slurm-rest-api.sh trust JWKS_BASE64   before slurmctld starts (ParallelCluster: OnNodeStart)
#        slurm-rest-api.sh serve PORT          once the daemons run (ParallelCluster: OnNodeConfigured)
#        slurm-rest-api.sh rotate              later: the new JWKS on standard input
#
# Run as root on the head node only; running it again changes nothing but what is new. slurm.conf names the JWKS in
# AuthAltParameters (CustomSlurmSettings), so slurmctld does not start before the file is there. A JWKS holds public
# keys only: it is no secret, but whoever may write it may become any user.
#
# slurmrestd has no TLS, so it listens on a Unix socket and stunnel stands in front, both as a user of their own without
# rights: slurmrestd acts for whoever a token names, and needs none. The certificate is made here, once; callers pin its
# fingerprint, which they read over SSH.
set -euo pipefail

readonly DIRECTORY=/etc/parallelcluster-provisioner
readonly JWKS=$DIRECTORY/jwks.json
readonly PROGRAM=/usr/local/sbin/slurm-rest-api
readonly CERTIFICATE=$DIRECTORY/slurm-rest-api.crt PRIVATE_KEY=$DIRECTORY/slurm-rest-api.key
readonly SERVICE_USER=slurmrest
readonly SOCKET_DIRECTORY=/run/slurm-rest-api
readonly CERTIFICATE_DAYS=3650
# RSA keys of 2048 bits take 500 characters each; two of ours and some of an identity provider fit.
readonly MAX_JWKS_BYTES=65536

fail() {
  echo "slurm-rest-api: $1" >&2
  exit 1
}

# Installs the JWKS on standard input if it is one; by renaming, because daemons may read it at any moment.
install_jwks() {
  local new
  mkdir -p "$DIRECTORY"
  new=$(mktemp "$DIRECTORY/jwks.XXXXXX")
  head -c "$MAX_JWKS_BYTES" >"$new"
  # A daemon that cannot read its JWKS ends, and then nobody can log in to mend it.
  if ! grep -q '"keys"' "$new" || ! grep -q '"kid"' "$new" || [[ $(tail -c 2 "$new" | tr -d '\n') != *'}' ]]; then
    rm -f "$new"
    fail 'this is no JWKS'
  fi
  chmod 644 "$new"
  mv -f "$new" "$JWKS"
}

# Where ParallelCluster keeps Slurm's configuration and programs, or where Debian does.
slurm_conf_directory() { if [[ -d /opt/slurm/etc ]]; then echo /opt/slurm/etc; else echo /etc/slurm; fi; }
slurm_sbin() { if [[ -d /opt/slurm/sbin ]]; then echo /opt/slurm/sbin; else echo /usr/sbin; fi; }

# slurmdbd checks tokens as well, but ParallelCluster has no settings for it.
trust_in_accounting() {
  local conf parameters
  conf=$(slurm_conf_directory)/slurmdbd.conf
  [[ -f $conf ]] || return 0
  parameters=$(grep -rhi '^AuthAltParameters=' "$(slurm_conf_directory)" --include='slurm*.conf' --exclude=slurmdbd.conf | tail -n 1)
  [[ -n $parameters ]] || fail 'slurm.conf has no AuthAltParameters'
  grep -qi '^AuthAltTypes=' "$conf" || printf '%s\n' 'AuthAltTypes=auth/jwt' "$parameters" >>"$conf"
}

# await DAEMON COMMAND...: `systemctl restart` returns when the program has begun, not when it answers.
await() {
  local daemon=$1 try
  shift
  for ((try = 0; try < 150; try++)); do
    if PATH=$PATH:/opt/slurm/bin "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  fail "$daemon does not answer after its restart"
}

controller_is_up() { scontrol ping 2>/dev/null | grep -q 'is UP'; }

# Jobs run on. Accounting first: a controller that does not find it holds its records back for a while.
restart_accounting_and_controller() {
  if [[ -f $(slurm_conf_directory)/slurmdbd.conf ]]; then
    systemctl restart slurmdbd
    await slurmdbd sacctmgr --noheader show cluster
  fi
  systemctl restart slurmctld
  await slurmctld controller_is_up
}

make_certificate() {
  if [[ -s $CERTIFICATE && -s $PRIVATE_KEY ]]; then return; fi
  (
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days "$CERTIFICATE_DAYS" \
      -subj "/CN=$(hostname)" -keyout "$PRIVATE_KEY" -out "$CERTIFICATE.new" 2>/dev/null
  ) || fail 'openssl cannot make a certificate'
  chown "$SERVICE_USER" "$PRIVATE_KEY"
  chmod 644 "$CERTIFICATE.new"
  mv -f "$CERTIFICATE.new" "$CERTIFICATE"
}

# Without SLURM_BITSTR_LEN long lists of an array's tasks are cut off.
write_unit() {
  cat >"/etc/systemd/system/$1.service" <<EOF
[Unit]
Description=$2
After=network-online.target slurmctld.service

[Service]
User=$SERVICE_USER
Group=$SERVICE_USER
Environment=SLURM_JWT=daemon SLURM_BITSTR_LEN=0
RuntimeDirectory=$1
Restart=always
RestartSec=2
NoNewPrivileges=yes
ExecStart=$3

[Install]
WantedBy=multi-user.target
EOF
}

serve() {
  local port=$1 address
  [[ $port =~ ^[1-9][0-9]{3,4}$ ]] || fail "not a port: $port"
  [[ -s $JWKS ]] || fail "there is no $JWKS"
  address=$(getent ahostsv4 "$(hostname)" | awk 'NR == 1 { print $1 }')
  [[ -n $address ]] || fail 'this host has no address'
  getent passwd "$SERVICE_USER" >/dev/null ||
    useradd --system --no-create-home --home-dir /nonexistent --shell /sbin/nologin "$SERVICE_USER"
  trust_in_accounting
  restart_accounting_and_controller
  make_certificate
  # The configuration on standard input of stunnel would need a shell in the unit.
  cat >"$DIRECTORY/stunnel.conf" <<EOF
foreground = yes
pid =
syslog = no
debug = notice
sslVersionMin = TLSv1.2
[slurm-rest-api]
accept = $address:$port
connect = $SOCKET_DIRECTORY/socket
cert = $CERTIFICATE
key = $PRIVATE_KEY
TIMEOUTclose = 0
EOF
  write_unit slurm-rest-api 'Slurm REST API' "$(slurm_sbin)/slurmrestd -a rest_auth/jwt unix:$SOCKET_DIRECTORY/socket"
  write_unit slurm-rest-api-tls 'TLS for the Slurm REST API' "$(command -v stunnel) $DIRECTORY/stunnel.conf"
  systemctl daemon-reload
  systemctl enable slurm-rest-api slurm-rest-api-tls
  systemctl restart slurm-rest-api slurm-rest-api-tls
  install -m 755 "${BASH_SOURCE[0]}" "$PROGRAM"
}

case ${1-} in
  trust)
    [[ $# -eq 2 ]] || fail "expected trust JWKS_BASE64, got $# arguments"
    base64 --decode <<<"$2" | install_jwks
    ;;
  serve)
    [[ $# -eq 2 ]] || fail "expected serve PORT, got $# arguments"
    serve "$2"
    ;;
  rotate)
    [[ $# -eq 1 ]] || fail "expected rotate, got $# arguments"
    install_jwks
    restart_accounting_and_controller
    ;;
  *) fail "expected trust, serve or rotate" ;;
esac
