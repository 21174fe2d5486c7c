"""Downloads from a local server that can interrupt, ignore ranges, change or report false facts."""

import hashlib
import shutil
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from clevr_fixture import make_clevr
from site_server import COUNTS, HEADER, ROOT, contents, flags, serving, settle_in
from stopping_steps import kill_step

from eyechart.core.errors import UserError
from eyechart.data.sources import download, http, patience, versions
from eyechart.tables.receipt import read_receipt


@pytest.fixture
def data():
    return bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def site(tmp_path, monkeypatch, data):
    settle_in(tmp_path, monkeypatch)
    with serving(data) as server:
        yield server


def get(site, data, path="cache/some.zip"):
    http.fetch(site.url, Path(path), len(data), hashlib.sha256(data).hexdigest())
    return Path(path).read_bytes()


def left(folder="cache"):
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_complete_download_has_only_its_final_name(site, data):
    assert get(site, data) == data
    assert left() == ["some.zip"]
    assert site.asked == [(None, None)]


def test_a_cut_connection_is_resumed_where_it_broke(site, data):
    site.cuts = [300_000, 200_000]
    assert get(site, data) == data
    assert site.asked == [(None, None), ("bytes=300000-", '"one"'), ("bytes=500000-", '"one"')]


def test_the_date_replaces_a_weak_or_missing_etag(site, data):
    site.etag, site.date = 'W/"one"', "Tue, 01 May 2018 00:00:00 GMT"
    site.cuts = [300_000]
    assert get(site, data) == data
    assert site.asked[1] == ("bytes=300000-", site.date)


def test_without_etag_and_date_the_range_request_is_unconditional(site, data):
    site.etag, site.cuts = None, [300_000]
    assert get(site, data) == data
    assert site.asked[1] == ("bytes=300000-", None)


def test_a_download_restarts_if_the_server_ignores_ranges(site, data):
    site.ranges, site.cuts = False, [300_000]
    assert get(site, data) == data
    assert len(site.asked) == 2


def test_a_download_restarts_if_the_file_changed_between_runs(site, data, monkeypatch):
    monkeypatch.setattr(patience, "_PATIENCE_S", 2.0)
    site.cuts = [300_000, 0]
    with pytest.raises(UserError, match=r"300000 of 1048576 bytes are kept in cache/some.zip.part"):
        get(site, data)
    site.data, site.etag = data[::-1], '"two"'
    assert get(site, site.data) == site.data
    assert site.asked[-1] == ("bytes=300000-", '"one"')


def test_a_later_run_resumes_what_an_earlier_one_left(site, data, monkeypatch):
    monkeypatch.setattr(patience, "_PATIENCE_S", 2.0)
    site.cuts = [300_000, 0]
    with pytest.raises(UserError, match=r"run again to continue"):
        get(site, data)
    assert left() == ["some.zip.part", "some.zip.part.version"]
    assert get(site, data) == data
    assert site.asked[-1] == ("bytes=300000-", '"one"')
    assert left() == ["some.zip"]


def test_a_download_restarts_if_the_part_is_longer_than_the_file(site, data):
    Path("cache").mkdir()
    Path("cache/some.zip.part").write_bytes(data + b"more")
    with pytest.raises(UserError, match=r"found 1048580 bytes .* expected 1048576 bytes"):
        get(site, data)
    assert get(site, data) == data


def test_a_wrong_checksum_error_gives_both_and_removes_the_file(site, data):
    wrong = "0" * 64
    with pytest.raises(UserError) as raised:
        http.fetch(site.url, Path("cache/some.zip"), len(data), wrong)
    sentence = str(raised.value)
    for part in (hashlib.sha256(data).hexdigest(), wrong, "1048576 bytes", "was removed", site.url):
        assert part in sentence
    assert left() == []


def test_a_cached_file_is_verified_and_not_requested(site, data):
    Path("cache").mkdir()
    Path("cache/some.zip").write_bytes(data)
    assert get(site, data) == data
    assert site.asked == []
    Path("cache/some.zip").write_bytes(data[:-1])
    with pytest.raises(UserError, match=r"found 1048575 bytes"):
        get(site, data)
    assert left() == []


def test_a_server_with_another_size_is_refused_before_any_byte_is_written(site, data):
    site.data = data + b"more"
    with pytest.raises(UserError, match=r"the server has 1048580 bytes, expected 1048576"):
        get(site, data)
    assert left() == []


def test_a_server_whose_file_became_shorter_is_refused(site, data, monkeypatch):
    monkeypatch.setattr(patience, "_PATIENCE_S", 6.0)
    site.cuts = [300_000, 0, 0]
    with pytest.raises(UserError, match=r"run again to continue"):
        get(site, data)
    site.data = data[:100]
    with pytest.raises(UserError, match=r"the server has 100 bytes, expected 1048576"):
        get(site, data)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_an_immediate_one_sentence_error(site, data, status):
    site.statuses = [status]
    with pytest.raises(UserError, match=rf"some.zip: HTTP {status}; correct the address"):
        get(site, data)
    assert len(site.asked) == 1


def test_a_full_disk_is_an_error_before_the_request(site, data, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, 2048))
    with pytest.raises(UserError, match=r"1.00MiB to fetch, but cache has 2.00kiB free"):
        get(site, data)
    assert site.asked == []


