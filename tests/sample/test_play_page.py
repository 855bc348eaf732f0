"""The playground in a browser: `make test-play` installs what this needs."""

import base64
import io
import re
import socket
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="make test-play installs it")
sync_api = pytest.importorskip("playwright.sync_api", reason="make test-play installs it")

from sample.play.__main__ import PlayOptions  # noqa: E402
from sample.play.serve import serve  # noqa: E402
from sample.play.tasks import TASKS  # noqa: E402
from tests.conftest import CHROMIUM  # noqa: E402
from tests.sample.test_play import by_command, by_python  # noqa: E402

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")
LONG = 600_000  # milliseconds; a limit for what hangs, not for what is slow
DIGITS, DOODLES = "class: digits", "doodles: sentences, in colour"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The playground, served from an empty folder."""
    with pytest.MonkeyPatch.context() as patch, socket.socket() as free:
        patch.chdir(tmp_path_factory.mktemp("play"))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        page = serve(PlayOptions(port=port, browser=False, device="cpu"), block=False)
        yield f"http://127.0.0.1:{port}"
        page.close()


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    with sync_api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def visitor(browser, address, width=1280):
    """A visitor's page, who has nothing in common with others. Nothing may come from elsewhere, and
    the console stays without errors."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, bad = context.new_page(), []
    page.set_default_timeout(LONG)
    page.on("request", lambda r: bad.append(r.url) if not r.url.startswith(
        (address, "data:", "blob:")) else None)
    page.on("console", lambda m: bad.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: bad.append(str(e)))
    page.goto(address)
    page.wait_for_function("document.querySelector('textarea')?.value")  # the model's own values
    yield page
    context.close()
    assert not bad


def choose(page, model):
    """Choose a model, and wait until the controls are its own."""
    before = page.locator("textarea").first.input_value()
    page.get_by_label("Model").click()
    page.get_by_role("option", name=model).click()
    page.wait_for_function("b => document.querySelector('textarea').value != b", arg=before)


def go(page, title, **filled):
    """Open a tab, and fill in controls by their labels; return its part of the page."""
    page.get_by_role("tab", name=title, exact=True).click()
    about = next(task.about for task in TASKS if task.title == title)
    panel = page.get_by_role("tabpanel").filter(has_text=about)
    panel.wait_for()
    for label, value in filled.items():
        panel.get_by_label(label).first.fill(value)
    return panel


def result(panel, done, running=False):
    """Run, and wait for the result, a CSS selector; return its images, and the two texts."""
    if not running:
        panel.get_by_role("button", name="Run").click()
    panel.locator(done).first.wait_for()
    sources = panel.locator(".stage img").evaluate_all("found => found.map(img => img.src)")
    panel.get_by_text("Make it again").click()
    texts = panel.locator(".cm-content")
    texts.first.wait_for()
    command, lines = ("\n".join(texts.nth(k).locator(".cm-line").all_inner_texts())
                      for k in (0, 1))
    return [pixels(source) for source in sources], command, lines


def pixels(source):
    """Return the pixels of an image that is in its address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def same(shown, images):
    """Return whether the images in the page have the pixels of images (N,C,H,W) in [0, 1]."""
    found = (images * 255).round().byte().permute(0, 2, 3, 1).squeeze(3).numpy()
    return np.array_equal(np.stack(shown), found)


def brush(page, panel, *points):
    """Draw from point to point with the mouse; points in shares of the easel's side."""
    panel.locator(".board").scroll_into_view_if_needed()
    box = panel.locator(".board").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=5)
    page.mouse.up()


def test_a_sentence_becomes_the_images_of_the_command(browser, address):
    """With the second stage: the PNGs in the page have the pixels of both texts below them."""
    with visitor(browser, address) as page:
        panel = go(page, "Generate", Prompt="a photo of a dog at night")
        panel.get_by_label("Enlarge with the second stage").check()
        shown, command, lines = result(panel, ".strip")
    assert shown[0].shape == (64, 64, 3) and 'a photo of a dog at night"' in command
    assert same(shown, by_command(command)) and same(shown, by_python(lines))


