"""New files, anywhere.

Tries: create a file in each folder that is often writable, its name chosen by the judge.
Escape: the judge finds one of them afterwards.
Held by: landlock, namespaces
"""

import os

from certune.sandbox.attacks.kit import aim, attempt

for folder in aim["folders"]:

    @attempt(f"create a file in {folder}")
    def create(folder: str = folder) -> None:
        flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL
        fd = os.open(f"{folder}/{aim['nonce']}", flags, 0o666)
        os.write(fd, b"here")


@attempt("an unnamed file given a name")
def unnamed() -> None:
    fd = os.open(aim["folder"], os.O_TMPFILE | os.O_RDWR, 0o666)
    os.link(f"/proc/self/fd/{fd}", f"{aim['folder']}/{aim['nonce']}-unnamed")