def table(site, data=None, **change):
    data = site.data if data is None else data
    row = {
        "dataset": "clevr",
        "file": "CLEVR_v1.0.zip",
        "url": site.url,
        "bytes": str(len(data)),
        "sha256": hashlib.sha256(data).hexdigest(),
        "files": "-",
        "licence": "CC BY 4.0",
        "note": "",
    } | change
    Path("versions.tsv").write_text(HEADER + "\n" + "\t".join(row.values()) + "\n")


@pytest.fixture
def clevr(site):
    """Serve a small official zip; yield its folder."""
    folder = make_clevr(Path("official/CLEVR_v1.0"), COUNTS, seed=2)
    with zipfile.ZipFile("official.zip", "w") as opened:
        for path in sorted(folder.rglob("*.*")):
            opened.write(path, path.relative_to("official"))
    site.data = Path("official.zip").read_bytes()
    return folder


def test_a_dataset_is_downloaded_unpacked_and_receipted(site, clevr):
    table(site)
    download.main(flags())
    receipt = read_receipt(ROOT / "acquired.json")
    assert receipt["source"] == "download"
    assert {name: split["images"] for name, split in receipt["splits"].items()} == COUNTS
    assert contents(ROOT) == contents(clevr)
    download.main(flags())
    assert read_receipt(ROOT / "acquired.json") == receipt
    assert len(site.asked) == 1


@pytest.mark.parametrize("splits", [("train", "val"), ("val",)])
def test_an_archive_with_too_few_files_is_refused_completely(site, clevr, splits):
    table(site, files="12")
    with pytest.raises(UserError) as raised:
        download.main(flags(splits=splits))
    assert "data/downloads/CLEVR_v1.0.zip: has 11 files, but clevr has at least 12" in str(
        raised.value
    )
    assert "nothing was extracted; it is incomplete: delete it and run again" in str(raised.value)
    assert not ROOT.exists()
    table(site, files="11")
    download.main(flags(splits=splits))
    assert (ROOT / "acquired.json").exists()


def test_a_download_killed_in_the_middle_is_resumed_by_the_next_run(site, clevr, tmp_path):
    with zipfile.ZipFile("official.zip", "a") as opened:
        opened.writestr("CLEVR_v1.0/images/test/big.png", bytes(4 << 20))
    site.data = Path("official.zip").read_bytes()
    table(site)
    site.stall = 3 << 20
    part = Path("data/downloads/CLEVR_v1.0.zip.part")

    def is_large() -> bool:
        return part.exists() and part.stat().st_size > 1 << 20

    kill_step("eyechart.data.sources.download", flags(), tmp_path, is_large)
    assert not (ROOT / "acquired.json").exists()
    kept, site.stall = part.stat().st_size, None
    download.main(flags())
    assert site.asked[-1] == (f"bytes={kept}-", '"one"')
    assert contents(ROOT) == contents(clevr)


def test_a_split_without_answers_is_refused_before_the_download(site, clevr):
    table(site)
    with pytest.raises(UserError, match=r"split 'test' of CLEVR v1.0 cannot be evaluated"):
        download.main(flags(splits=("val", "test")))
    assert site.asked == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dataset": "clever"}, "no row for dataset 'clevr'; did you mean 'clever'?"),
        ({"bytes": "18 GB"}, "line 2: bytes is '18 GB', expected a count of bytes"),
        ({"files": "many"}, "line 2: files is 'many', expected a count of files, or -"),
        ({"sha256": "x"}, "line 2: sha256 is 'x', expected 64 hex digits, or -"),
        ({"file": "../evil.zip"}, r"file is '\.\./evil.zip', expected a plain name"),
        ({"url": "ftp://site/a.zip"}, "url is 'ftp://site/a.zip', expected an http"),
        ({"url": "hub:datasets/owner/x"}, "expected .* or hub:datasets/<owner>/<name>@<revision>"),
        ({"url": "hub:datasets/o/x@main"}, "bytes is '3', expected - as the hub states it"),
        ({"url": "hub:datasets/o/x@main", "file": "x.exe"}, "'x.exe', expected - for all files"),
        ({"file": "x.exe"}, "file is 'x.exe', expected a plain name ending in .zip, .tar.gz"),
    ],
)
def test_a_fault_in_the_table_is_reported(site, change, sentence):
    table(site, b"any", **change)
    with pytest.raises(UserError, match=sentence):
        download.main(flags())


def test_a_table_without_a_column_or_a_file_is_reported(site):
    Path("versions.tsv").write_text("dataset\tfile\tlink\nclevr\ta.zip\thttp://x/a.zip\n")
    with pytest.raises(UserError, match=r"line 2: column 'url' is missing"):
        download.main(flags())
    Path("versions.tsv").unlink()
    with pytest.raises(UserError, match=r"versions.tsv: no such file"):
        download.main(flags())


@pytest.mark.parametrize("dataset", ["clevr", "coco", "mmvp", "mmvp_vlm", "spair", "nyuv2"])
def test_the_projects_own_table_is_well_formed(dataset):
    path = Path(__file__).parents[2] / "data/versions.tsv"
    for version in versions.read_versions(path, dataset, dataset):
        assert version.licence and version.note
        assert version.repository or version.sha256 or version.files or version.bytes


def test_a_dataset_with_its_own_name_uses_its_layouts_source():
    path = Path(__file__).parents[2] / "data/versions.tsv"
    small = versions.read_versions(path, "coco_small", "coco")
    assert small == versions.read_versions(path, "coco", "coco")
