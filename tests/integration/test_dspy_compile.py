"""`certune compile`: GEPA on a scripted server, with verdicts from real sessions."""

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from mcp_process import environment as child_environment
from mcp_toy import spec
from model_bench import Bench, OpenTask, environment, options
from model_server import Fail, ModelServer, Say

from certune.agents.dspy import DSPy
from certune.agents.dspy_compile import Lesson, compile_program
from certune.agents.dspy_program import read, save
from certune.core import Budget, BudgetSpent, ConfigurationError, Unavailable
from certune.core.agent import AgentSetup
from certune.core.budget import Spent
from certune.ledger import Ledger
from certune.session import Session

LEARNED = "First add the numbers up, then propose."


def total(prompt):
    return int(prompt.partition("add up to ")[2].partition(",")[0])


class Pupil:
    """Proposes a wrong sum until its instructions tell it to add up; writes those itself."""

    def __init__(self):
        self.reflected = 0
        self.seen = ""

    def __call__(self, call):
        prompt, fields = call.prompt, self._fields(call)
        if fields == ["diagnosis"]:
            return Say('{"diagnosis": "off by one"}')
        if fields == ["proposal"]:
            return Say('{"proposal": {"xs": [1]}}')
        if fields == ["plan", "proposal"]:
            half = total(prompt) // 2
            xs = [half, half] if LEARNED in prompt else [half, half + 1]
            return Say(json.dumps({"plan": "halves", "proposal": {"xs": xs}}))
        self.reflected += 1
        self.seen = prompt
        return Say(json.dumps(dict.fromkeys(fields, LEARNED)))

    def _fields(self, call):
        asked = call.body["response_format"]["json_schema"]["schema"]
        return list(asked["properties"])


def school(folder, script, attempts, tasks=2, more=None, budget=None, key=None, task=OpenTask):
    """Compile on toy tasks; returns the result, the trials of each session and the server."""
    with Ledger.open(folder) as ledger, ModelServer(script) as server, environment(key):
        sessions = [
            Session.start(ledger, task(spec(12 + 2 * i)), agent="dspy", options={})
            for i in range(tasks)
        ]
        limits = budget or Budget()

        def spent():
            parts = [ledger.spent(s.identity) for s in sessions]
            return Spent(sum(p.attempts for p in parts), 0.0, sum(p.tokens for p in parts))

        def door(session):
            def submit(proposal):
                limit = limits.exhausted(spent())
                if limit is not None:
                    raise BudgetSpent(f"the budget of {limit} is spent")
                return session.submit(proposal)

            return submit

        setup = AgentSetup(
            options(server, **(more or {})),
            lambda: iter(()),
            remaining=lambda: limits.remaining(spent()),
        )
        agent = DSPy(setup)
        lessons = [Lesson(s.ask(), s.history, door(s)) for s in sessions]
        try:
            result = compile_program(agent, lessons, attempts)
        finally:
            school.trials = [list(s.trials) for s in sessions]
            school.calls = len(server.calls)
            school.tokens = spent().tokens
    return result


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("school")
    pupil = Pupil()
    result = school(folder, pupil, 12, more={"repairs": 1})
    path = folder / "program.json"
    save(result.program, path)
    return SimpleNamespace(
        program=result.program,
        before=result.before,
        after=result.after,
        path=path,
        pupil=pupil,
        trials=school.trials,
        calls=school.calls,
        tokens=school.tokens,
    )


def test_it_learns_from_the_verifiers_words(compiled):
    assert compiled.program.propose.signature.instructions == LEARNED
    assert compiled.after > compiled.before
    assert "the sum is 13, not 12" in compiled.pupil.seen or "the sum is 15, not 14" in (
        compiled.pupil.seen
    )
    assert "change one number by the difference" in compiled.pupil.seen


def test_every_attempt_and_every_token_is_recorded(compiled):
    trials = [trial for session in compiled.trials for trial in session]
    assert all(trial.provenance["compiling"] for trial in trials)
    assert {trial.provenance["turn"] for trial in trials} == {"propose", "repair"}
    assert {trial.decision.reason for trial in trials} == {"accepted", "not-better", "refuted"}
    assert compiled.tokens == 150 * compiled.calls


def test_the_program_is_used_by_the_agent(compiled, tmp_path):
    bench = Bench(tmp_path)
    with ModelServer(Pupil()) as server:
        bench.run(DSPy, "dspy", options(server, program=compiled.path), attempts=1)
        assert LEARNED in server.calls[0].prompt
    assert bench.reasons == ["accepted"]
    assert bench.trials[0].provenance["program"] == read(compiled.path)[1]


