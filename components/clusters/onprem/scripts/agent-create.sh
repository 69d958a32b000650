# The token comes on standard input: arguments are seen by everybody on the host.
check_gpus
claim
cat | $SUDO tee "${MARK%/*}/colony-token" > /dev/null
$SUDO chmod 600 "${MARK%/*}/colony-token"
install agent --server "$SERVER" --token-file "${MARK%/*}/colony-token" $ARGUMENTS
