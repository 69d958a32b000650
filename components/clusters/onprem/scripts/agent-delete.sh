ours || exit 0
[ ! -x /usr/local/bin/k3s-agent-uninstall.sh ] || $SUDO /usr/local/bin/k3s-agent-uninstall.sh
forget
