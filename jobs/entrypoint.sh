#!/usr/bin/env bash
# What every pod runs: environment, code, setup, run, outputs. The pod's exit code is that of the
# user's script; 66 means that its inputs could not be had, 74 that it succeeded and its outputs were
# lost, 78 that its world is not the one it was told of.
#
#   entrypoint.sh                                   runs the pod
#   entrypoint.sh wait SECONDS HOST:PORT|HOST: ...  waits until all are there; 124 = not in time
#
# From the manifest (jobs/entrypoint.py):
#   COLONY_HOME        writable folder          COLONY_SCRIPTS    folder of this file and the user's
#   COLONY_POD_INDEX   index within the role    COLONY_PROCESSES  processes of this pod
#   COLONY_NODE_BASE, COLONY_RANK_BASE          pods and processes of the world before this role
#   COLONY_PODS        "prefix:count ..." of the world's pods, in rank order
#   COLONY_SUBDOMAIN   their DNS domain         COLONY_FLUSH_SECONDS  bound on copying outputs
#   COLONY_HOST        this pod's name, with {index} in it
# and where they apply:
#   COLONY_WORLD       "pods x processes ..." of the world's roles, e.g. 1x8 3x8
#   COLONY_UNRANKED    `alone`: each pod is a world; `driver`: outside the world that it serves
#   COLONY_CODE        archive of the code
#   COLONY_FETCH_SECONDS  bound on copying inputs
#   COLONY_SETUP_SECONDS  bound on the wait for the setup of the world's other pods
#   COLONY_NODE_IPS    "ip ip ..." if already known
#   COLONY_FILE_PREFIX a rehearsal: the framework's files are written below it
#   COLONY_STEP        `serve`: start KubeRay's part of a pod; `run`: the user's script beside it
# Beside the user's scripts: ROLE.env (NAME=value or NAME@index=value, with {index}, {node}, {rank},
# {host}, {home}) and ROLE.files.tsv (key, path), the framework's.
set -uo pipefail

readonly INPUTS_LOST=66 OUTPUTS_LOST=74 CODE_LOST=70 TOOL_MISSING=69 WRONG_CONFIGURATION=78 WAITED=124
readonly TERMINATED=143
child='' terminated=0 moved=()

main() {
  if [[ ${1:-} == wait ]]; then
    wait_for "${@:2}"
    return
  fi
  trap on_signal TERM INT
  check_world
  [[ ${COLONY_STEP:-} == run ]] || unpack
  enter
  export_ranks
  export_addresses
  write_files
  export_pod_env
  case ${COLONY_STEP:-} in
    serve)
      fetch_inputs
      user_script setup
      spawn bash -c "$KUBERAY_GEN_RAY_START_CMD"
      return
      ;;
    run) ;;
    *)
      fetch_inputs
      user_script setup
      meet
      ;;
  esac
  need_tools
  user_script before
  user_script run
  copy_outputs
}

