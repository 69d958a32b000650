# Put before every script. Set: COLONY (whose host this is), NODE.
set -eu
SUDO=
[ "$(id -u)" -eq 0 ] || SUDO='sudo -n'
MARK=/etc/rancher/k3s/colony
K3S=/usr/local/bin/k3s

fail() { echo "$NODE: $*" >&2; exit 1; }

# A host that has k3s already, and not from us, is somebody's cluster.
claim() {
    if $SUDO test -e "$MARK"; then
        owner=$($SUDO cat "$MARK")
        [ "$owner" = "$COLONY" ] || fail "the host is already in colony $owner"
    elif [ -e "$K3S" ] || [ -e /etc/rancher/k3s ]; then
        fail "k3s is already here, and Colony did not install it: remove it, or use another host"
    else
        # What cannot be made whole is taken back: a failed command has no end that would do it.
        trap 'give_back $?' EXIT
    fi
    $SUDO mkdir -p "${MARK%/*}"
    echo "$COLONY" | $SUDO tee "$MARK" > /dev/null
}

give_back() {
    [ "$1" -ne 0 ] || return 0
    for each in /usr/local/bin/k3s-uninstall.sh /usr/local/bin/k3s-agent-uninstall.sh; do
        [ ! -x "$each" ] || $SUDO "$each" || true
    done
    forget
}

ours() { $SUDO test -e "$MARK" && [ "$($SUDO cat "$MARK")" = "$COLONY" ]; }

# NVIDIA's PCI vendor, display classes: the same in every distribution, driver or not.
gpus() {
    found=0
    for device in /sys/bus/pci/devices/*; do
        [ "$(cat "$device/vendor" 2> /dev/null)" = 0x10de ] || continue
        case "$(cat "$device/class" 2> /dev/null)" in 0x0300* | 0x0302*) found=$((found + 1)) ;; esac
    done
    echo "$found"
}

check_gpus() {
    [ "$GPUS" -eq 0 ] && return
    found=$(gpus)
    [ "$found" -eq "$GPUS" ] || fail "the file says $GPUS GPUs, the host has $found"
}

# install MODE ARGUMENT...
install() {
    case "$INSTALLER" in
        https://*)
            command -v curl > /dev/null || fail "curl is missing on the host"
            script=$(curl -fsSL --max-time 60 "$INSTALLER") || fail "cannot fetch $INSTALLER"
            echo "$script" | $SUDO env INSTALL_K3S_VERSION="$VERSION" sh -s - "$@"
            ;;
        *) $SUDO env INSTALL_K3S_VERSION="$VERSION" sh "$INSTALLER" "$@" ;;
    esac
}

# What an uninstall leaves that was ours: the mark, and the folders if nothing else is in them.
forget() {
    $SUDO rm -f "$MARK" "${MARK%/*}/colony-token"
    $SUDO rmdir "${MARK%/*}" /etc/rancher 2> /dev/null || true
}
