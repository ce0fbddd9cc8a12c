# Gain rights by programs that have them, or by namespaces.
# Tries: su, sudo, unshare, ping, chroot.
# Escape: one of them worked.
trying "programs with rights"
su -c true root < /dev/null && did "su"
sudo -n true && did "sudo"
unshare -U true && did "a user namespace"
unshare -n true && did "a network namespace"
chroot / true && did "chroot"
ping -c 1 -W 1 127.0.0.1 && did "ping"
trying "to be the judge's user with capabilities"
grep -q "CapEff:.*[1-9a-f]" /proc/self/status && did "capabilities"
