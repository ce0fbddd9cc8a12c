"""Whole sessions of agents: counts of verdicts, repetition, interruption, budgets, search."""

import json
from fractions import Fraction

import pytest
from mcp_toy import FORMAT, ToyTask, spec
from model_bench import Bench, OpenTask, options
from model_server import Fail, ModelServer, Say

from certune.agents.best_of_n import BestOfN
from certune.agents.evolve import Evolve
from certune.agents.hybrid import Hybrid
from certune.agents.openai import OpenAI
from certune.agents.random import Random
from certune.agents.replay import Replay
from certune.core import BudgetSpent, InvalidInput, Payload
from certune.core.canonical import dumps

HOSTILE = [
    "[" * 5000,
    '{"xs": [1e999999999]}',
    '{"xs": [12], "xs": [1]}',
    '{"xs": [' + "9" * 5000 + "]}",
    '{"xs": NaN}',
    '{"__class__": "os.system", "xs": "rm"}',
    '{"xs": [true]}',
    "\x00\x1b[2J",
]
MIX = (
    [('{"xs":[6,6]}', "accepted"), ('{"xs":[4,4,4]}', "not-better")]
    + [('{"xs":[6,7]}', "refuted"), ('{"xs":[13,-1]}', "refuted"), ('{"xs":[0]}', "refuted")]
    + [("I would rather not.", "invalid"), ('{"ys":[12]}', "invalid"), ('{"xs":[]}', "invalid")]
    + [('{"xs":[6,6]}', "not-better"), ('{"xs":[6,7]}', "refuted")]  # duplicates
    + [(text, "invalid") for text in HOSTILE]
    + [('{"xs":[12]}', "accepted")]
)


def by_seed(call):
    """A deterministic server: its answer depends on the request alone."""
    first = 1 + sum(call.prompt.encode()) * 31 % 11 + call.body["seed"]
    return Say(json.dumps({"xs": [first % 12 or 12, 12 - first % 12]}))


def test_a_known_mix_gives_exactly_the_verdicts_expected(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer([Say(text) for text, _ in MIX]) as server:
        given = options(server, repair="false")
        bench.run(OpenAI, "openai", given, attempts=len(MIX))
    assert bench.reasons == [reason for _, reason in MIX]
    accepted = [p for p, r in zip(bench.payloads, bench.reasons, strict=True) if r == "accepted"]
    assert accepted == [b'{"xs":[6,6]}', b'{"xs":[12]}']
    assert [t.number for t in bench.trials if t.known] == [9, 10]
    assert bench.spent.attempts == len(MIX)
    assert bench.spent.tokens == 150 * len(MIX)


def record(bench):
    return [
        (p, r, {k: v for k, v in t.provenance.items() if k != "endpoint"})
        for p, r, t in zip(bench.payloads, bench.reasons, bench.trials, strict=True)
    ]


@pytest.mark.parametrize("factory", [OpenAI, BestOfN, Evolve])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_deterministic_server_repeats_a_session(tmp_path, factory, samples):
    seen = []
    for run in range(2):
        bench = Bench(tmp_path / str(run))
        with ModelServer(by_seed) as server:
            bench.run(factory, factory.name, options(server, samples=samples), attempts=8)
        seen.append(record(bench))
    assert len(seen[0]) == 8
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("factory", "cut"), [*((OpenAI, n) for n in range(1, 6)), (Evolve, 2), (Evolve, 4)]
)
def test_an_interrupted_session_goes_on_as_it_would_have(tmp_path, factory, cut):
    """Cut after every attempt, within rounds of three samples and before repairs."""

    def script(call):
        if call.body["seed"] % 4 == 1 and len(call.body["messages"]) == 2:
            return Say("no idea")
        return by_seed(call)

    whole, parts = Bench(tmp_path / "whole"), Bench(tmp_path / "parts")
    with ModelServer(script) as server:
        given = options(server, samples=3)
        whole.run(factory, factory.name, given, attempts=9)
        with parts.start(factory.name, given, attempts=9) as session:

            def stop(event):
                if getattr(event, "number", 0) == cut:
                    session.stop()

            parts.go(session, factory, watch=stop)
        assert len(parts.trials) == cut
        parts.resume(factory, parts.session.identity)

    def comparable(bench):
        kept = ("round", "sample", "turn", "seed", "prompt", "island", "parents", "repairs")
        return [(p, r, [f.get(k) for k in kept]) for p, r, f in record(bench)]

    assert comparable(parts) == comparable(whole)


