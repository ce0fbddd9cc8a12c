"""`certune verify` and `certune check`: judge files, repeat certificates."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from certune.cli.guard import INFRASTRUCTURE, REFUSED, AsJson, guarded, plain, read_file
from certune.cli.options import RequireIsolation, pairs

if TYPE_CHECKING:
    from certune.certificate import Opened


def _say(text: str = "") -> None:
    print(plain(text))  # noqa: T201


def verify_candidate(
    task: str,
    path: Path,
    parameter: list[str],
    as_json: bool,
    require_isolation: str | None = None,
) -> None:
    """Judge one file as a candidate for a task: obligations, metrics, distance to the bound."""
    from certune import plugins
    from certune.acceptance import amount, best_bound
    from certune.cli.live import percent
    from certune.cli.optimize import context
    from certune.core.candidate import Payload
    from certune.core.codec import encode
    from certune.core.spec import goal_metrics
    from certune.judging import judge

    opened = plugins.open_task(plugins.spec(task, pairs(parameter, "--parameter")))
    data = read_file(path, "candidate")
    payload = Payload(opened.recognise(data), data)
    called = context(require_isolation)
    judged = judge(opened, payload, called)
    bounds = opened.bounds(called) if judged.verdict.met else ()
    if as_json:
        json.dump(
            {
                "status": judged.verdict.status.value,
                "met": judged.verdict.met,
                "spec": opened.spec.digest,
                "isolation": judged.isolation,
                "obligations": encode(judged.verdict.obligations),
                "metrics": encode(judged.measurement.values) if judged.measurement else None,
                "bounds": encode(tuple(bounds)),
            },
            sys.stdout,
            indent=2,
        )
        _say()
    else:
        _say(f"{path}: {judged.verdict.status.value}")
        for obligation in judged.verdict.obligations:
            _say(f"  {obligation.status.value:<9} {obligation.name}: {obligation.claim}")
            if obligation.counterexample:
                _say(f"            {obligation.counterexample.sentence}")
        values = judged.measurement.values if judged.measurement else {}
        for metric in goal_metrics(opened.spec.goal):
            if metric.name not in values:
                continue
            told = f"  {metric.name} {amount(values[metric.name], metric.unit)}"
            bound = best_bound(metric, bounds)
            if bound is not None:
                distance = metric.gap(values[metric.name], bound.value)
                told += f", proven bound {amount(bound.value, metric.unit)}"
                told += "" if distance is None else f", gap {percent(float(distance))}"
            _say(told)
        if judged.isolation is not None:
            _say(f"  its programs ran {judged.isolation}")
    if not judged.verdict.met:
        raise typer.Exit(REFUSED)


def _refuse(subject: str, told: str, opened: Opened, as_json: bool) -> NoReturn:
    """Refuse a certificate that is not about what is expected, before anything is repeated."""
    if as_json:
        _dump(opened, "refuted", [{"subject": subject, "answer": "refuted", "detail": told}])
    else:
        _say(f"refuted: {told}")
    raise typer.Exit(REFUSED)


def _dump(
    opened: Opened, answer: str, findings: list[dict[str, str]], isolation: str | None = None
) -> None:
    data = {
        "answer": answer,
        "spec": opened.acceptance.spec.digest,
        "signer": opened.key.text if opened.key else None,
        "isolation": isolation,
        "findings": findings,
    }
    print(json.dumps(data, indent=2))  # noqa: T201


@guarded
def check(
    certificate: Annotated[Path, typer.Argument(help="A certificate; its files lie beside it.")],
    files: Annotated[
        Path | None, typer.Option("--files", help="The folder of its files, if elsewhere.")
    ] = None,
    expect_spec: Annotated[
        str | None, typer.Option("--expect-spec", help="The spec digest it must be about.")
    ] = None,
    expect_key: Annotated[
        str | None,
        typer.Option("--expect-key", help="The public key it must be signed with: text or file."),
    ] = None,
    require_isolation: RequireIsolation = None,
    as_json: AsJson = False,
) -> None:
    """Repeat the evidence of a certificate, trusting nobody.

    Answers confirmed (exit 0), refuted (1), or not repeatable here (3). Without --expect-spec
    it says only that the certificate is true of the specification that it names itself.
    """
    from certune.certificate import match_files, open_certificate
    from certune.cli.optimize import context
    from certune.core.errors import InvalidInput
    from certune.recheck import recheck
    from certune.signing import public_key

    try:
        opened = open_certificate(read_file(certificate, "certificate"))
    except InvalidInput as error:
        raise error.within(str(certificate)) from None
    acceptance = opened.acceptance
    if expect_spec is not None and acceptance.spec.digest != expect_spec:
        told = f"it is about the spec {acceptance.spec.digest}, not {expect_spec}"
        _refuse("spec", told, opened, as_json)
    if expect_key is not None:
        key = public_key(expect_key)
        if opened.key != key:
            signed = "not signed" if opened.key is None else f"signed by {opened.key.text}"
            _refuse("signature", f"it is {signed}, not by the key expected", opened, as_json)
    called = context(require_isolation)
    matched = match_files(opened.statement, files or certificate.parent)
    report = recheck(acceptance, {file.name: file.data for file in matched}, called)
    signed_by = opened.key.text if opened.key else None
    pinned = [
        f"signed by {signed_by}" if signed_by else "not signed",
        "the spec is pinned" if expect_spec else "the spec is the certificate's own word",
    ]
    if as_json:
        _dump(
            opened, report.answer, [vars(finding) for finding in report.findings], report.isolation
        )
    else:
        for finding in report.findings:
            _say(f"  {finding.answer:<14} {finding.subject}: {finding.detail}")
        if report.isolation is not None:
            _say(f"  its programs ran {report.isolation}")
        # The certificate's own sentence is nobody's finding, and is not said.
        why = [finding.detail for finding in report.findings if finding.subject == "decision"]
        _say(", ".join([f"{report.answer}: {acceptance.spec.task}", *why]))
        _say(f"spec {acceptance.spec.digest}; {'; '.join(pinned)}")
    if report.answer == "refuted":
        raise typer.Exit(REFUSED)
    if report.answer == "not-repeatable":
        raise typer.Exit(INFRASTRUCTURE)
