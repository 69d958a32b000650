check_gpus
claim
install server $ARGUMENTS
end=$(($(date +%s) + READY))
until $SUDO "$K3S" kubectl get --raw /readyz > /dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || fail "the API server did not come up in $READY s"
    sleep 2
done