def test_a_budget_that_ends_in_the_middle_still_gives_a_program(tmp_path):
    result = school(tmp_path, Pupil(), 50, budget=Budget(tokens=5000), more={"max_tokens": 100})
    assert "token" in result.ended
    assert result.after >= result.before
    assert school.tokens <= 5000
    assert school.tokens == 150 * school.calls


def test_a_permanent_fault_is_said(tmp_path):
    with pytest.raises(Unavailable, match="OPENAI_API_KEY"):
        school(tmp_path, [Fail(401, "no")], 10, key="sk-planted")
    assert school.calls == 1


def test_unreadable_answers_are_attempts(tmp_path):
    result = school(tmp_path, [Say("I refuse.")], 4, tasks=1, more={"repairs": 0})
    assert result.before == result.after == 0
    assert {t.decision.reason for t in school.trials[0]} == {"invalid"}


def test_tasks_of_different_formats_share_the_instructions(tmp_path):
    """One task's schema names its own total; each is asked for in its own format."""

    class Named(OpenTask):
        def brief(self):
            (form,) = (told := super().brief()).formats
            schema = {**form.schema, "properties": {**form.schema["properties"]}}
            schema["properties"]["total"] = {"type": "integer", "enum": [self.total]}
            schema["required"] = ["xs", "total"]
            return replace(told, formats=(replace(form, schema=schema),))

    asked = set()

    class Noting(Pupil):
        def __call__(self, call):
            schema = call.body["response_format"]["json_schema"]["schema"]
            proposal = schema["properties"].get("proposal")
            if proposal and "plan" in schema["properties"]:
                asked.add((total(call.prompt), *proposal["properties"]["total"]["enum"]))
            return super().__call__(call)

    result = school(tmp_path, Noting(), 12, more={"repairs": 0}, task=Named)
    assert asked == {(12, 12), (14, 14)}
    assert result.program.propose.signature.instructions == LEARNED
    assert result.after > result.before


def test_no_task_is_no_school(tmp_path):
    with pytest.raises(ConfigurationError, match="no task"):
        school(tmp_path, Pupil(), 4, tasks=0)


def certune(folder, *arguments, code=0):
    """Run the command in a process that knows the toy family and holds a key."""
    done = subprocess.run(
        [sys.executable, "-m", "certune", *arguments, "--project", str(folder / "project")],
        env=child_environment(folder, OPENAI_API_KEY="sk-planted-123"),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"sk-planted" not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["toy/sum", "--output", "{folder}/nowhere/p.json", "--model", "m"], b"no file can be"),
        (["toy/sum", "--output", "{folder}", "--model", "m"], b"no file can be"),
        (["toy/sum:total", "--output", "{folder}/p.json", "--model", "m"], b"is not key=value"),
        (["toy/sum", "--output", "{folder}/p.json"], b"needs model"),
        (["toy/none", "--output", "{folder}/p.json", "--model", "m"], b"there is no task"),
        (["toy/sum", "--model", "m"], b"--output"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(tmp_path, more, told):
    given = [text.format(folder=tmp_path) for text in more]
    assert told in certune(tmp_path, "compile", *given, code=2).stderr


@pytest.mark.slow
def test_the_command_compiles_and_the_file_is_used(tmp_path):
    project, out = tmp_path / "project", tmp_path / "program.json"

    with ModelServer(Pupil()) as server:
        asked = ["--base-url", server.url, "--model", "toy"]
        done = certune(
            tmp_path, "compile", "toy/sum:total=12", "toy/sum:total=14", "--output", str(out),
            "-b", "attempts=16", "-o", "repairs=0", "--json", *asked,
        )  # fmt: skip
        told = json.loads(done.stdout)
        assert told["after"] > told["before"]
        assert told["attempts"] <= 16
        assert len(list(project.rglob("accepted/*/*/certificate.json"))) == 2
        assert read(out)[0]["propose"]["signature"]["instructions"] == LEARNED
        done = certune(
            tmp_path, "optimize", "toy/sum", "-a", "dspy", "-o", f"program={out}",
            "-b", "attempts=1", "--json", "--incumbent", "baseline", *asked,
        )  # fmt: skip
        assert len(json.loads(done.stdout)["accepted"]) == 1
    with ModelServer([Fail(404, "no such model")]) as server:
        asked = ["--base-url", server.url, "--model", "toy"]
        done = certune(tmp_path, "compile", "toy/sum", "--output", str(out), *asked, code=3)
        assert b"no such model" in done.stderr
        assert b"Traceback" not in done.stderr
    for path in project.rglob("*"):
        assert not path.is_file() or b"sk-planted" not in path.read_bytes()
