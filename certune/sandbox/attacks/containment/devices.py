"""Device nodes.

Tries: open memory, disks, terminals, fuse, kvm, loop, GPU nodes; make nodes.
Escape: a device beyond null, zero, full and the random ones could be opened, or a node was made.
Held by: landlock, namespaces, privileges
"""

import os

from certune.sandbox.attacks.kit import aim, attempt, did

NAMES = (
    "mem port kmsg fuse kvm loop-control ptmx tty console vhost-net vsock net/tun uinput "
    "mapper/control snapshot userfaultfd hwrng rtc rtc0 nvram cpu_dma_latency vda sda loop0"
).split()


@attempt("open devices")
def open_() -> None:
    for name in NAMES:
        try:
            fd = os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            continue
        os.close(fd)
        did(f"opened /dev/{name}")


@attempt("make a node")
def node() -> None:
    os.mknod(f"{aim['folder']}/node", 0o20666, os.makedev(1, 3))


@attempt("make a node in its own folder")
def own_node() -> str:
    os.mknod(f"{aim['nonce']}-node", 0o20666, os.makedev(1, 1))
    os.unlink(f"{aim['nonce']}-node")
    return "made a device node"