# A world that is not what the processes are told would hang in its first collective.
check_world() {
  local part total=0 number='^[0-9]+$'
  [[ $COLONY_POD_INDEX =~ $number ]] ||
    end $WRONG_CONFIGURATION "COLONY_POD_INDEX is '$COLONY_POD_INDEX', not a number"
  [[ -n ${COLONY_WORLD:-} ]] || return 0
  for part in $COLONY_WORLD; do total=$((total + ${part%x*} * ${part#*x})); done
  [[ ${WORLD_SIZE:-} == "$total" ]] ||
    end $WRONG_CONFIGURATION "WORLD_SIZE is '${WORLD_SIZE:-}', but nodes x processes is $total"
}

unpack() {
  mkdir -p "$COLONY_HOME/work" || end $CODE_LOST "cannot write to $COLONY_HOME"
  [[ $COLONY_CHECKPOINT_DIR == *://* ]] || mkdir -p "$COLONY_CHECKPOINT_DIR"
  [[ -n ${COLONY_CODE:-} ]] || return 0
  tar -xzf "$COLONY_CODE" -C "$COLONY_HOME/work" || end $CODE_LOST "cannot unpack the code"
}

enter() {
  [[ -z ${COLONY_CODE:-} ]] || cd "$COLONY_HOME/work" || end $CODE_LOST "cannot enter the code"
}

export_ranks() {
  local node=$((COLONY_NODE_BASE + COLONY_POD_INDEX))
  export RANK=$((COLONY_RANK_BASE + COLONY_POD_INDEX * COLONY_PROCESSES))
  if [[ -n ${COLONY_UNRANKED:-} ]]; then node=0 RANK=0; fi
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
  local deadline=$((SECONDS + ${COLONY_RESOLVE_SECONDS:-300})) pods index
  if [[ ${COLONY_UNRANKED:-} == alone ]]; then
    if [[ -n ${COLONY_NODE_IPS:-} ]]; then
      printf '%s\n' "${COLONY_NODE_IPS%% *}"
    else
      address "$(own_host)" "$deadline"
    fi
    return
  fi
  if [[ -n ${COLONY_NODE_IPS:-} ]]; then
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $COLONY_NODE_IPS
    return
  fi
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

own_host() { printf '%s' "${COLONY_HOST//\{index\}/$COLONY_POD_INDEX}"; }

write_files() {
  local key path target
  while IFS=$'\t' read -r key path; do
    target=${COLONY_FILE_PREFIX:-}$path
    if ! write_file "$key" "$target"; then
      target=$COLONY_HOME/files$path
      write_file "$key" "$target" || end $CODE_LOST "cannot write $target"
    fi
    [[ $target == "$path" ]] || moved+=("$path" "$target")
  done < <(list "$COLONY_ROLE.files.tsv")
}

# A key that is a path is what the file links to: it changes while the job runs.
write_file() {
  {
    mkdir -p "${2%/*}" || return 1
    if [[ $1 == /* ]]; then
      ln -sfn "${COLONY_ELASTIC:-${1%/*}}/${1##*/}" "$2" || return 1
    else
      cat "$COLONY_SCRIPTS/$1" >"$2" || return 1
    fi
    [[ $2 != *.sh ]] || chmod 755 "$2"
  } 2>/dev/null
}

export_pod_env() {
  local line name value i
  while IFS= read -r line; do
    name=${line%%=*} value=${line#*=}
    [[ $name != *@* || ${name#*@} == "$COLONY_POD_INDEX" ]] || continue
    value=${value//\{index\}/$COLONY_POD_INDEX}
    value=${value//\{node\}/$NODE_RANK}
    value=${value//\{rank\}/$RANK}
    value=${value//\{host\}/$(own_host)}
    value=${value//\{home\}/$COLONY_HOME}
    for ((i = 0; i < ${#moved[@]}; i += 2)); do
      [[ $value == *"${moved[i + 1]}"* ]] || value=${value//"${moved[i]}"/${moved[i + 1]}}
    done
    export "${name%%@*}=$value"
  done < <(list "$COLONY_ROLE.env")
}

list() { [[ ! -e $COLONY_SCRIPTS/$1 ]] || cat "$COLONY_SCRIPTS/$1"; }

wait_for() {
  local deadline=$((SECONDS + $1)) target
  trap 'exit $TERMINATED' TERM INT
  for target in "${@:2}"; do
    until there "${target%:*}" "${target##*:}"; do
      ((SECONDS < deadline)) || end $WAITED "${target%:} was not there within $1 seconds"
      sleep "${COLONY_WAIT_INTERVAL:-1}"
    done
  done
}

# A name resolves some seconds before its port accepts: ask the port.
there() {
  local connect='exec 3<>"/dev/tcp/$0/$1"'
  if [[ -z $2 ]]; then
    ! command -v getent >/dev/null || getent ahostsv4 "$1" >/dev/null || getent hosts "$1" >/dev/null
  elif command -v timeout >/dev/null; then
    timeout 3 bash -c "$connect" "$1" "$2" 2>/dev/null
  else
    bash -c "$connect" "$1" "$2" 2>/dev/null
  fi
}

# All pods of the world have ended their setup before one runs.
meet() {
  [[ -n ${COLONY_SETUP_SECONDS:-} ]] || return 0
  spawn bash "$COLONY_SCRIPTS/barrier.sh" "$COLONY_SETUP_SECONDS" $$ ||
    end $WAITED "the setup of other pods did not end within $COLONY_SETUP_SECONDS seconds"
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
  local path to
  while IFS=$'\t' read -r path to; do
    has_tool "$to" ||
      end $TOOL_MISSING "outputs: no '$(tool_of "$to")' to copy $path to $to: install it in setup"
  done < <(list outputs.tsv)
}

has_tool() {
  local tool
  tool=$(tool_of "$1")
  command -v "$tool" >/dev/null && return
  [[ $tool != aws ]] || python3 -m pip install --quiet 'awscli>=1.42,<2' >&2 </dev/null
  command -v "$tool" >/dev/null
}

# Into every pod, before its setup.
fetch_inputs() {
  local path from deadline=$((SECONDS + ${COLONY_FETCH_SECONDS:-0}))
  while IFS=$'\t' read -r path from; do
    [[ $path != '~' && $path != '~/'* ]] || path=$HOME${path#'~'}
    has_tool "$from" ||
      end $TOOL_MISSING "inputs: the image has no '$(tool_of "$from")' to copy $from: use another"
    spawn fetch "$from" "$path" "$deadline" ||
      end $INPUTS_LOST "inputs_lost: $from to $path (exit code $?)"
  done < <(list inputs.tsv)
}

# A whole bucket and a URL that ends with / are folders; else it is an object, or a folder if not.
fetch() {
  local rest=${1#*://}
  mkdir -p "$(dirname "$2")" || return 1
  { [[ $rest == */?* && $rest != */ ]] && fetch_object "$@" 2>/dev/null; } || fetch_folder "$@" ||
    return
  [[ -e $2 ]]
}

fetch_object() {
  case $1 in
    s3://*) bounded "$3" aws s3 cp --only-show-errors "$1" "$2" ;;
    gs://*) bounded "$3" gcloud storage cp "$1" "$2" ;;
    *) return 1 ;;
  esac
}

fetch_folder() {
  case $1 in
    s3://*) bounded "$3" aws s3 cp --only-show-errors --recursive "$1" "$2" ;;
    gs://*) mkdir -p "$2" && bounded "$3" gcloud storage rsync --recursive "$1" "$2" ;;
    az://*) copy_az "$(blob "$1")" "$2" "$3" ;;
    file://*) copy_file "${COLONY_FILE_ROOT:-}${1#file://}" "$2" "$3" ;;
  esac
}

copy_outputs() {
  local path to deadline=$((SECONDS + COLONY_FLUSH_SECONDS)) lost=()
  while IFS=$'\t' read -r path to; do
    if [[ -e $path ]]; then
      copy "$path" "$to" "$deadline" </dev/null || lost+=("$path to $to (exit code $?)")
    elif [[ -n ${COLONY_FIRST_POD:-} && $COLONY_POD_INDEX == 0 ]]; then
      lost+=("$path (was not written)")
    fi
  done < <(list outputs.tsv)
  ((${#lost[@]} == 0)) || end $OUTPUTS_LOST "outputs_lost: $(IFS=';' && echo "${lost[*]}")"
}

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
    az://*) copy_az "$1" "$(blob "$2")" "$3" ;;
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
blob() {
  local rest=${1#az://}
  printf '%s' "https://${rest%%/*}.blob.core.windows.net/${rest#*/}"
}

copy_az() {
  export AZCOPY_AUTO_LOGIN_TYPE=${AZCOPY_AUTO_LOGIN_TYPE:-WORKLOAD}
  bounded "$3" azcopy copy "$1" "$2" --recursive --as-subdir=false
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

main "$@"
