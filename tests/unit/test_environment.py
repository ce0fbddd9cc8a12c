"""The fingerprint: what results depend on, quickly, and nothing about whose machine it is."""

import getpass
import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

from certune import environment
from certune.core.canonical import digest
from certune.core.codec import decode, encode
from certune.environment import Environment, fingerprint


def test_it_tells_what_results_depend_on():
    found = fingerprint()
    assert found.python == f"cpython {platform.python_version()}" or "cpython" not in found.python
    assert set(found.packages) == {"numpy", "python-sat", "z3-solver"}
    assert found.machine == os.uname().machine
    assert found.kernel == os.uname().release
    assert found.cpus >= 1
    assert found.cpu.strip()
    assert decode(Environment, encode(found)) == found


def test_the_digest_leaves_out_the_load_alone(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0, 0))
    calm = fingerprint()
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 0, 0))
    busy = fingerprint()
    assert (calm.load, busy.load) == (0.0, 9.0)
    assert calm.digest == busy.digest
    monkeypatch.setattr(environment, "__version__", "9.9.9")
    assert fingerprint().digest != calm.digest


def test_fingerprints_of_before_keep_their_digests():
    known = Environment(
        certune="0.1.0",
        python="cpython 3.11.7",
        packages={"z3-solver": "4.13.0"},
        machine="x86_64",
        cpu="Some CPU",
        cpus=8,
        system="Linux",
        kernel="6.1.0",
        distribution="Debian",
        governor=None,
        load=1.0,
    )
    before = encode(known)
    del before["isolation"], before["measuring"]
    assert decode(Environment, before) == known
    assert known.digest == digest(before | {"load": None})


def test_what_measurements_depend_on_is_added_for_them():
    plain, measured = fingerprint(), fingerprint(isolation="confined", measured=True)
    assert plain.measuring is None
    assert measured.measuring.cores >= 1
    assert measured.isolation == "confined"
    assert "/" not in json.dumps(encode(measured.measuring))
    assert len({plain.digest, measured.digest, fingerprint(isolation="contained").digest}) == 3
    assert decode(Environment, encode(measured)) == measured


def test_it_names_nobody():
    text = json.dumps(encode(fingerprint()))
    for name in {socket.gethostname(), getpass.getuser(), str(Path.home()), os.getcwd()}:
        assert name not in text or len(name) < 4
    assert "/" not in text.replace("GNU/Linux", "")


def test_other_machines(monkeypatch):
    files = {
        "/proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
        "\nprocessor\t: 1\nCPU implementer\t: 0x42\n",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    }
    monkeypatch.setattr(environment, "_text", lambda path, limit=0: files.get(path, ""))
    monkeypatch.setattr(os, "getloadavg", lambda: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr(environment, "_PACKAGES", ("numpy", "no-such-package-of-certune"))
    found = fingerprint()
    assert found.cpu == f"{found.machine} implementer 0x41 part 0xd40"
    assert found.governor == "powersave"
    assert found.distribution == "unknown"
    assert found.load is None
    assert set(found.packages) == {"numpy"}
    assert decode(Environment, encode(found)) == found


def test_it_is_quick_and_imports_nothing_heavy():
    script = (
        "import sys, time; from certune.environment import fingerprint; fingerprint();"
        "print(min((lambda t: (fingerprint(), time.process_time() - t)[1])(time.process_time())"
        " for _ in range(5)));"
        "print([m for m in ('numpy', 'z3', 'pysat', 'networkx', 'cryptography') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    seconds, heavy = done.stdout.splitlines()
    assert float(seconds) < 0.01
    assert heavy == "[]"
