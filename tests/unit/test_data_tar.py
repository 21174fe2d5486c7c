"""Tars, plain files and archives of the hub: unpacked, downloaded, locked; bad ones are named."""

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from blink_fixture import make_blink
from hpatches_fixture import make_hpatches
from hub_server import Repository, files_of
from hub_server import serving as serving_hub
from nyuv2_fixture import make_nyuv2, write_splits
from site_server import HEADER, Answer, flags, serving, settle_in
from spair_fixture import make_spair

from eyechart.core.errors import UserError
from eyechart.data.sources import archive as sources_archive
from eyechart.data.sources import download, versions
from eyechart.data.sources import http as sources_http
from eyechart.data.sources.archive import is_archive, unpack
from eyechart.tables.receipt import read_receipt

LOCK = Path("versions.lock.tsv")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    settle_in(tmp_path, monkeypatch)


def write_table(*rows, files="-"):
    lines = ["\t".join([*row, "-", "-", files, "a licence", "a note"]) for row in rows]
    Path("versions.tsv").write_text("\n".join([HEADER, *lines]) + "\n")


def get(layout, *splits):
    root = Path("data/raw") / layout
    download.main(flags(layout, splits, layout, root))
    return read_receipt(root / "acquired.json")


def pack(*members, name="some.tar.gz"):
    """Write a tar of (name, bytes) or of TarInfo."""
    with tarfile.open(name, "w:gz") as opened:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                opened.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            opened.addfile(info, io.BytesIO(member[1]))
    return Path(name)


def link(name, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def keep(name):
    return None if name.startswith("skip") else name


def test_chosen_members_are_written_and_no_others():
    archive = pack(("./a/b:c.json", b"{}"), ("skip/d", b"x"), ("e.txt", b"text"))
    unpack(archive, Path("root"), keep)
    assert files_of(Path("root")) == {"a/b:c.json": b"{}", "e.txt": b"text"}
    Path("root/e.txt").write_bytes(b"torn")
    unpack(archive, Path("root"), keep)
    assert Path("root/e.txt").read_bytes() == b"text"


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (("../evil", b"x"), "would be written outside the folder"),
        (("/tmp/evil", b"x"), "would be written outside the folder"),
        (("C:/evil", b"x"), "would be written outside the folder"),
        (("skip\\..\\evil", b"x"), "would be written outside the folder"),
        (link("evil"), "is a link or a device"),
        (link("skip/evil", tarfile.LNKTYPE), "is a link or a device"),
        (link("evil", tarfile.CHRTYPE), "is a link or a device"),
        (("good.txt", b"again"), "occurs in it twice"),
    ],
)
def test_a_tar_with_an_unsafe_member_is_refused_completely(member, reason):
    archive = pack(("good.txt", b"good"), member)
    with pytest.raises(UserError, match=f"some.tar.gz: member '.*' {reason}, so nothing was unp"):
        unpack(archive, Path("root"), keep)
    assert files_of(Path("root")) == {}


def test_a_bomb_is_refused_before_anything_is_written(monkeypatch):
    monkeypatch.setattr(sources_archive, "_CHUNK", 1000)  # 100 times this is always allowed
    archive = pack(("bomb", bytes(2 << 20)))
    with pytest.raises(UserError, match=r"unpacks from \d+ to \d+ bytes, more than 100"):
        unpack(archive, Path("root"), keep)
    assert files_of(Path("root")) == {}


def test_a_truncated_or_invalid_tar_is_reported():
    noise = np.random.default_rng(1).bytes(200_000)
    archive = pack(("a", noise))
    archive.write_bytes(archive.read_bytes()[:90_000])
    with pytest.raises(UserError, match=r"some.tar.gz: truncated or damaged, not a complete tar"):
        unpack(archive, Path("root"), keep)
    assert files_of(Path("root")) == {}
    archive.write_bytes(b"no tar")
    with pytest.raises(UserError, match=r"some.tar.gz: truncated or damaged, not a complete tar"):
        unpack(archive, Path("root"), keep)
    with pytest.raises(UserError, match=r"none.tgz: no such file"):
        unpack(Path("none.tgz"), Path("root"), keep)


