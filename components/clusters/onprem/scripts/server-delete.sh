ours || exit 0
[ ! -x /usr/local/bin/k3s-uninstall.sh ] || $SUDO /usr/local/bin/k3s-uninstall.sh
forget
