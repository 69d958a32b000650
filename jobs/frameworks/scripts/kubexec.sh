#!/bin/sh
# Starts a process in a worker as ssh would: kubexec.sh HOST COMMAND... HOST is the pod's own name;
# the pod is found by its labels (an Indexed Job's pods have a random end), elastic ones by name.
while [ "${1#-}" != "$1" ]; do shift; done
host=${1%%.*}
shift
index=${host##*-}
selector="colony.dev/job=$COLONY_JOB,colony.dev/role=worker,@LABEL@=$index"
pod=$(kubectl get pods -l "$selector" --field-selector=status.phase=Running -o name 2>/dev/null | head -n 1)
exec kubectl exec -i "${pod:-$host}" -c trainer -- bash "$COLONY_HOME/ssh/session" "$@"
