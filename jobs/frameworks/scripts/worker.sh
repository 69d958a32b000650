# Of a worker: lets the launcher in, until the launcher has ended (jobs/frameworks/remote.py).
set -uo pipefail

folder=$COLONY_HOME/ssh
server=''

main() {
  mkdir -p "$folder" && chmod 700 "$folder" || fail 70 "cannot write to $COLONY_HOME"
  write_session
  if [[ $COLONY_LAUNCH == ssh ]]; then start_sshd; fi
  trap 'stop; exit 143' TERM INT
  follow_launcher
}

# What runs here runs as if the entry point had started it: same folder, same environment. Which
# rank it is, only the launcher's program knows.
write_session() {
  {
    export -p
    printf 'unset RANK\ncd %q || exit 70\n' "$PWD"
    # shellcheck disable=SC2016 # expanded when it runs
    echo 'exec bash -c "${SSH_ORIGINAL_COMMAND:-$*}"'
  } >"$folder/session" && chmod 600 "$folder/session"
}

start_sshd() {
  local sshd
  PATH=$PATH:/usr/sbin:/usr/local/sbin
  sshd=$(command -v sshd) || fail 69 'a worker needs sshd: install openssh-server in setup'
  rm -f "$folder"/host{,.pub}
  ssh-keygen -q -t ed25519 -N '' -f "$folder/host" || fail 70 'no host key could be made'
  printf '%s\n' "Port $COLONY_SSH_PORT" "HostKey $folder/host" 'PidFile none' 'UsePAM no' \
    "AuthorizedKeysFile $folder/authorized_keys" 'StrictModes no' 'PasswordAuthentication no' \
    'KbdInteractiveAuthentication no' 'PermitRootLogin prohibit-password' 'MaxStartups 200' \
    "ForceCommand bash $folder/session" >"$folder/sshd_config"
  mkdir -p /run/sshd 2>/dev/null
  "$sshd" -D -e -f "$folder/sshd_config" &
  server=$!
}

# Asks until it is there; then, once it is gone for long enough, so is the work.
follow_launcher() {
  local seen='' lost=0 deadline=$((SECONDS + COLONY_STARTUP_SECONDS))
  while :; do
    [[ -z $server ]] || kill -0 "$server" 2>/dev/null || fail 70 'sshd ended'
    if ask; then
      seen=1 lost=$((SECONDS + ${COLONY_LAUNCHER_GRACE:-30}))
    elif [[ -n $seen ]] && ((SECONDS >= lost)); then
      break
    elif [[ -z $seen ]] && ((SECONDS >= deadline)); then
      stop
      fail 124 "the launcher $COLONY_LAUNCHER did not appear in time"
    fi
    sleep "${COLONY_LAUNCHER_POLL:-1}" &
    wait $!
  done
  stop
}

ask() {
  local key connect="exec 3<>/dev/tcp/$COLONY_LAUNCHER/$COLONY_BEACON_PORT"
  { eval "$connect"; } 2>/dev/null || return 1
  echo "$COLONY_POD_INDEX" >&3
  { IFS= read -r -t 10 key <&3 && authorize "$key" && echo ok >&3; } 2>/dev/null
  local code=$?
  exec 3<&- 3>&-
  return $code
}

# A launcher that started again has a new key.
authorize() {
  [[ -n $1 ]] || return 1
  [[ $COLONY_LAUNCH == ssh && $1 != "$(cat "$folder/authorized_keys" 2>/dev/null)" ]] || return 0
  (umask 077 && printf '%s\n' "$1" >"$folder/authorized_keys")
}

stop() { [[ -z $server ]] || kill "$server" 2>/dev/null; }

fail() {
  echo "colony: $2" >&2
  exit "$1"
}

main
