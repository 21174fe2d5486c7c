"""Sources without a published checksum, and hub repositories: locks, checks and resumption."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from clevr_fixture import make_clevr
from hub_server import TOKEN, Repository, files_of, serving
from site_server import COUNTS, HEADER, ROOT, Answer, contents, flags, settle_in
from site_server import serving as serving_site

from eyechart.core.errors import UserError
from eyechart.data.sources import download, versions
from eyechart.data.sources import http as sources_http
from eyechart.tables.receipt import read_receipt

LOCK = Path("versions.lock.tsv")
ZIP = Path("data/downloads/CLEVR_v1.0.zip")
REPOSITORY = "owner/clevr"


def write_table(file, url, files="-"):
    row = ["clevr", file, url, "-", "-", files, "CC BY 4.0", "who knows"]
    Path("versions.tsv").write_text(HEADER + "\n" + "\t".join(row) + "\n")


def pack(folder):
    with zipfile.ZipFile("official.zip", "w") as opened:
        for path in sorted(folder.rglob("*.*")):
            opened.write(path, Path("CLEVR_v1.0") / path.relative_to(folder))
    return Path("official.zip").read_bytes()


def sentence(splits=("train", "val")):
    with pytest.raises(UserError) as raised:
        download.main(flags(splits=splits))
    assert "\n" not in str(raised.value)
    return str(raised.value)


# An archive


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Serve a zip whose row has neither size nor checksum."""
    settle_in(tmp_path, monkeypatch)
    monkeypatch.setattr(sources_http, "_CHUNK", 500)
    folder = make_clevr(Path("official/CLEVR_v1.0"), COUNTS, seed=2)
    with serving_site(pack(folder)) as site:
        site.folder = folder
        write_table("CLEVR_v1.0.zip", site.url)
        yield site


def test_an_unpublished_checksum_is_locked_at_the_first_download(archive):
    archive.cuts = [5_000, 3_000]
    download.main(flags())
    assert [asked[0] for asked in archive.asked] == [None, "bytes=5000-", "bytes=8000-"]
    (locked,) = versions.read_lock(LOCK).values()
    assert (locked.dataset, locked.file, locked.url) == ("clevr", "CLEVR_v1.0.zip", archive.url)
    assert (locked.commit, locked.bytes) == ("-", len(archive.data))
    assert locked.sha256 == hashlib.sha256(archive.data).hexdigest()
    assert contents(ROOT) == contents(archive.folder)


def test_a_later_download_that_differs_is_refused_until_the_user_accepts_it(archive):
    download.main(flags())
    before, receipt = LOCK.read_text(), read_receipt(ROOT / "acquired.json")
    old, new = contents(ROOT), make_clevr(Path("other"), COUNTS, seed=3)
    ZIP.unlink()
    archive.data, archive.etag = pack(new), '"two"'
    told = sentence()
    for part in (
        f"{LOCK}: 'CLEVR_v1.0.zip' of clevr was",
        f"is now {len(archive.data)} bytes with sha256",
        f"if {ZIP} is damaged, delete it and run again; to accept the new content of {archive.url}",
    ):
        assert part in told
    assert contents(ROOT) == old
    assert (LOCK.read_text(), read_receipt(ROOT / "acquired.json")) == (before, receipt)
    LOCK.write_text("".join(before.splitlines(True)[:1]))
    archive.asked.clear()
    download.main(flags())
    assert archive.asked == []  # a refused file is not downloaded again
    assert contents(ROOT) == contents(new)
    assert LOCK.read_text() != before


def test_a_download_that_is_not_the_dataset_is_not_locked(archive):
    archive.data = b"<html>log in first</html>"
    assert "sends a web page, not the file" in sentence()
    archive.data = b"log in first"
    assert "truncated or damaged, not a complete zip" in sentence()
    assert not LOCK.exists()


def test_a_response_without_a_size_is_not_trusted(archive, monkeypatch):
    send = Answer.send_header
    monkeypatch.setattr(
        Answer, "send_header", lambda *a: None if a[1] == "Content-Length" else send(*a)
    )
    assert "gives its size, so a truncated file could not be detected" in sentence()


def test_size_licence_and_note_are_shown_before_the_download(archive, caplog):
    caplog.set_level("INFO")
    archive.statuses = [404]
    sentence()
    for part in ("size not known", "licence CC BY 4.0", archive.url, "(who knows)"):
        assert part in caplog.text


def test_an_archive_named_like_a_split_is_fetched_only_for_that_split(archive):
    row = ["clevr", "train.zip", f"{archive.url}/away", "-", "-", "-", "CC BY 4.0", "x"]
    with open("versions.tsv", "a") as handle:
        handle.write("\t".join(row) + "\n")
    download.main(flags(splits=("val",)))
    assert not Path("data/downloads/train.zip").exists()
    archive.statuses = [404]
    assert "HTTP 404" in sentence()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dataset\tfile\n", "line 1 must be the columns dataset, file, url, commit, bytes, sha256"),
        ("\t".join(versions.LOCK_COLUMNS) + "\na\tb\tc\t-\tmany\t0\n", "line 2 is 'a\\tb\\tc\\t-"),
        ("\t".join(versions.LOCK_COLUMNS) + "\na\tb\n", "line 2 is 'a\\tb', expected dataset, "),
    ],
)
def test_a_malformed_lock_is_reported(archive, text, expected):
    LOCK.write_text(text)
    assert expected in sentence()
    assert archive.asked == []


