"""MSCCL programs (MSCCL XML): read, compiled as the runtimes do, verified, written.

The semantics are those of the runtimes' own sources; docs/formats/msccl-xml.md describes them.
"""