def test_samples_are_asked_at_once_with_seeds_of_their_own(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer(lambda call: Say('{"xs":[12]}', pause=0.05)) as server:
        bench.run(OpenAI, "openai", options(server, samples=4, seed=100), attempts=8)
        seeds = [call.body["seed"] for call in server.calls]
    assert sorted(seeds) == list(range(100, 108))
    assert [t.provenance["seed"] for t in bench.trials] == sorted(seeds)


def test_no_more_samples_are_asked_than_attempts_are_left(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer([Say('{"xs":[5,8]}')]) as server:
        bench.run(OpenAI, "openai", options(server, samples=4), attempts=6)
        assert len(server.calls) == 6


def test_the_cost_of_a_round_is_recorded_with_its_first_attempt(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer([Say('{"xs":[5,8]}')]) as server:
        bench.run(OpenAI, "openai", options(server, samples=4), attempts=4)
    assert [t.usage.tokens_in for t in bench.trials] == [400, 0, 0, 0]
    assert bench.trials[0].provenance["cost_of"] == 4


def test_a_sample_that_fails_for_good_does_not_lose_the_others(tmp_path):
    def script(call):
        return Fail(401) if call.body["seed"] == 2 else Say('{"xs":[5,7]}')

    bench = Bench(tmp_path)
    with ModelServer(script) as server:
        ended = bench.run(OpenAI, "openai", options(server, samples=4), attempts=9)
    assert ended.stopped == "trouble"
    assert [t.provenance["sample"] for t in bench.trials] == [0, 1, 3]
    assert bench.spent.tokens == 450


def test_a_limit_on_tokens_is_not_overrun(tmp_path):
    bench = Bench(tmp_path)

    def script(call):
        asked = call.body["max_tokens"]
        return Say('{"xs":[5,8]}', tokens=(len(call.prompt) // 4, asked))

    with ModelServer(script) as server:
        ended = bench.run(OpenAI, "openai", options(server), tokens=8000)
    assert ended.stopped == "budget"
    assert 4000 < bench.spent.tokens <= 8000


def test_a_limit_on_money_is_kept_with_known_prices(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer([Say('{"xs":[5,8]}')]) as server:
        given = options(server, price_in="10", price_out="20", max_tokens=100)
        ended = bench.run(OpenAI, "openai", given, money=Fraction(1, 50))
    assert ended.stopped == "budget"
    assert bench.trials[0].usage.money == Fraction(100 * 10 + 50 * 20, 10**6)
    assert bench.spent.money <= Fraction(1, 50)


def test_an_unknown_price_is_said_and_not_guessed(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer([Say('{"xs":[5,8]}')]) as server:
        bench.run(OpenAI, "openai", options(server), attempts=1)
    assert bench.trials[0].usage.money is None


def test_a_budget_for_less_than_a_handful_is_warned_of(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer([Say('{"xs":[5,8]}')]) as server:
        bench.run(OpenAI, "openai", options(server), attempts=3)
    assert any("allows about 3 proposals" in notice for notice in bench.notices)
    bench = Bench(tmp_path / "more")
    with ModelServer([Say('{"xs":[5,8]}')]) as server:
        bench.run(OpenAI, "openai", options(server), attempts=20)
    assert not any("allows" in notice for notice in bench.notices)


def test_a_budget_for_no_call_at_all_ends_as_spent(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer([Say('{"xs":[5,8]}')]) as server:
        ended = bench.run(OpenAI, "openai", options(server), tokens=100)
        assert not server.calls
    assert ended.stopped == "budget"
    assert bench.trials == []


def test_best_of_n_never_shows_a_verdict_and_ends_after_n(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer(by_seed) as server:
        ended = bench.run(BestOfN, "best-of-n", options(server, n=5, samples=2), attempts=50)
        prompts = {call.prompt for call in server.calls}
    assert ended.stopped == "exhausted"
    assert len(bench.trials) == 5
    assert len(prompts) == 1


def test_evolve_takes_parents_from_its_islands(tmp_path):
    bench = Bench(tmp_path)
    with ModelServer(by_seed) as server:
        bench.run(Evolve, "evolve", options(server, islands=2, migrate=3), attempts=24)
        prompts = [call.prompt for call in server.calls]
    islands = {t.number: t.provenance["island"] for t in bench.trials}
    assert set(islands.values()) == {0, 1}
    crossed = 0
    for trial, prompt in zip(bench.trials, prompts, strict=True):
        parents = trial.provenance["parents"]
        generation = trial.provenance["round"] // 2
        for parent in parents:
            assert f"Trial {parent}: " in prompt
            foreign = islands[parent] != trial.provenance["island"]
            crossed += foreign
            assert not foreign or (generation and generation % 3 == 0)
        assert ("Combine" in prompt) == (len(parents) == 2)
    assert any(len(t.provenance["parents"]) == 2 for t in bench.trials)
    assert crossed


class SolverTask(OpenTask):
    """The toy with a solver of its own: sums of ever fewer terms."""

    def solvers(self):
        return (Shrink(),)


class Shrink:
    name = "shrink"

    def solve(self, context):
        for count in (10, 8, 6, 4):
            yield Payload(FORMAT, dumps({"xs": [1] * (count - 1) + [13 - count]}))


@pytest.mark.parametrize("cut", [None, 1, 2, 3, 5, 6])
def test_hybrid_takes_turns_and_shares_one_history(tmp_path, cut):
    bench = Bench(tmp_path, SolverTask(spec(12)))
    answers = ['{"xs":[5,5,2]}', '{"xs":[5,8]}', '{"xs":[6,6]}', '{"xs":[12]}', '{"xs":[11,1]}']

    def script(call):
        return Say(answers[min(call.body["seed"], 4)])

    def stop(event):
        if getattr(event, "number", 0) == cut:
            bench.session.stop()

    with ModelServer(script) as server:
        bench.run(Hybrid, "hybrid", options(server, turns=2), watch=stop, attempts=8)
        if cut is not None:
            assert len(bench.trials) == cut
            bench.resume(Hybrid, bench.session.identity)
        prompts = [call.prompt for call in server.calls]
    by = [trial.provenance["by"] for trial in bench.trials]
    assert by == ["search", "search", "openai", "search", "search", "openai", "openai", "openai"]
    assert [len(json.loads(p)["xs"]) for p in bench.payloads] == [10, 8, 3, 6, 4, 2, 2, 1]
    assert "8 numbers" in prompts[0]  # the model sees what the solver found


class TestRandom:
    def test_it_needs_no_key_and_finds_something_better(self, tmp_path):
        bench = Bench(tmp_path, OpenTask(spec(6)))
        bench.run(Random, "random", {"seed": "3"}, attempts=60)
        assert "accepted" in bench.reasons
        assert "invalid" not in bench.reasons

    def test_it_repeats_and_resumes_exactly(self, tmp_path):
        whole, parts = Bench(tmp_path / "a"), Bench(tmp_path / "b")
        whole.run(Random, "random", {"seed": "1"}, attempts=40)
        parts.run(Random, "random", {"seed": "1"}, attempts=17)
        parts.resume(Random, parts.session.identity, attempts=40)
        assert parts.payloads == whole.payloads
        other = Bench(tmp_path / "c")
        other.run(Random, "random", {"seed": "2"}, attempts=40)
        assert other.payloads != whole.payloads

    def test_the_proven_bound_ends_it(self, tmp_path):
        bench = Bench(tmp_path, ToyTask(spec(2)))
        ended = bench.run(Random, "random", {}, attempts=100)
        assert ended.stopped == "nothing-better"


class TestReplay:
    def test_a_file_is_proposed_line_by_line(self, tmp_path):
        path = tmp_path / "proposals.jsonl"
        lines = [{"payload": {"xs": [5, 7]}}, {"format": FORMAT, "payload": "junk"},
                 {"format": "other", "payload": {"xs": [12]}}]  # fmt: skip
        path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
        bench = Bench(tmp_path)
        ended = bench.run(Replay, "replay", {"file": str(path)})
        assert ended.stopped == "exhausted"
        assert bench.reasons == ["accepted", "invalid", "invalid"]

    def test_it_goes_on_where_it_was(self, tmp_path):
        path = tmp_path / "proposals.jsonl"
        made = [{"xs": [n, 12 - n]} for n in range(1, 7)]
        path.write_text("\n".join(json.dumps({"payload": one}) for one in made))
        bench = Bench(tmp_path)
        bench.run(Replay, "replay", {"file": str(path)}, attempts=2)
        bench.resume(Replay, bench.session.identity, attempts=50)
        assert [json.loads(p) for p in bench.payloads] == made

    def test_a_recorded_session_is_proposed_again(self, tmp_path):
        bench = Bench(tmp_path)
        bench.run(Random, "random", {}, attempts=12)
        sent = bench.payloads
        bench.run(Replay, "replay", {"session": bench.session.identity})
        assert bench.payloads == sent

    @pytest.mark.parametrize("line", ["{", "[]", '{"format": "x"}', '{"format": 3, "payload": 1}'])
    def test_a_bad_line_is_named(self, tmp_path, line):
        path = tmp_path / "proposals.jsonl"
        path.write_text('{"payload": {"xs": [12]}}\n' + line)
        bench = Bench(tmp_path)
        ended = bench.run(Replay, "replay", {"file": str(path)})
        assert ended.stopped == "trouble"
        assert isinstance(ended.trouble, InvalidInput)
        assert "line 2" in ended.detail
        assert bench.reasons == ["accepted"]


def test_budget_spent_is_the_sessions_word_for_an_agent_that_cannot_pay(tmp_path):
    class Poor:
        name, deterministic = "poor", True

        def propose(self, brief, history):
            yield from ()
            raise BudgetSpent("money: nothing is left")

    bench = Bench(tmp_path)
    ended = bench.run(lambda setup: Poor(), "poor")
    assert (ended.stopped, ended.detail) == ("budget", "money: nothing is left")
