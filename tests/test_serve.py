"""The application in this process: answers, errors, batches, the self-test."""

import asyncio
import base64
import json
import tracemalloc
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

import compoundnet as c
from compoundnet.serve import app, golden, overlay, uploads
from compoundnet.serve.limits import Limits, RequestError
from compoundnet.serve.metrics import Metrics
from compoundnet.serve.reading import Pixels
from compoundnet.serve.service import Service

from .pictures import ASTRONAUT, CHELSEA, COFFEE, ROCKET, encoded, jpeg, photo, png_header
from .served import BOUNDARY, FORM, MODEL, form

LIMITS = Limits(max_bytes=2_000_000, max_pixels=10_000_000, queue=8)
PHOTOS = (CHELSEA, COFFEE, ASTRONAUT, ROCKET)


@cache
def lite() -> Any:
    return c.load(MODEL)


def plain(x_NCHW: Pixels) -> Any:
    with torch.inference_mode():
        return lite().model(torch.from_numpy(x_NCHW)).numpy()


def client(run: Callable[[Pixels], Any] = plain, limits: Limits = LIMITS) -> TestClient:
    service = Service(lite(), run, limits)
    return TestClient(app.create(service, Metrics(), lambda: True, "torch"), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def web() -> Generator[TestClient]:
    with client() as open_client:
        yield open_client


def send(web: TestClient, picture: bytes, path: str = "/predict") -> Any:
    return web.post(path, files={"file": ("photo", picture)})


# Answers


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_the_answer_is_that_of_predict(web: TestClient, path: Any) -> None:
    [expected] = c.predict([path], lite())
    data = send(web, path.read_bytes()).json()
    assert [row["index"] for row in data["top"]] == [label.index for label in expected.top]
    assert [row["label"] for row in data["top"]] == [label.label for label in expected.top]
    found, wanted = ([row["probability"] for row in data["top"]], [label.probability for label in expected.top])
    assert found == pytest.approx(wanted, abs=1e-6)
    assert (data["model"], data["engine"], data["batch"]) == (MODEL, "torch", 1)
    assert sorted(data["ms"]) == ["decode", "infer", "preprocess", "wait"]
    assert all(value >= 0 for value in data["ms"].values())
    assert data["ms"]["infer"] > 0.5


def test_json_and_a_form_give_the_same_answer(web: TestClient) -> None:
    picture = COFFEE.read_bytes()
    text = web.post("/predict?top=2", json={"image": base64.b64encode(picture).decode()}).json()
    assert text["top"] == send(web, picture, "/predict?top=2").json()["top"]
    assert text["top"][0]["label"] == "espresso"
    assert len(text["top"]) == 2


def test_pictures_that_run_together_get_the_answers_they_get_alone() -> None:
    limits = replace(LIMITS, batch=4, wait_ms=2000)

    async def together() -> list[Any]:
        service = Service(lite(), plain, limits)
        async with service.running():
            return await asyncio.gather(*(service.predict(FORM, form(path.read_bytes()), 5) for path in PHOTOS))

    answers = asyncio.run(together())
    assert [answer.batch for answer in answers] == [4] * 4
    for answer, expected in zip(answers, c.predict(PHOTOS, lite()), strict=True):
        assert [label.index for label in answer.top] == [label.index for label in expected.top]
        probabilities = [label.probability for label in answer.top]
        assert probabilities == pytest.approx([label.probability for label in expected.top], abs=1e-5)


def test_the_overlay_is_brightest_where_the_map_of_the_class_is_greatest(web: TestClient) -> None:
    answer = send(web, COFFEE.read_bytes(), "/explain")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["x-class-index"] == "967"
    drawn = opened(answer.content)
    assert drawn.shape == (448, 448, 3)
    grey = send(web, encoded(Image.new("RGB", (300, 300), (90, 90, 90)), "PNG"), "/explain?class=5")
    assert grey.headers["x-class-index"] == "5"
    picture = Image.new("RGB", (448, 448), (90, 90, 90))
    heat = np.zeros((7, 7), np.float32)
    heat[2, 5] = 3.0
    drawn = np.asarray(opened(overlay.draw(picture, heat)), np.float32).mean(axis=-1)
    row, column = np.unravel_index(int(drawn.argmax()), drawn.shape)
    assert (row // 64, column // 64) == (2, 5)
    assert abs(float(drawn[400, 20]) - 90) < 1


def opened(data: bytes) -> Any:
    import io

    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_a_flat_map_leaves_the_picture_as_it_is() -> None:
    seen = Image.new("RGB", (20, 20), (10, 200, 30))
    assert np.array_equal(opened(overlay.draw(seen, np.ones((3, 3), np.float32))), np.asarray(seen))


def test_the_probes_and_the_counters_answer(web: TestClient) -> None:
    assert web.get("/healthz").json() == {"status": "ok"}
    assert web.get("/readyz").json() == {"status": "ready"}
    send(web, COFFEE.read_bytes())
    web.get("/never/heard/of")
    lines = dict(line.rsplit(" ", 1) for line in web.get("/metrics").text.splitlines() if not line.startswith("#"))
    assert float(lines['compoundnet_requests_total{path="/predict",status="200"}']) >= 1
    assert float(lines['compoundnet_requests_total{path="other",status="404"}']) >= 1
    assert float(lines['compoundnet_stage_seconds_count{stage="infer"}']) >= 1
    assert float(lines["compoundnet_requests_at_work"]) == 0
    assert not any("never" in line for line in lines)


def test_the_server_says_where_its_weights_come_from(web: TestClient) -> None:
    data, weights = web.get("/model").json(), lite().weights
    assert (data["model"], data["engine"], data["licence"]) == (MODEL, "torch", "Apache-2.0")
    assert (data["classes"][967], data["outputs"], data["resolution"]) == ("espresso", 1000, 224)
    assert data["preprocess"]["mean"] == list(weights.preprocess.mean)
    [step] = data["provenance"]
    assert (step["deed"], step["name"], step["sha256"]) == ("published", MODEL, weights.sha256)


def test_the_page_asks_nobody_else(web: TestClient) -> None:
    for path in ("/", "/page.js", "/page.css"):
        answer = web.get(path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "//" not in answer.text.replace("// ", "").replace("http://www.w3.org", ""), path


def test_the_interface_is_described(web: TestClient) -> None:
    paths = web.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/predict", "/explain", "/model", "/healthz", "/readyz", "/metrics", "/selftest"}
    assert set(paths["/predict"]["post"]["requestBody"]["content"]) == {"multipart/form-data", "application/json"}


# The self-test


def test_the_selftest_passes_with_the_plain_model(web: TestClient) -> None:
    data = web.get("/selftest").json()
    assert data["passed"]
    assert data["difference"] < 1e-5
    assert (data["images"], data["same_top1"]) == (3, 3)


@pytest.mark.parametrize(("factor", "offset"), [(1.01, 0.0), (1.0, 0.1), (float("nan"), 0.0)])
def test_the_selftest_fails_with_an_engine_that_computes_something_else(factor: float, offset: float) -> None:
    with client(lambda x_NCHW: factor * plain(x_NCHW) + offset) as web:
        answer = web.get("/selftest")
    assert answer.status_code == 500
    assert answer.json()["passed"] is False
    assert "of the largest; at most 0.001 is float noise" in answer.json()["error"]


def test_the_golden_images_are_the_same_at_every_call() -> None:
    assert golden.images() == golden.images()
    assert len({len(file) for file in golden.images()}) == 3


# Mistakes


def image_json(text: str) -> dict[str, Any]:
    return {"content": json.dumps({"image": text}).encode(), "headers": {"content-type": "application/json"}}


def formed(body: bytes, kind: str = FORM) -> dict[str, Any]:
    return {"content": body, "headers": {"content-type": kind}}


TWO = form(b"a").replace(f"--{BOUNDARY}--\r\n".encode(), b"") + form(b"b")
MANY = form(b"a").replace(f"--{BOUNDARY}--\r\n".encode(), b"") * 20


@pytest.mark.parametrize(
    ("request_", "status", "problem"),
    [
        (formed(form(b"hello, I am no picture")), 400, "picture: not a picture in a known format; use one of JPEG"),
        (formed(form(b"")), 400, "picture: the file is empty"),
        (formed(form(ROCKET.read_bytes()[:9000])), 400, "picture: damaged or cut off"),
        (formed(form(png_header(50_000, 50_000))), 400, "picture: 50,000 x 50,000 pixels; the limit is 10,000,000"),
        (formed(form(png_header(4000, 4000))), 400, "picture: 4,000 x 4,000 pixels; the limit is 10,000,000"),
        (formed(b""), 400, "the body is empty; send multipart/form-data with a file"),
        (formed(form(b"x")[:-20]), 400, "the form is cut off"),
        (formed(b"garbage"), 400, "malformed form"),
        (formed(b"\xff\x00" * 5000), 400, "malformed form"),
        (formed(f"--{BOUNDARY}--\r\n".encode()), 400, "0 files in the form; send one"),
        (formed(form(b"a").replace(b"filename", b"sometime")), 400, "0 files in the form; send one"),
        (formed(TWO), 400, "2 files in the form; send one"),
        (formed(MANY), 400, "more than 16 parts in the form"),
        (formed(form(b"x"), "multipart/form-data"), 400, "the form has no boundary"),
        (formed(form(b"x"), f"multipart/form-data; boundary={'b' * 9999}"), 400, "malformed form"),
        (formed(b"{", "application/json"), 400, "malformed JSON"),
        (formed(b"[" * 100_000, "application/json"), 400, "more than 100 commas and brackets in the JSON; send"),
        (formed(b'{"a":' * 101, "application/json"), 400, "more than 100 commas and brackets in the JSON; send"),
        (formed(b'{"image": ' + b"[" * 99, "application/json"), 400, "malformed JSON"),
        (formed(b'{"image": 3}', "application/json"), 400, "no picture in the JSON"),
        (formed(b"[]", "application/json; charset=utf-8"), 400, "no picture in the JSON"),
        (formed(b"\xff\xfe\x00", "application/json"), 400, "malformed JSON"),
        (image_json("***"), 400, '"image" is not base64'),
        (image_json("é"), 400, '"image" is not base64'),
        (image_json(base64.b64encode(b"text").decode()), 400, "picture: not a picture in a known format"),
        (formed(form(b"x"), "text/plain"), 415, "content type text/plain; send multipart/form-data"),
        ({"content": b"x"}, 415, "content type missing; send"),
        (formed(bytes(2_000_001)), 413, "2,000,001 bytes; the limit is 2,000,000 bytes; send a smaller picture"),
        (formed(form(jpeg(photo(COFFEE)))) | {"url": "/predict?top=0"}, 400, "top: Input should be greater than"),
        (formed(form(b"x")) | {"url": "/predict?top=many"}, 400, "top: Input should be a valid integer"),
        (formed(form(b"x")) | {"url": "/explain?class=1000"}, 400, "class 1000 does not exist; the model has"),
        (formed(form(b"x")) | {"url": "/explain?class=-1"}, 400, "class -1 does not exist"),
        (formed(form(b"x")) | {"url": "/explain"}, 400, "picture: not a picture in a known format"),
        (formed(form(b"x")) | {"url": "/upload"}, 404, "POST /upload: not found"),
        ({"method": "GET"}, 405, "GET /predict: method not allowed"),
        ({"method": "PUT", "content": b"x"}, 405, "PUT /predict: method not allowed"),
    ],
)
def test_a_mistake_is_one_line_of_json(web: TestClient, request_: dict[str, Any], status: int, problem: str) -> None:
    arguments: dict[str, Any] = {"method": "POST", "url": "/predict", **request_}
    answer = web.request(**arguments)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].startswith(problem)
    assert "\n" not in answer.json()["error"]


def test_an_engine_that_fails_is_an_error_and_the_next_request_is_answered() -> None:
    broken = [True]

    def sometimes(x_NCHW: Pixels) -> Any:
        if broken:
            broken.clear()
            raise RuntimeError("out of order")
        return plain(x_NCHW)

    with client(sometimes) as web:
        answer = send(web, COFFEE.read_bytes())
        assert (answer.status_code, answer.json()) == (500, {"error": "the model failed: RuntimeError: out of order"})
        assert send(web, COFFEE.read_bytes()).json()["top"][0]["label"] == "espresso"


def test_a_model_that_answers_no_numbers_is_an_error() -> None:
    with client(lambda x_NCHW: np.nan * plain(x_NCHW)) as web:
        answer = send(web, COFFEE.read_bytes())
    assert answer.status_code == 500
    assert "the model's answer is not a number" in answer.json()["error"]


def test_a_body_that_does_not_arrive_in_time_is_an_error_and_gives_its_place_back() -> None:
    service = Service(lite(), plain, replace(LIMITS, body_seconds=0.1))
    application = app.create(service, Metrics(), lambda: True)
    headers = [(b"content-type", FORM.encode()), (b"content-length", b"1000")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        assert service.gate.inside == 1
        await asyncio.sleep(60)

    async def note(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        await application({**scope, "raw_path": b"/predict", "root_path": ""}, receive, note)

    asyncio.run(ask())
    assert sent[0]["status"] == 408
    assert b"the body did not arrive within 0.1 seconds" in sent[1]["body"]
    assert service.gate.inside == 0


@pytest.mark.parametrize(
    "fields", [{"queue": 0}, {"batch": 0}, {"max_bytes": 0}, {"wait_ms": -1.0}, {"wait_ms": float("nan")}]
)
def test_impossible_limits_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Limits(**fields)


# Parts


def test_a_form_in_any_order_gives_up_its_file() -> None:
    note = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'.encode()
    assert uploads.picture(FORM, note + form(b"the bytes")) == b"the bytes"
    assert uploads.picture(FORM, form(b"a\r\n--frontie")) == b"a\r\n--frontie"


def test_json_of_many_values_is_refused_before_they_take_memory() -> None:
    """An empty list takes three bytes of the body and 64 in memory."""
    body = b'{"image":[' + b"[]," * 300_000 + b"[]]}"
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match="more than 100 commas and brackets"):
            uploads.picture("application/json", body)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_form_with_one_file_is_read_as_the_parser_reads_it() -> None:
    """The short way gives what the parser gives, or leaves the form to it."""
    bodies = [
        form(b"bytes"),
        form(b""),
        form(b"a\r\n--front\r\n\r\n"),
        form(b"x", 'a"; filename="b'),
        form(bytes(5000)),
    ]
    bodies += [body.removesuffix(b"\r\n") for body in bodies]
    for body in bodies:
        assert uploads.only_file(BOUNDARY.encode(), body) == uploads.parsed(BOUNDARY.encode(), body)
    assert uploads.only_file(BOUNDARY.encode(), form(b"bytes")) == b"bytes"
    for other in (TWO, MANY, form(b"a").replace(b"filename", b"sometime"), form(b"x")[:-20], b"", form(b"x") + b"more"):
        assert uploads.only_file(BOUNDARY.encode(), other) is None
