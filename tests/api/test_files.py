"""Files over HTTP and GraphQL: bytes in and out, who may, and what is refused."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.edge import HEADERS
from db.connections import EnginePool
from domain.access import Role
from tests.api.application import FILE_LIMITS, URL, Caller, new_caller

FILES = "/api/v1/files"
MISSING = "file_00000000000000000000000000"
SHOWN = "id name mediaType size sha256 createdBy expiresAt url reference execution { id }"


async def post(caller: Caller, **how: Any) -> httpx.Response:
    headers = {"X-API-Key": caller.key, **how.pop("headers", {})}
    return await caller.http.post(how.pop("url", FILES), headers=headers, **how)


async def get(caller: Caller, file_id: str, **headers: str) -> httpx.Response:
    return await caller.http.get(f"{FILES}/{file_id}", headers={"X-API-Key": caller.key, **headers})


async def stored(caller: Caller, content: bytes = b"0123456789", name: str = "a.txt", kind: str = "text/plain") -> str:
    """The id of a new file."""
    answer = await post(caller, content=content, headers={"Content-Type": kind}, params={"name": name})
    assert answer.status_code == 201
    return answer.json()["$file"]


async def test_a_raw_body_is_stored_and_answered_with_its_reference(developer: Caller) -> None:
    answer = await post(
        developer,
        content=b"hello",
        headers={"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": 'attachment; filename="a.txt"'},
    )

    reference = answer.json()
    assert answer.status_code == 201
    assert reference == {
        "$file": reference["$file"],
        "name": "a.txt",
        "mediaType": "text/plain",
        "size": 5,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
    }
    assert answer.headers["location"] == f"{URL}{FILES}/{reference['$file']}"


async def test_a_downloaded_file_is_never_shown_as_a_page_of_ours(developer: Caller) -> None:
    file_id = await stored(developer, b"<script>", 'Grüße "1".html', "text/html")

    answer = await get(developer, file_id)

    assert (answer.status_code, answer.content) == (200, b"<script>")
    assert dict(answer.headers) == {name.lower(): value for name, value in HEADERS.items()} | {
        "content-type": "text/html; charset=utf-8",
        "content-length": "8",
        "content-disposition": 'attachment; filename="Gr__e _1_.html"; '
        "filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%221%22.html",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cache-control": "private, no-cache",
        "accept-ranges": "bytes",
        "etag": f'"{hashlib.sha256(b"<script>").hexdigest()}"',
    }


async def test_the_first_file_of_a_form_is_taken_however_the_form_is_cut(developer: Caller) -> None:
    content = bytes(range(256)) * 3_000
    request = httpx.Request(
        "POST", URL, data={"note": "x"}, files=[("f", ("../b.bin", content, "image/png")), ("g", ("c", b"other"))]
    )
    body = request.read()

    async def cut() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7_919):
            yield body[start : start + 7_919]

    for sent in (body, cut()):
        answer = await post(developer, content=sent, headers={"Content-Type": request.headers["content-type"]})
        reference = answer.json()
        assert (answer.status_code, reference["name"], reference["mediaType"]) == (201, "b.bin", "image/png")
        assert (await get(developer, reference["$file"])).content == content


@pytest.mark.parametrize(
    ("content_type", "body", "told"),
    [
        ("multipart/form-data", b"", "its Content-Type has no boundary"),
        ("multipart/form-data; boundary=b", b"nonsense", "The form cannot be read: Expected boundary"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n',
         "The form has no file"),
        ("multipart/form-data; boundary=b",
         b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nhalf', "in the middle of the file"),
    ],
)  # fmt: skip
async def test_a_form_that_holds_no_whole_file_is_refused(
    developer: Caller, content_type: str, body: bytes, told: str
) -> None:
    answer = await post(developer, content=body, headers={"Content-Type": content_type})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert told in answer.json()["title"]
    assert (await developer.data("{ files { totalCount } }"))["files"]["totalCount"] == 0


async def test_a_file_beyond_the_limit_is_refused_while_it_streams(developer: Caller) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1_000_000
            yield b"x" * 1_000_000

    answer = await post(developer, content=endless())

    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert sent < FILE_LIMITS.max_bytes + 2_000_000


async def test_a_full_quota_is_said_to_be_one(developer: Caller) -> None:
    await stored(developer, b"x" * 11_000_000)

    answer = await post(developer, content=b"x" * 11_000_000)

    assert (answer.status_code, answer.json()["code"]) == (429, "QUOTA_EXCEEDED")


@pytest.mark.parametrize(
    ("asked", "status", "content", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=5-999", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=5-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
async def test_a_range_is_answered_in_part(
    developer: Caller, asked: str, status: int, content: bytes, content_range: str | None
) -> None:
    answer = await get(developer, await stored(developer), Range=asked)

    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (
        status,
        content,
        content_range,
    )


async def test_what_the_client_has_is_not_sent_again(developer: Caller) -> None:
    file_id = await stored(developer)
    etag = (await get(developer, file_id)).headers["etag"]

    known = await get(developer, file_id, **{"If-None-Match": f'W/"x", {etag}'})
    changed = await get(developer, file_id, Range="bytes=1-2", **{"If-Range": '"other"'})

    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", etag)
    assert (changed.status_code, changed.content) == (200, b"0123456789")


async def test_a_head_tells_the_size_without_the_bytes(developer: Caller) -> None:
    file_id = await stored(developer)

    answer = await developer.http.head(f"{FILES}/{file_id}", headers={"X-API-Key": developer.key})

    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "10", b"")


async def test_an_empty_file_is_a_file(developer: Caller) -> None:
    answer = await get(developer, await stored(developer, b""))

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("file_id", "status", "code"),
    [
        (MISSING, 404, "NOT_FOUND"),
        ("workflow_00000000000000000000000000", 400, "INVALID_ID"),
        ("..%2f..%2fetc", 404, None),
    ],
)
async def test_what_is_no_file_is_refused(developer: Caller, file_id: str, status: int, code: str | None) -> None:
    answer = await get(developer, file_id)

    assert answer.status_code == status
    assert code is None or answer.json()["code"] == code


async def test_another_tenants_file_answers_like_a_missing_one_everywhere(developer: Caller, stranger: Caller) -> None:
    file_id = await stored(developer)
    query = "query ($id: ID!) { file(id: $id) { id } node(id: $id) { id } files { totalCount } }"
    deletion = "mutation ($id: ID!) { fileDelete(id: $id) { file { id } errors { code message } } }"

    foreign, missing = await get(stranger, file_id), await get(stranger, MISSING)

    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.json()["title"].replace(file_id, MISSING) == missing.json()["title"]
    assert await stranger.data(query, id=file_id) == {"file": None, "node": None, "files": {"totalCount": 0}}
    refused = (await stranger.data(deletion, id=file_id))["fileDelete"]
    assert refused == {"file": None, "errors": [{"code": "NOT_FOUND", "message": f"There is no file {file_id}"}]}
    assert (await get(developer, file_id)).status_code == 200


async def test_files_are_described_found_and_deleted_over_graphql(developer: Caller) -> None:
    first, second = await stored(developer, name="first.txt"), await stored(developer, b"", name="second.txt")

    found = await developer.data(
        f"query ($id: ID!) {{ file(id: $id) {{ {SHOWN} }} node(id: $id) {{ id __typename }} }}", id=first
    )
    listed = await developer.data(
        """query ($search: String) { all: files(first: 1) { totalCount nodes { id } pageInfo { hasNextPage } }
           some: files(filter: {search: $search}) { nodes { id } } }""",
        search="FIRST",
    )
    deleted = await developer.data(
        "mutation ($id: ID!) { fileDelete(id: $id) { file { name } errors { code } } }", id=first
    )
    after = await developer.data("query ($id: ID!) { file(id: $id) { id } files { nodes { id } } }", id=first)

    file = found["file"]
    reference = file.pop("reference")
    assert file == {
        "id": first,
        "name": "first.txt",
        "mediaType": "text/plain",
        "size": "10",
        "sha256": hashlib.sha256(b"0123456789").hexdigest(),
        "createdBy": file["createdBy"],
        "expiresAt": file["expiresAt"],
        "url": f"{URL}{FILES}/{first}",
        "execution": None,
    }
    assert file["createdBy"].startswith("apikey_")
    assert reference["$file"] == first
    assert found["node"] == {"id": first, "__typename": "File"}
    assert listed["all"] == {"totalCount": 2, "nodes": [{"id": second}], "pageInfo": {"hasNextPage": True}}
    assert listed["some"]["nodes"] == [{"id": first}]
    assert deleted["fileDelete"] == {"file": {"name": "first.txt"}, "errors": []}
    assert after == {"file": None, "files": {"nodes": [{"id": second}]}}
    assert (await get(developer, first)).status_code == 404


@pytest.mark.parametrize("role", list(Role))
async def test_every_role_reads_and_all_but_viewers_write(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, role: Role
) -> None:
    file_id = await stored(developer)
    caller = await new_caller(engine_pool, http, developer.tenant, role)
    may_write = role is not Role.VIEWER

    uploaded = await post(caller, content=b"x")
    deleted = await caller.data("mutation ($id: ID!) { fileDelete(id: $id) { errors { code } } }", id=file_id)
    read = await get(caller, file_id)

    assert uploaded.status_code == (201 if may_write else 403)
    assert deleted["fileDelete"]["errors"] == ([] if may_write else [{"code": "FORBIDDEN"}])
    assert read.status_code == (404 if may_write else 200)
    assert (await developer.data("{ files { totalCount } }"))["files"]["totalCount"] == 1


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "weir_nonsense"}, {"Authorization": "Basic x y"}])
async def test_nobody_without_credentials_reads_or_writes(
    http: httpx.AsyncClient, developer: Caller, headers: dict[str, str]
) -> None:
    file_id = await stored(developer)

    answers = [
        await http.post(FILES, content=b"x", headers=headers),
        await http.get(f"{FILES}/{file_id}", headers=headers),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(401, "UNAUTHENTICATED")] * 2
