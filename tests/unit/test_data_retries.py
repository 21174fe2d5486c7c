"""Interrupted downloads and a busy hub are retried after growing pauses, up to a stated time."""

import hashlib
from pathlib import Path

import pytest
from checkpoint_fixture import WEIGHTS, pull, pulled, serving_clip
from site_server import Answer, Site, serving, settle_in

from eyechart.core.errors import UserError
from eyechart.data.sources import http as sources_http

DATA = bytes(range(256)) * 4096  # 1 MiB
FILES = {"config.json": b"{}", WEIGHTS: bytes(20_000)}
PATH = Path("cache/some.zip")


@pytest.fixture
def site(tmp_path, monkeypatch):
    pauses = settle_in(tmp_path, monkeypatch)
    with serving(DATA) as server:
        server.pauses = pauses
        yield server


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with serving_clip(tmp_path, monkeypatch, FILES) as server:
        yield server


def get(site):
    sources_http.fetch(site.url, PATH, len(DATA), hashlib.sha256(DATA).hexdigest())
    return PATH.read_bytes()


def test_pauses_grow_while_a_connection_is_cut_twelve_times(site):
    site.cuts = [0] * 12
    assert get(site) == DATA
    assert site.pauses == [2, 4, 8, 16, 32, *[60] * 7]


def test_each_new_byte_resets_the_pauses(site):
    site.cuts = [10_000, 0, 0] * 40
    assert get(site) == DATA
    assert site.pauses == [2, 4, 8] * 40


def test_a_connection_that_is_always_cut_fails_after_ten_minutes(site):
    site.cuts = [300_000, *[0] * 99]
    with pytest.raises(UserError) as raised:
        get(site)
    assert str(raised.value) == (
        f"{site.url}: interrupted 14 times in a row, with 542 s of pauses (the connection was "
        "cut); 300000 of 1048576 bytes are kept in cache/some.zip.part; run again to continue"
    )
    assert sum(site.pauses) == 542


@pytest.mark.parametrize("length", ["x", "-1", "9" * 400])
def test_an_invalid_size_is_a_short_one_sentence_error(site, monkeypatch, length):
    send = Answer.send_header
    spoilt = {"Content-Length": length}
    monkeypatch.setattr(Answer, "send_header", lambda a, k, v: send(a, k, spoilt.get(k, v)))
    with pytest.raises(UserError, match=r"the server has .* bytes, expected 1048576$") as raised:
        get(site)
    assert len(str(raised.value)) < 200


def test_requests_to_a_busy_server_are_repeated(site):
    site.statuses = [503, 429]
    assert get(site) == DATA


def test_an_unreachable_site_is_a_one_sentence_error(site):
    with Site(DATA) as closed:
        url = closed.url
    with pytest.raises(UserError, match=r"6 times in a row, with 62 s .* Connection refused\)"):
        sources_http.fetch(url, PATH, 10, "0" * 64)
    assert site.pauses == [2, 4, 8, 16, 32]


def test_a_server_without_progress_is_given_up(site):
    site.ranges, site.cuts = False, [300_000] * 99
    with pytest.raises(UserError, match=r"interrupted 14 times in a row, with 542 s of pauses"):
        get(site)
    assert len(site.asked) == 14


@pytest.mark.parametrize("fails", [[0] * 12, [503, 429, 408, 500], [504] * 12])
def test_requests_to_an_interrupted_or_busy_hub_are_repeated(hub, fails):
    hub.fails = list(fails)
    pull()
    assert hub.fails == [] and pulled()[WEIGHTS] == FILES[WEIGHTS]


@pytest.mark.parametrize(
    ("status", "told"),
    [(0, r"the hub cannot be reached \(Server"), (503, "the hub answers HTTP 503;")],
)
def test_a_hub_that_never_responds_is_a_one_sentence_error(hub, status, told):
    hub.fails = [status] * 99
    with pytest.raises(UserError, match=told):
        pull()
    assert len(hub.asked) == 14


def test_a_refusing_hub_is_requested_once(hub):
    hub.fails = [403] * 2
    with pytest.raises(UserError, match="HTTP 403; correct the token"):
        pull()
    assert len(hub.asked) == 1
