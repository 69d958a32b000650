#!/usr/bin/env bash
# What every pod runs: environment, code, setup, run, outputs. The pod's exit code is that of the
# user's script; 74 means that it succeeded and its outputs were lost.
#
# From the manifest (jobs/entrypoint.py):
#   COLONY_HOME        writable folder          COLONY_SCRIPTS    folder of this file and the user's
#   COLONY_POD_INDEX   index within the role    COLONY_PROCESSES  processes of this pod
#   COLONY_NODE_BASE, COLONY_RANK_BASE          pods and processes of the world before this role
#   COLONY_PODS        "prefix:count ..." of the world's pods, in rank order
#   COLONY_SUBDOMAIN   their DNS domain         COLONY_FLUSH_SECONDS  bound on copying outputs
#   COLONY_CODE        archive of the code      (optional)
#   COLONY_NODE_IPS    "ip ip ..." if already known (optional)
set -uo pipefail

readonly OUTPUTS_LOST=74 CODE_LOST=70 TOOL_MISSING=69 TERMINATED=143
child='' terminated=0

main() {
  trap on_signal TERM INT
  unpack
  export_ranks
  export_addresses
  user_script setup
  need_tools
  user_script run
  copy_outputs
}

unpack() {
  mkdir -p "$COLONY_HOME/work" || end $CODE_LOST "cannot write to $COLONY_HOME"
  [[ $COLONY_CHECKPOINT_DIR == *://* ]] || mkdir -p "$COLONY_CHECKPOINT_DIR"
  [[ -n ${COLONY_CODE:-} ]] || return 0
  tar -xzf "$COLONY_CODE" -C "$COLONY_HOME/work" || end $CODE_LOST "cannot unpack the code"
  cd "$COLONY_HOME/work" || end $CODE_LOST "cannot enter the code"
}

export_ranks() {
  local node=$((COLONY_NODE_BASE + COLONY_POD_INDEX))
  export RANK=$((COLONY_RANK_BASE + COLONY_POD_INDEX * COLONY_PROCESSES))
  export NODE_RANK=$node node_rank=$node PET_NODE_RANK=$node DSTACK_NODE_RANK=$node
  export SKYPILOT_NODE_RANK=$node SKYPILOT_SETUP_NODE_RANK=$node
}

export_addresses() {
  local file=$COLONY_HOME/addresses ips
  spawn addresses >"$file"
  ips=$(<"$file")
  export SKYPILOT_NODE_IPS=$ips SKYPILOT_SETUP_NODE_IPS=$ips DSTACK_NODES_IPS=$ips
  export DSTACK_MASTER_NODE_IP=${ips%%$'\n'*}
}

addresses() {
  if [[ -n ${COLONY_NODE_IPS:-} ]]; then
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $COLONY_NODE_IPS
    return
  fi
  local deadline=$((SECONDS + ${COLONY_RESOLVE_SECONDS:-300})) pods index
  for pods in $COLONY_PODS; do
    for ((index = 0; index < ${pods##*:}; index++)); do
      address "${pods%:*}-$index.$COLONY_SUBDOMAIN" "$deadline"
    done
  done
}

# A pod has no address before its node has room for it: ask until the deadline, then use the name.
address() {
  local ip=''
  while command -v getent >/dev/null; do
    read -r ip _ < <(getent ahostsv4 "$1" || getent hosts "$1")
    [[ -z $ip ]] || break
    ((SECONDS < $2)) || break
    sleep "${COLONY_RESOLVE_INTERVAL:-1}"
  done
  printf '%s\n' "${ip:-$1}"
}

user_script() {
  local file=$COLONY_SCRIPTS/$COLONY_ROLE.$1.sh code
  [[ -s $file ]] || return 0
  spawn bash "$file"
  code=$?
  ((code == 0)) || end $code "$1 failed with exit code $code"
}

# In its own process group, so that a signal reaches everything the user's script started.
spawn() {
  local code
  ((terminated == 0)) || end $TERMINATED terminated
  set -m
  "$@" </dev/null &
  child=$!
  set +m
  ((terminated == 0)) || on_signal
  wait "$child"
  code=$?
  while ((code > 128)) && kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  child=''
  ((terminated == 0)) || end $TERMINATED terminated
  return $code
}

on_signal() {
  terminated=1
  [[ -z $child ]] || kill -TERM -- "-$child" 2>/dev/null
}

# Before the training rather than after it: the tools that the outputs need.
need_tools() {
  local path to tool
  while IFS=$'\t' read -r path to; do
    tool=$(tool_of "$to")
    command -v "$tool" >/dev/null && continue
    [[ $tool != aws ]] || python3 -m pip install --quiet 'awscli>=1.42,<2' >&2 </dev/null
    command -v "$tool" >/dev/null && continue
    end $TOOL_MISSING "outputs: the image has no '$tool' to copy $path to $to: install it in setup"
  done < <(outputs)
}

copy_outputs() {
  local path to deadline=$((SECONDS + COLONY_FLUSH_SECONDS)) lost=()
  while IFS=$'\t' read -r path to; do
    if [[ -e $path ]]; then
      copy "$path" "$to" "$deadline" </dev/null || lost+=("$path to $to (exit code $?)")
    elif [[ -n ${COLONY_FIRST_POD:-} && $COLONY_POD_INDEX == 0 ]]; then
      lost+=("$path (was not written)")
    fi
  done < <(outputs)
  ((${#lost[@]} == 0)) || end $OUTPUTS_LOST "outputs_lost: $(IFS=';' && echo "${lost[*]}")"
}

outputs() { [[ ! -e $COLONY_SCRIPTS/outputs.tsv ]] || cat "$COLONY_SCRIPTS/outputs.tsv"; }

tool_of() {
  case $1 in
    s3://*) echo aws ;;
    gs://*) echo gcloud ;;
    az://*) echo azcopy ;;
    *) echo cp ;;
  esac
}

copy() {
  local folder=''
  [[ ! -d $1 ]] || folder=1
  case $2 in
    s3://*) bounded "$3" aws s3 cp --only-show-errors ${folder:+--recursive} "$1" "$2" ;;
    gs://*) copy_gs "$@" ;;
    az://*) copy_az "$@" ;;
    file://*) copy_file "$1" "${COLONY_FILE_ROOT:-}${2#file://}" "$3" ;;
    *) echo "colony: no way to copy to $2" >&2 && return 2 ;;
  esac
}

copy_gs() {
  if [[ -d $1 ]]; then
    bounded "$3" gcloud storage rsync --recursive "$1" "$2"
  else
    bounded "$3" gcloud storage cp "$1" "$2"
  fi
}

# az://account/container/path is https://account.blob.core.windows.net/container/path
copy_az() {
  local rest=${2#az://}
  export AZCOPY_AUTO_LOGIN_TYPE=${AZCOPY_AUTO_LOGIN_TYPE:-WORKLOAD}
  bounded "$3" azcopy copy "$1" "https://${rest%%/*}.blob.core.windows.net/${rest#*/}" \
    --recursive --as-subdir=false
}

copy_file() {
  if [[ -d $1 ]]; then
    mkdir -p "$2" && bounded "$3" cp -R "$1/." "$2/"
  elif [[ $2 == */ ]]; then
    mkdir -p "$2" && bounded "$3" cp "$1" "$2"
  else
    mkdir -p "$(dirname "$2")" && bounded "$3" cp "$1" "$2"
  fi
}

bounded() {
  local left=$(($1 - SECONDS))
  shift
  ((left > 0)) || return 124
  if command -v timeout >/dev/null; then
    timeout -k 5 "$left" "$@"
  else
    "$@"
  fi
}

end() {
  ((terminated == 0)) || set -- $TERMINATED terminated
  echo "colony: $2" >&2
  { printf '%s' "$2" >"${COLONY_TERMINATION_LOG:-/dev/termination-log}"; } 2>/dev/null
  exit "$1"
}

main
