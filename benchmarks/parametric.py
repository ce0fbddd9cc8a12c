"""Figures of the parametric proofs: seconds and queries for each family.

``python benchmarks/parametric.py [FAMILY …]`` proves the families named, or all, each query in
a Z3 process of its own. The columns: lemmas and claims, bytes of all queries, Z3's own count of
resources for all and for the most expensive of them, seconds of CPU (this process and the Z3
processes, most of it for starting them), seconds of wall time, and what came out. The last lines
time the making of large members.
"""

from __future__ import annotations

import resource
import sys
from time import perf_counter

from certune.tasks.collective.parametric import FAMILIES, instantiate, report
from certune.verifier.smt import SmtProver

LARGE: tuple[tuple[str, int, dict[str, int]], ...] = (
    ("ring-allreduce", 1024, {}),
    ("doubling-allgather", 1024, {}),
    ("two-level-alltoall", 128, {"gpus": 8}),
)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    row = "{:28}{:>8}{:>9}{:>12}{:>10}{:>8}{:>9}  {}"
    print(
        row.format("family", "queries", "bytes", "resources", "most", "CPU s", "wall s", "status")
    )
    start, used = perf_counter(), cpu_seconds()
    first = used
    for proof in report(sys.argv[1:], SmtProver()):
        before, used = used, cpu_seconds()
        spent = [int(str(o.evidence["resources"])) for o in proof.claims]
        print(
            row.format(
                proof.family.name,
                len(proof.claims),
                sum(len(query.text) for query in proof.queries.values()),
                sum(spent),
                max(spent),
                f"{used - before:.2f}",
                f"{proof.seconds:.2f}",
                proof.verdict.status.value,
            ),
            flush=True,
        )
    print(
        row.format(
            "all", "", "", "", "", f"{used - first:.2f}", f"{perf_counter() - start:.2f}", ""
        )
    )
    if not sys.argv[1:]:
        for name, ranks, given in LARGE:
            start = perf_counter()
            sends = instantiate(FAMILIES[name], ranks, **given).sends
            print(f"{name} of {ranks} ranks: {sends} sends made in {perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
