# Role `database`: the MariaDB that all clusters share, as the platform's clusters share one RDS. Sourced by init.sh.
# shellcheck shell=bash

start_daemons() {
  refuse_taken_ports 3306
  mkdir -p /run/mysqld /var/lib/mysql
  chown mysql:mysql /run/mysqld /var/lib/mysql
  if [ ! -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket
  fi
  # Small and quick to start; slurmdbd asks for the lock wait timeout and complains below this buffer pool.
  daemon mariadbd --user=mysql --bind-address="$NODE_ADDRESS" --port=3306 --socket=/run/mysqld/mysqld.sock \
    --skip-name-resolve --performance-schema=OFF --max-connections=100 \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-lock-wait-timeout=900 \
    >/var/log/mariadbd.log 2>&1
  mariadbd_pid=$!
  await_port 3306 mariadbd
  await 10 mariadb -e 'SELECT 1' || fail 'mariadbd does not answer on its socket'
}

stop_daemons() {
  trap '' TERM
  kill -TERM "$mariadbd_pid"
  wait "$mariadbd_pid"
}
