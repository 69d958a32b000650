#!/usr/bin/env bash
# What runs where an elastic job's launcher runs. The folder of this file is the mounted ConfigMap.
#
#   elastic.sh wait SECONDS   until all workers run that there should be; else exit code 124
#   elastic.sh probe          the launcher's readiness: unready at the sight of something new,
#                             ready again when it is dealt with. So the agent, which may only
#                             look at pods, knows that its word was heard.
set -uo pipefail

folder=${COLONY_ELASTIC:-$(dirname "${BASH_SOURCE[0]}")}
proc=${COLONY_PROC:-/proc}
notes=${COLONY_HOME:-/tmp}/.elastic

main() {
  case ${1:-} in
    wait) wait_for "$2" ;;
    probe) probe ;;
    *) echo "usage: elastic.sh wait SECONDS | probe" >&2 && exit 2 ;;
  esac
}

wait_for() {
  local deadline=$((SECONDS + $1)) hosts awaited
  while mapfile -t hosts <"$folder/hosts" && awaited=$(<"$folder/awaited"); do
    ((${#hosts[@]} < awaited || awaited == 0)) || return 0
    if ((SECONDS >= deadline)); then
      echo "colony: ${#hosts[@]} of $awaited workers run after $1 seconds" >&2
      exit 124
    fi
    sleep 1
  done
  echo "colony: cannot read the workers in $folder" >&2
  exit 78
}

probe() {
  mkdir -p "$notes"
  # A ConfigMap is changed as a whole, by a new link: look at one and the same.
  cd -P "$folder/..data" 2>/dev/null || cd "$folder" || exit 1
  local generation hook=''
  generation=$(<generation) || exit 1
  [[ ! -e hook.id ]] || hook=$(<hook.id)
  if [[ ! -e $notes/generation ]]; then # just started: nothing was promised yet
    echo "$generation" >"$notes/generation"
  fi
  if [[ $generation != "$(<"$notes/generation")" ]]; then
    [[ -z $hook ]] || start_hook "$hook"
    echo "$generation" >"$notes/generation"
    exit 1
  fi
  [[ -z $hook || $(cat "$notes/hook.$hook" 2>/dev/null) == 0 ]] || exit 1
  ! is_attached
}

# In the background: a probe has only seconds. Its exit code is noted; it runs once.
start_hook() {
  local note=$notes/hook.$1 limit
  [[ ! -e $note ]] || return 0
  echo running >"$note"
  limit=$(<hook.timeout)
  cp hook "$notes/hook" && chmod +x "$notes/hook"
  (
    # shellcheck disable=SC1091 # written by the agent
    source ./hook.env
    cd "${COLONY_WORK:-$notes}" || exit
    COLONY_SCALED=$(<"$OLDPWD/hook.pods")
    export COLONY_SCALED
    if [[ $(head -c 2 "$notes/hook") == '#!' ]]; then
      bounded "$limit" "$notes/hook" "$COLONY_SCALED"
    else
      bounded "$limit" bash "$notes/hook" "$COLONY_SCALED"
    fi
    echo $? >"$note"
  ) </dev/null >"$notes/hook.log" 2>&1 &
}

bounded() {
  if command -v timeout >/dev/null; then
    timeout -k 5 "$@"
  else
    shift
    "$@"
  fi
}

# Whether a process of ours is connected to a worker that is leaving: a remote shell with its name
# as a whole word, so that worker-1 is not worker-10.
is_attached() {
  local leaving args arg word file
  mapfile -t leaving <leaving
  ((${#leaving[@]})) || return 1
  for file in "$proc"/[0-9]*/cmdline; do
    mapfile -d '' -t args 2>/dev/null <"$file" || continue
    case ${args[0]:-} in
      ssh | */ssh | rsh | */rsh | kubectl | */kubectl) ;;
      *) continue ;;
    esac
    for arg in "${args[@]:1}"; do
      for word in ${arg//[^[:alnum:].-]/ }; do
        [[ " ${leaving[*]} " != *" ${word%%.*} "* ]] || return 0
      done
    done
  done
  return 1
}

main "$@"
