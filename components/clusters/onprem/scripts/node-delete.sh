# On the server: its pods leave, and the node is forgotten.
if $SUDO "$K3S" kubectl get node "$NODE" > /dev/null 2>&1; then
    $SUDO "$K3S" kubectl drain "$NODE" --ignore-daemonsets --delete-emptydir-data --force \
        --timeout="${DRAIN}s" || echo "$NODE: not all pods left in $DRAIN s" >&2
    $SUDO "$K3S" kubectl delete node "$NODE" --ignore-not-found
fi
