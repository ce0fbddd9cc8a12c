"""Files and folders removed, renamed, made.

Tries: unlink, rename, rmdir, mkdir, mkfifo in a folder that everybody may write.
Escape: the folder's content differs afterwards.
Held by: landlock, namespaces
"""

import os

from certune.sandbox.attacks.kit import aim, attempt

folder = aim["folder"]


@attempt("rename")
def rename() -> None:
    os.rename(f"{folder}/kept", f"{folder}/taken")


@attempt("rename over another")
def replace() -> None:
    os.replace(f"{folder}/kept-too", f"{folder}/other")


@attempt("unlink")
def unlink() -> None:
    os.unlink(f"{folder}/other")


@attempt("rmdir")
def rmdir() -> None:
    os.rmdir(f"{folder}/empty")


@attempt("mkdir")
def mkdir() -> None:
    os.mkdir(f"{folder}/made")


@attempt("mkfifo")
def mkfifo() -> None:
    os.mkfifo(f"{folder}/fifo")


@attempt("a path socket's file")
def bound() -> None:
    import socket

    socket.socket(socket.AF_UNIX).bind(f"{folder}/socket")