def test_archives_are_known_by_their_names():
    told = {name: is_archive(Path(name)) for name in ("a.zip", "a.tar.gz", "a.TGZ", "a.mat")}
    assert told == {"a.zip": True, "a.tar.gz": True, "a.TGZ": True, "a.mat": False}


def test_the_official_tar_is_downloaded_resumed_and_locked(monkeypatch):
    monkeypatch.setattr(sources_http, "_CHUNK", 500)
    make_spair(Path("official/SPair-71k"))
    with tarfile.open("SPair-71k.tar.gz", "w:gz") as opened:
        opened.add("official/SPair-71k", "SPair-71k")
    with serving(Path("SPair-71k.tar.gz").read_bytes()) as site:
        write_table(("spair", "SPair-71k.tar.gz", site.url))
        site.cuts = [2_000]
        receipt = get("spair", "test")
        assert [asked[0] for asked in site.asked] == [None, "bytes=2000-"]
        write_table(("spair", "SPair-71k.tar.gz", site.url), files="12")
        with pytest.raises(
            UserError, match=r"71k.tar.gz: has \d+ files, but spair has at least 12"
        ):
            get("spair", "test")
    assert receipt["splits"] == {"test": {"images": 5, "questions": 4}}
    assert [known.file for known in versions.read_lock(LOCK).values()] == ["SPair-71k.tar.gz"]
    named = {entry["path"] for entry in receipt["files"]}
    assert "JPEGImages/cat/2008_000001.jpg" in named
    assert not any(name.startswith(("Layout", "ImageAnnotation")) for name in named)


def test_plain_files_are_downloaded_and_linked_from_the_cache(monkeypatch):
    make_nyuv2(Path("official"))
    files = files_of(Path("official"))
    with serving(b"") as site:
        base = site.url.rsplit("/", 1)[0]
        write_table(*(("nyuv2", name, f"{base}/{name}") for name in sorted(files)))
        answer = Answer.do_GET

        def by_name(self):
            self.server.data = files[self.path.rsplit("/", 1)[1]]
            self.server.etag = f'"{self.path}"'
            answer(self)

        monkeypatch.setattr(Answer, "do_GET", by_name)
        receipt = get("nyuv2", "train", "test")
    assert [entry["path"] for entry in receipt["files"]] == sorted(files)
    assert (
        Path("data/raw/nyuv2/splits.mat").resolve() == Path("data/downloads/splits.mat").resolve()
    )
    write_splits(Path("data/downloads"), [1], [99])
    Path(LOCK).unlink()
    with pytest.raises(UserError, match=r"splits.mat: testNdxs names image 99"):
        get("nyuv2", "train", "test")


def serve(hub, monkeypatch, repository, files):
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.setattr("hub_server.LARGE", (".parquet", ".zip"))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.repositories[repository] = Repository()
    hub.repositories[repository].commit(files)


def test_only_the_archive_of_a_repository_is_fetched_and_unpacked(monkeypatch):
    make_hpatches(Path("official/hpatches-sequences-release"))
    packed = shutil.make_archive("official", "zip", "official")
    name = "hpatches-sequences-release.zip"
    files = {name: Path(packed).read_bytes(), "patches.zip": b"not this one", "README.md": b"card"}
    with serving_hub() as hub:
        serve(hub, monkeypatch, "owner/hpatches", files)
        write_table(("hpatches", name, "hub:datasets/owner/hpatches@main"))
        receipt = get("hpatches", "test")
        assert hub.fetched() == [name]
        hub.asked.clear()
        get("hpatches", "test")
        assert hub.fetched() == []
    assert receipt["splits"] == {"test": {"images": 12, "questions": 10}}
    assert [known.file for known in versions.read_lock(LOCK).values()] == [name]


def test_only_four_sub_tasks_of_blinks_repository_are_fetched(monkeypatch):
    files = files_of(make_blink(Path("official"), points=False))
    with serving_hub() as hub:
        serve(hub, monkeypatch, "owner/blink", files)
        write_table(("blink", "-", "hub:datasets/owner/blink@main"))
        receipt = get("blink", "val")
        assert len(hub.fetched()) == 4
        with pytest.raises(UserError, match=r"split 'test' of BLINK cannot be evaluated"):
            get("blink", "test")
    assert receipt["splits"] == {"val": {"images": 18, "questions": 8}}
