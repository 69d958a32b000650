# Of a launcher, before the user's script: makes a key, hands its public half to the workers, waits
# until all have it (jobs/frameworks/remote.py says why so). Under kubectl it hands out nothing, and
# only tells that the launcher lives.
set -uo pipefail

folder=$COLONY_HOME/ssh
log=$folder/beacon.log

main() {
  mkdir -p "$folder" && chmod 700 "$folder" || fail 70 "cannot write to $COLONY_HOME"
  command -v python3 >/dev/null || fail 69 'the launcher needs python3 to tell its workers of itself'
  local key=none
  if [[ $COLONY_LAUNCH == ssh ]]; then
    command -v ssh-keygen >/dev/null || fail 69 'the launcher needs ssh: install openssh-client in setup'
    rm -f "$folder/id" "$folder/id.pub"
    ssh-keygen -q -t ed25519 -N '' -C "$COLONY_JOB" -f "$folder/id" || fail 70 'no key could be made'
    write_config
    key=$(<"$folder/id.pub")
  fi
  rm -f "$folder/ready"
  count_workers
  COLONY_ENTRYPOINT=$PPID python3 -c "$beacon" "$key" "$folder/ready" </dev/null >"$log" 2>&1 &
  await $!
}

write_config() {
  printf '%s\n' 'Host *' "  Port $COLONY_SSH_PORT" "  IdentityFile $folder/id" \
    '  StrictHostKeyChecking no' '  UserKnownHostsFile /dev/null' '  LogLevel ERROR' \
    '  ConnectionAttempts 10' >"$folder/config"
  # For what takes no -F, such as horovodrun.
  mkdir -p ~/.ssh && chmod 700 ~/.ssh
  [[ -e ~/.ssh/config ]] || cp "$folder/config" ~/.ssh/config
}

# Of an elastic job those that are there now: this may not be the launcher's first start.
count_workers() {
  local hosts
  [[ -s ${COLONY_ELASTIC:-}/hosts ]] || return 0
  mapfile -t hosts <"$COLONY_ELASTIC/hosts"
  export COLONY_WORKERS=${#hosts[@]}
}

await() {
  local deadline=$((SECONDS + COLONY_STARTUP_SECONDS))
  until [[ -e $folder/ready ]]; do
    kill -0 "$1" 2>/dev/null || fail 70 "the launcher cannot listen: $(<"$log")"
    ((SECONDS < deadline)) || fail 124 "not all of $COLONY_WORKERS workers asked for the key in time"
    sleep 0.2
  done
}

fail() {
  echo "colony: $2" >&2
  exit "$1"
}

# One line in (`NAME`), the key out, `ok` in: then NAME has it. Ends with the entry point.
read -r -d '' beacon <<'PYTHON'
import os, socketserver, sys, threading, time

key, ready = sys.argv[1:]
have, needed = set(), int(os.environ["COLONY_WORKERS"])

class Worker(socketserver.StreamRequestHandler):
    timeout = 10
    def handle(self):
        name = self.rfile.readline(200).decode().strip()
        self.wfile.write(f"{key}\n".encode())
        if self.rfile.readline(10).strip() == b"ok":
            have.add(name)
            if len(have) >= needed:
                open(ready, "w").close()

class Beacon(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1024

server = Beacon(("", int(os.environ["COLONY_BEACON_PORT"])), Worker)
threading.Thread(target=server.serve_forever, daemon=True).start()
while os.path.exists(f"/proc/{os.environ['COLONY_ENTRYPOINT']}"):
    time.sleep(0.5)
PYTHON

main