def test_what_is_drawn_is_edited_and_filled_as_by_the_command(browser, address):
    """Drawn with the mouse, run, and compared; the mask is what was brushed; undo brings back."""
    with visitor(browser, address) as page:
        choose(page, DIGITS)
        panel = go(page, "Image to image", Prompt="7")
        panel.get_by_role("button", name="Clear").click()
        brush(page, panel, (0.3, 0.2), (0.7, 0.2), (0.4, 0.8))
        drawn = panel.locator(".paint").evaluate("c => c.toDataURL()")
        brush(page, panel, (0.1, 0.9), (0.9, 0.9))
        assert panel.locator(".paint").evaluate("c => c.toDataURL()") != drawn
        panel.get_by_role("button", name="Undo").click()
        shown, command, lines = result(panel, ".strip")
        assert same(shown, by_command(command)) and same(shown, by_python(lines))
        file = re.search(r"runs/play/\w+\.png", command).group()
        assert np.array_equal(np.asarray(Image.open(file)), pixels(drawn)[..., :3])
        panel = go(page, "Inpaint", Prompt="3")
        brush(page, panel, (0.2, 0.8), (0.8, 0.8))
        shown, command, lines = result(panel, ".strip")
        assert same(shown, by_command(command)) and same(shown, by_python(lines))
        mask = np.asarray(Image.open(re.findall(r"runs/play/\w+\.png", command)[1]))
        assert mask[358, 224] == 255 and mask[100, 224] == 0


def test_two_visitors_at_once_get_their_own_images(browser, address):
    """Each those of the own prompt and seed."""
    with visitor(browser, address) as first, visitor(browser, address) as second:
        panels = []
        for page, prompt in ((first, "a lithograph of a skull"), (second, "a photo of a dog")):
            panels.append(go(page, "Generate", Prompt=prompt))
        for panel in panels:
            panel.get_by_role("button", name="Run").click()
        for panel, prompt in zip(panels, ("a lithograph of a skull", "a photo of a dog")):
            shown, command, _ = result(panel, ".strip", running=True)
            assert prompt in command and same(shown, by_command(command))


def test_an_error_is_one_sentence_in_the_page(browser, address):
    """Without a traceback, and the next run works."""
    with visitor(browser, address) as page:
        choose(page, DIGITS)
        panel = go(page, "Generate", Prompt="x")
        panel.get_by_role("button", name="Run").click()
        page.get_by_text("unknown prompt 'x'; this model knows").wait_for()
        assert "Traceback" not in page.inner_text("body")
        panel.get_by_label("Prompt").fill("3")
        assert len(result(panel, ".strip")[0]) == 1


def test_a_click_turns_an_anagram_and_a_slider_moves_a_hybrid_away(browser, address):
    """The image itself is turned; the others stay; far away it is small."""
    scale = "e => new DOMMatrix(getComputedStyle(e).transform).a"
    with visitor(browser, address) as page:
        choose(page, DIGITS)
        panel = go(page, "Anagram")
        result(panel, ".turn")
        turns = panel.locator(".turn")
        turns.first.click()
        page.wait_for_function("f => document.querySelector('.turn :checked')")
        image = turns.first.locator("img").first
        image.evaluate("e => Promise.all(e.getAnimations().map(a => a.finished))")
        assert image.evaluate(scale) == -1  # turned by 180 degrees
        assert turns.nth(1).locator("img").first.evaluate(scale) == 1
        panel = go(page, "Hybrid")
        result(panel, ".far")
        panel.get_by_label("viewing distance").fill("10")
        stage = panel.locator(".far .stage")
        stage.evaluate("e => Promise.all(e.getAnimations().map(a => a.finished))")
        assert abs(stage.evaluate(scale) - 0.1) < 1e-6


def test_every_tab_fits_a_phone(browser, address):
    """At 390 px all tabs are in sight, and nothing scrolls sideways."""
    with visitor(browser, address, width=390) as page:
        for task in TASKS:
            go(page, task.title)
            assert page.evaluate("document.documentElement.scrollWidth") == 390, task.title
