"""Options, endpoints and prices: strictly read, and never quoted where they may be secret."""

from fractions import Fraction

import pytest
from model_bench import environment

from certune.agents.best_of_n import BestOfN
from certune.agents.evolve import Evolve
from certune.agents.hybrid import Hybrid
from certune.agents.openai import OpenAI
from certune.agents.prices import Price, price_of, read_prices
from certune.agents.random import Random
from certune.agents.replay import Replay
from certune.core import AgentSetup, ConfigurationError, Remaining

LOCAL = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}


def made(factory, options, **setup):
    with environment():
        return factory(AgentSetup(options, lambda: iter(()), **setup))


@pytest.mark.parametrize("factory", [OpenAI, BestOfN, Evolve, Hybrid])
def test_every_agent_that_asks_a_model_takes_an_endpoint(factory):
    agent = made(factory, LOCAL)
    assert agent.name
    assert not agent.deterministic


@pytest.mark.parametrize("factory", [OpenAI, BestOfN, Evolve, Hybrid, Random, Replay])
def test_an_unknown_option_is_refused(factory):
    needed = {Random: {}, Replay: {"file": "f"}}.get(factory, LOCAL)
    given = {**needed, "sede": "7"}
    with pytest.raises(ConfigurationError, match="sede"):
        made(factory, given)


def test_the_nearest_option_is_named():
    with pytest.raises(ConfigurationError, match="temperature"):
        made(OpenAI, {**LOCAL, "temprature": "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", "0"),
        ("samples", "many"),
        ("samples", "٣"),
        ("temperature", "3"),
        ("temperature", "nan"),
        ("mode", "yaml"),
        ("repair", "maybe"),
        ("timeout", "0"),
        ("seed", "-1"),
        ("max_tokens", "1e3"),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        made(OpenAI, {**LOCAL, name: value})


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://user:hunter2@host/v1",
        "https://host/v1?key=hunter2",
        "http://host:99999999/v1",
        "http://[::1/v1",
    ],
)
def test_a_url_that_is_none_or_holds_a_secret_is_refused_without_quoting_it(url):
    with pytest.raises(ConfigurationError) as caught:
        made(OpenAI, {"model": "m", "base_url": url})
    assert "hunter2" not in str(caught.value)


def test_a_key_as_option_is_refused_without_quoting_it():
    with pytest.raises(ConfigurationError, match="environment") as caught:
        made(OpenAI, {**LOCAL, "api_key": "sk-hunter2hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_secret_in_the_wrong_option_is_not_quoted():
    with pytest.raises(ConfigurationError) as caught:
        made(OpenAI, {**LOCAL, "seed": "sk-hunter2hunter2"})
    assert "hunter2" not in str(caught.value)


def test_openai_itself_needs_a_key_and_local_servers_do_not():
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        made(OpenAI, {"model": "gpt"})
    with pytest.raises(ConfigurationError, match="MY_KEY"):
        made(OpenAI, {**LOCAL, "api_key_env": "MY_KEY"})
    assert made(OpenAI, LOCAL)


def test_a_model_is_needed():
    with pytest.raises(ConfigurationError, match="model"):
        made(OpenAI, {"base_url": LOCAL["base_url"]})


def test_an_agent_does_not_show_its_key():
    with environment("sk-hunter2hunter2"):
        agent = OpenAI(AgentSetup(LOCAL, lambda: iter(())))
    assert "hunter2" not in repr(agent._rounds._chat.endpoint)
    assert agent._rounds._chat.endpoint.key == "sk-hunter2hunter2"


def test_money_without_a_price_is_refused():
    def money():
        return Remaining(money=Fraction(1))

    with pytest.raises(ConfigurationError, match="price"):
        made(OpenAI, LOCAL, remaining=money)
    assert made(OpenAI, {**LOCAL, "price_in": "0.25", "price_out": "2"}, remaining=money)


def test_prices_come_from_a_table_of_the_users(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text('currency = "USD"\n[models."m"]\ninput = "0.25"\noutput = 2\n')
    table = read_prices(str(path))
    assert price_of("m", table, "", "") == Price(Fraction(1, 4), Fraction(2))
    assert price_of("other", table, "", "") is None
    assert price_of("m", table, "1", "3").of(10**6, 2 * 10**6) == 7


@pytest.mark.parametrize(
    "text",
    ["not toml", "[models.m]\ninput = 1\n", '[models.m]\ninput = "x"\noutput = 1\n', "x = 1\n",
     "[models.m]\ninput = -1\noutput = 1\n", "[models.m]\ninput = true\noutput = 1\n"],
)  # fmt: skip
def test_a_table_that_is_none_is_refused_with_its_place(tmp_path, text):
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"prices\.toml"):
        read_prices(str(path))


def test_a_missing_table_is_refused():
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_prices("/nowhere/prices.toml")


def test_prices_go_together():
    with pytest.raises(ConfigurationError, match="together"):
        made(OpenAI, {**LOCAL, "price_in": "1"})
