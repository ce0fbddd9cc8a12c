"""The public face is complete and lazy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import certune


def test_every_public_name_is_there() -> None:
    for name in certune.__all__:
        assert getattr(certune, name) is not None
    assert dir(certune) == sorted(certune.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Sesion"):
        _ = certune.Sesion


def test_importing_the_face_loads_nothing_else() -> None:
    code = "import sys, certune; print([m for m in sys.modules if m.startswith('certune.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['certune.version']"
