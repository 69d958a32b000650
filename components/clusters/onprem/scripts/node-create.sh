# On the server: the node has joined and is ready.
end=$(($(date +%s) + READY))
until [ "$($SUDO "$K3S" kubectl get node "$NODE" \
    -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2> /dev/null)" = True ]; do
    [ "$(date +%s)" -lt "$end" ] || fail "the node did not become ready in $READY s"
    sleep 2
done
