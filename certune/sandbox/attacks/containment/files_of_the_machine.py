"""Files by which the machine and its users are known.

Tries: passwd, shadow, machine-id, hosts, resolv.conf, keys and tokens in the home folders.
Escape: one of them could be read.
Held by: landlock, namespaces
"""

import os
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt, did

FILES = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/machine-id",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/environment",
    "/etc/ssh/sshd_config",
    "/root/.bashrc",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    f"{aim['home']}/.ssh/id_ed25519",
    f"{aim['home']}/.netrc",
    f"{aim['home']}/.bash_history",
]


@attempt("files of the machine")
def read() -> None:
    for name in FILES:
        try:
            data = Path(name).read_bytes()
        except OSError:
            continue
        did(f"read {name}, {len(data)} bytes")


@attempt("the root folder")
def root() -> str:
    return f"{len(os.listdir('/'))} names in the root folder"


@attempt("the home folder")
def home() -> str:
    return f"{len(os.listdir(aim['home']))} names in the home folder"


@attempt("the folder of temporary files")
def temporary() -> bytes:
    return " ".join(os.listdir(os.path.dirname(os.path.dirname(aim["open_secret"])))).encode()
