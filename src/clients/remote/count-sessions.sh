# Who else is at work on the head node. Stands before observe.sh and sessions.sh, behind sections.sh.
# shellcheck shell=bash

# Prints `sessions <n>`: sessions of the SSM agent, and connections of sshd, of whatever user, with a terminal or with a
# process that is not one of our programs: a command, sftp, scp, rsync, an editor's server. A connection on which nothing
# runs is none: ours are kept open, and so are OpenSSH's shared ones (ControlPersist).
# `sessions unknown` where the processes of others are hidden (`hidepid` of proc(5)).
count_sessions() {
  local processes pid parent state process is_hidden=yes
  # By the process id of the connection; associative, because process ids are sparse.
  local -A connections=() sessions=()
  processes=$(ps -eo pid=,ppid=,stat=,args=) || fail ps
  while read -r pid parent state process; do
    [[ $pid != 1 ]] || is_hidden=''
    case $process in
      # sshd names what serves an authenticated user `user@<terminals, or notty>`.
      sshd:\ *@* | sshd-session:\ *@*) connections[$pid]=yes ;;
    esac
  done <<<"$processes"
  while read -r pid parent state process; do
    case $process in
      # Every program of ours begins so, whoever's worker sent it (remote-programs.ts).
      *'# parallelcluster-provisioner: '*) ;;
      *ssm-session-worker\ *) sessions[$pid]=yes ;;
      sshd:\ *@pts/* | sshd-session:\ *@pts/*) sessions[$pid]=yes ;;
      # sshd has forked and not begun the command, which may be ours.
      sshd:\ *@notty | sshd-session:\ *@notty) ;;
      # Linux shows a process so that is just ending.
      \[*\] | \[*\]\ \<defunct\>) ;;
      *) [[ -z ${connections[$parent]:-} || $state == Z* ]] || sessions[$parent]=yes ;;
    esac
  done <<<"$processes"
  if [[ $is_hidden ]]; then echo 'sessions unknown'; else printf 'sessions %s\n' "${#sessions[@]}"; fi
}