# A repository of the hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Serve a dataset as a repository, with images as large files and lists as git blobs."""
    settle_in(tmp_path, monkeypatch)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sources_http, "_CHUNK", 500)
    monkeypatch.setattr("hub_server.LARGE", (".png",))
    make_clevr(Path("official/CLEVR_v1.0"), COUNTS, seed=2)
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.repositories[REPOSITORY] = Repository()
        commit(server, files_of(Path("official")))
        write_table("-", f"hub:datasets/{REPOSITORY}@main")
        yield server


def commit(server, files):
    beside = {"README.md": b"# A card", "CLEVR_v1.0/images/test/a.png": b"not needed"}
    return server.repositories[REPOSITORY].commit(files | beside)


def test_a_repository_is_fetched_at_one_commit_with_only_needed_files(hub):
    cut = "CLEVR_v1.0/scenes/CLEVR_val_scenes.json"
    hub.cuts[cut] = [1000, 500]
    download.main(flags())
    assert contents(ROOT) == contents(Path("official/CLEVR_v1.0"))
    assert read_receipt(ROOT / "acquired.json")["source"] == "download"
    ranges = [asked.range for asked in hub.asked if asked.path.endswith("CLEVR_val_scenes.json")]
    assert ranges == [None, "bytes=1000-", "bytes=1500-"]
    head = hub.repositories[REPOSITORY].revisions["main"]
    locks = versions.read_lock(LOCK)
    assert {known.commit for known in locks.values()} == {head}
    for (_, name), known in locks.items():
        data = (Path("official") / name).read_bytes()
        assert (known.bytes, known.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert len(locks) == len(contents(ROOT))
    hub.asked.clear()
    download.main(flags())
    assert hub.fetched() == []


def test_a_repository_with_fewer_files_than_the_dataset_is_refused_before_the_first(hub):
    write_table("-", f"hub:datasets/{REPOSITORY}@main", files="12")
    head = hub.repositories[REPOSITORY].revisions["main"]
    assert f"{REPOSITORY} at {head}: has 11 files, but clevr has at least 12" in sentence()
    assert hub.fetched() == []


def test_a_revision_that_moved_changes_nothing_until_its_lines_are_deleted(hub):
    download.main(flags())
    old, lock = contents(ROOT), LOCK.read_text()
    other = make_clevr(Path("later/CLEVR_v1.0"), COUNTS, seed=5)
    commit(hub, files_of(Path("later")))
    download.main(flags())
    assert (contents(ROOT), LOCK.read_text()) == (old, lock)
    LOCK.unlink()
    download.main(flags())
    assert contents(ROOT) == contents(other)


@pytest.mark.parametrize(
    "name", ["images/val/CLEVR_val_000001.png", "scenes/CLEVR_val_scenes.json"]
)
def test_a_repository_that_differs_from_the_lock_is_refused_and_replaces_nothing(hub, name):
    download.main(flags())
    old, lock = contents(ROOT), LOCK.read_text()
    files = files_of(Path("official"))
    files[f"CLEVR_v1.0/{name}"] = files[f"CLEVR_v1.0/{name}"][::-1]
    head = commit(hub, files)
    write_table("-", f"hub:datasets/{REPOSITORY}@{head}")
    told = sentence()
    assert f"{LOCK}: 'CLEVR_v1.0/{name}' of clevr was" in told
    assert ", delete its line" in told
    here = {key: data for key, data in contents(ROOT).items() if not key.endswith(".new")}
    assert (here, LOCK.read_text()) == (old, lock)


def test_the_error_about_a_missing_commit_mentions_the_lock(hub):
    download.main(flags())
    repository = hub.repositories[REPOSITORY]
    gone = repository.revisions["main"]
    commit(hub, files_of(Path("official")) | {"more": b""})
    del repository.commits[gone]
    told = sentence()
    assert f"has no revision '{gone}'; delete the lines of clevr in {LOCK}" in told


def test_licence_size_and_gate_are_shown_and_a_token_gives_access(hub, caplog, monkeypatch):
    caplog.set_level("INFO")
    hub.repositories[REPOSITORY].gated = "auto"
    assert "owner/clevr is gated, and HF_TOKEN is not set; accept its terms" in sentence()
    assert hub.fetched() == []
    for part in ("licence CC BY 4.0; the hub says apache-2.0, gated: yes", "kiB", "11 of 13 files"):
        assert part in caplog.text
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    download.main(flags())
    assert {asked.token for asked in hub.asked if asked.host == "localhost"} == {None}


def test_mistakes_about_a_repository_are_one_sentence_errors(hub, monkeypatch):
    write_table("-", f"hub:datasets/{REPOSITORY}@mian")
    told = sentence()
    assert "has no revision 'mian'; correct its url in versions.tsv; did you mean 'main'?" in told
    write_table("-", "hub:datasets/owner/clever@main")
    assert "correct url in versions.tsv, or set the environment variable HF_TOKEN" in sentence()
    hub.repositories[REPOSITORY].commit({"README.md": b"moved"})
    write_table("-", f"hub:datasets/{REPOSITORY}@main")
    assert "contains none of the files that clevr needs (found: README.md)" in sentence()
    assert not LOCK.exists() and not (ROOT / "acquired.json").exists()


def test_a_users_own_file_behind_a_link_is_never_written_to(hub):
    mine = Path("mine.json")
    mine.write_text("mine")
    path = ROOT / "scenes/CLEVR_val_scenes.json"
    path.parent.mkdir(parents=True)
    path.symlink_to(mine.resolve())
    download.main(flags())
    assert mine.read_text() == "mine"
    assert json.loads(path.read_text())["scenes"] and not path.is_symlink()
