"""The page in a real Chromium: that it draws, in light and dark, and asks no other host for anything."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import urlopen

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from earwitness import board


def axe_file() -> Path | None:
    """axe-core as the package axe-playwright-python carries it, of which nothing else is used."""
    try:
        files = metadata.files("axe-playwright-python") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(each.locate())) for each in files if each.name == "axe.min.js"), None)


AXE = axe_file()
needs_axe = pytest.mark.skipif(AXE is None, reason="needs axe-playwright-python")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE = 120
"""Seconds: a busy machine draws slowly."""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="module")
def address(planted_board: Path, page: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port)]
    server = subprocess.Popen(
        command,
        env={**os.environ, "EARWITNESS_BOARD": str(planted_board)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}"
    try:
        wait(lambda: healthy(url))
        yield url
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1100"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(PATIENCE)
    yield driver
    driver.quit()


def wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.3)


def healthy(url: str) -> bool:
    try:
        return bool(urlopen(f"{url}/_stcore/health", timeout=5).status == 200)
    except OSError:
        return False


def look(browser: webdriver.Chrome, url: str, scheme: str, selector: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(url)
    WebDriverWait(browser, PATIENCE).until(lambda b: b.find_elements(By.CSS_SELECTOR, selector))
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")


def ground(browser: webdriver.Chrome) -> int:
    """Brightness of the page's ground, 0 to 255."""
    script = "return getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    return max(int(part) for part in browser.execute_script(script).split("(")[1].rstrip(")").split(",")[:3])


def hosts(browser: webdriver.Chrome) -> set[str]:
    """Hosts that the page asked for something."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return {urlparse(url).hostname or "" for url in urls if url.startswith("http")}


def test_an_item_is_drawn_with_its_map_and_players_though_no_other_page_was_opened_before(address, browser, tmp_path):
    look(browser, f"{address}/item?item=test-0002&a=occlusion", "light", ".map img")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".map img")) == 2
    # The sound by itself, and among those that each of two explanations leaves.
    WebDriverWait(browser, PATIENCE).until(lambda b: len(b.find_elements(By.TAG_NAME, "audio")) == 7)
    ready = "return Array.from(document.querySelectorAll('audio')).every(a => a.duration > 1.5)"
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(ready))
    width = "return Array.from(document.querySelectorAll('.map img')).every(i => i.naturalWidth === 50)"
    assert browser.execute_script(width)
    assert browser.save_screenshot(str(tmp_path / "item.png"))
    assert hosts(browser) <= {"localhost"}


def test_a_player_goes_on_at_the_same_position_when_it_is_switched(address, browser):
    look(browser, f"{address}/item?item=test-0002&a=occlusion", "light", ".listen[data-ready] audio")
    ready = "return Array.from(document.querySelectorAll('.listen audio')).every(a => a.duration > 1.5)"
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(ready))
    box = browser.find_element(By.CSS_SELECTOR, ".listen")
    ways, (play,) = box.find_elements(By.CSS_SELECTOR, ".ways button"), box.find_elements(By.CSS_SELECTOR, ".play")
    assert [way.get_attribute("aria-pressed") for way in ways] == ["true", "false", "false"]
    slide = "const bar = arguments[0].querySelector('input'); bar.value = 500; bar.dispatchEvent(new Event('input'))"
    browser.execute_script(slide, box)
    state = "return Array.from(arguments[0].querySelectorAll('audio')).map(a => [a.currentTime, a.duration, a.paused])"
    at, length, _ = browser.execute_script(state, box)[0]
    assert at == pytest.approx(length / 2, abs=0.01)
    browser.execute_script("arguments[0].click()", ways[1])
    assert [way.get_attribute("aria-pressed") for way in ways] == ["false", "true", "false"]
    assert browser.execute_script(state, box)[1][0] == pytest.approx(at, abs=0.05)
    # Browsers let nothing sound before somebody has clicked.
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", play)
    play.click()
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(state, box)[1][0] > at + 0.1)
    browser.execute_script("arguments[0].click()", ways[2])
    first, second, third = browser.execute_script(state, box)
    assert (first[2], second[2], third[2]) == (True, True, False)
    assert third[0] == pytest.approx(second[0], abs=0.2)
    browser.execute_script("arguments[0].click()", play)
    assert all(paused for _, _, paused in browser.execute_script(state, box))


def complaints(browser: webdriver.Chrome, inside: str) -> list[str]:
    """What axe finds of serious or critical weight in the elements of a selector, a line each."""
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    run = (
        "const done = arguments[1];"
        "axe.run({include: [arguments[0]]}, {resultTypes: ['violations']}).then(found => done(found.violations))"
    )
    found = browser.execute_async_script(run, inside)
    heavy = [each for each in found if each["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {node['html'][:200]}" for each in heavy for node in each["nodes"]]


OWN_MARKUP = ("item?item=test-0002&a=occlusion", "[data-testid=stHtml]"), ("ranking", "[data-testid=stVegaLiteChart]")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("screen", "inside"), OWN_MARKUP)
def test_axe_finds_nothing_serious_in_what_is_our_own_on_the_page(address, browser, screen, inside, scheme):
    look(browser, f"{address}/{screen}", scheme, inside)
    wait(lambda: "CPU" in seen(browser))
    assert not complaints(browser, inside)


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_exported_page(browser, planted_board, tmp_path, scheme):
    page = board.export(planted_board, tmp_path / "page")
    look(browser, page.as_uri(), scheme, "table")
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert not complaints(browser, "html")
    headings_in_order(browser)
    faint = "document.querySelectorAll('small').forEach(each => each.style.opacity = 0.2)"
    browser.execute_script(faint)
    assert any(line.startswith("color-contrast") for line in complaints(browser, "html")), "it would find it"


@pytest.mark.parametrize(("scheme", "bright"), [("light", True), ("dark", False)])
def test_the_ranking_is_drawn_in_light_and_dark(address, browser, tmp_path, scheme, bright):
    look(browser, f"{address}/ranking?metric=fid_f@top30", scheme, "[data-testid=stVegaLiteChart] svg.marks")
    assert (ground(browser) > 128) is bright
    picture = tmp_path / f"ranking-{scheme}.png"
    assert browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 20_000
    assert "metric=fid_f%40top30" in browser.current_url
    assert hosts(browser) <= {"localhost"}


def seen(browser: webdriver.Chrome) -> str:
    return str(browser.find_element(By.TAG_NAME, "body").text)


def stored(planted_board: Path, sql: str) -> list[dict]:
    connection = board.connect(planted_board)
    try:
        return board.records(connection, sql)
    finally:
        connection.close()


def test_the_board_is_what_opens_and_a_filter_in_the_address_holds(address, browser, planted_board, tmp_path):
    look(browser, f"{address}/?kind=control", "light", "[data-testid=stPageLink]")
    for row in stored(planted_board, "SELECT sentence FROM sentences"):
        wait(lambda said=row["sentence"]: said in seen(browser))
    wait(lambda: "kind=control" in browser.current_url)
    assert browser.save_screenshot(str(tmp_path / "board.png"))
    browser.find_elements(By.CSS_SELECTOR, "[data-testid=stPageLink] a")[1].click()
    wait(lambda: "task=planted" in browser.current_url and "/ranking" in browser.current_url)
    assert hosts(browser) <= {"localhost"}


def test_two_are_compared_and_the_address_opens_the_same_two_again(address, browser, planted_board, tmp_path):
    link = f"{address}/compare?a=occlusion&b=uniform"
    look(browser, link, "light", "[data-testid=stVegaLiteChart] svg.marks")
    assert "By the score occlusion is better than uniform" in seen(browser)
    assert "b=uniform" in browser.current_url
    assert browser.save_screenshot(str(tmp_path / "compare.png"))
    assert hosts(browser) <= {"localhost"}


def test_the_numbers_that_are_downloaded_are_those_of_the_database(address, browser, planted_board, tmp_path):
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    look(browser, f"{address}/ranking", "light", "[data-testid=stDownloadButton] button")
    # Streamlit draws a button a second time, unseen, to measure it.
    every = "[data-testid=stDownloadButton] button"
    wait(lambda: sum(button.is_displayed() for button in browser.find_elements(By.CSS_SELECTOR, every)) == 2)
    for button in browser.find_elements(By.CSS_SELECTOR, every):
        if button.is_displayed():
            button.click()
    wait(lambda: (tmp_path / "planted.csv").is_file() and (tmp_path / "planted.parquet").is_file())
    frames = [pd.read_csv(tmp_path / "planted.csv"), pd.read_parquet(tmp_path / "planted.parquet")]
    for frame in (frame.set_index("entrant") for frame in frames):
        for row in stored(planted_board, "SELECT * FROM results WHERE task_key = 'planted' AND mean IS NOT NULL"):
            assert frame.loc[row["entrant"], f"{row['metric']} mean"] == pytest.approx(row["mean"], rel=1e-12)
        for row in stored(planted_board, "SELECT * FROM ranks WHERE task_key = 'planted'"):
            assert frame.loc[row["entrant"], "rank"] == row["rank"]
    assert hosts(browser) <= {"localhost"}


SCREENS = {
    "": "Which explanation, and how sure?",
    "ranking": "What does it cost?",
    "compare": "Everybody against everybody",
    "item": "Values on this item",
    "task": "Floors and ceilings",
    "metrics": "Which metric should I trust?",
    "submission": "Make it again",
    "changes": "What changed?",
    "about": "How to cite it",
}


@pytest.mark.parametrize(("screen", "says"), SCREENS.items())
def test_each_page_opens_to_its_end_on_a_phone_and_nothing_leaves_its_sides(address, browser, screen, says):
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        look(browser, f"{address}/{screen}?task=planted", "light", "h1")
        wait(lambda: says in seen(browser))
        wide = "return Math.max(...[document.documentElement, ...document.querySelectorAll('section')]"
        assert browser.execute_script(f"{wide}.map(each => each.scrollWidth))") <= 390
        assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid=stException]")
        headings_in_order(browser)
        assert not console(browser)
        assert hosts(browser) <= {"localhost"}
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def headings_in_order(browser: webdriver.Chrome) -> None:
    """One heading is the page's, the first, and none skips a level."""
    script = "return Array.from(document.querySelectorAll('h1, h2, h3, h4, h5, h6')).map(each => +each.tagName[1])"
    levels = browser.execute_script(script)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels)), levels


def console(browser: webdriver.Chrome) -> list[str]:
    """Errors on the console; not those of Streamlit, which asks below a page's own address where its server is."""
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [message for message in severe if "/_stcore/" not in message.split(" ")[0]]


def test_every_chart_has_a_text_and_the_ranking_is_sorted_by_a_click(address, browser, planted_board):
    look(browser, f"{address}/ranking", "light", "[data-testid=stVegaLiteChart] svg.marks")
    wait(lambda: len(browser.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart] svg.marks")) >= 2)
    charts = browser.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart]")
    wait(lambda: all(chart.get_attribute("aria-label") for chart in charts))
    said = [str(chart.get_attribute("aria-label")) for chart in charts]
    assert any(text.startswith("score of 5 submissions, from gradient_input") for text in said)
    assert any("On the Pareto front" in text for text in said)
    table = browser.find_element(By.CSS_SELECTOR, "[data-testid=stDataFrame]")
    heads = "return Array.from(arguments[0].querySelectorAll('th')).map(each => each.textContent)"
    wait(lambda: "Score" in browser.execute_script(heads, table))
    place = browser.execute_script(heads, table).index("Score")
    rows = "return Array.from(arguments[0].querySelectorAll('tbody tr'))"
    cells = f"{rows}.map(row => row.children[arguments[1]].textContent)"

    def shown() -> list[float]:
        return [float(text) for text in browser.execute_script(cells, table, place) if text]

    scores = stored(planted_board, "SELECT score FROM ranks WHERE task_key = 'planted' ORDER BY score")
    ascending = [pytest.approx(row["score"]) for row in scores]
    assert shown() == ascending[::-1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", table)
    canvas = table.find_element(By.TAG_NAME, "canvas")
    # The table is one picture: columns are as wide as ranking_table.COLUMNS says, the head is 34 pixels high.
    across, down = 395 - canvas.size["width"] // 2, 17 - canvas.size["height"] // 2
    ActionChains(browser).move_to_element_with_offset(canvas, across, down).pause(0.3).click().perform()
    wait(lambda: "Sort ascending" in seen(browser))
    browser.find_element(By.XPATH, "//*[text()='Sort ascending']").click()
    wait(lambda: shown() == ascending)


def test_the_exported_page_opens_from_disk_and_asks_nobody_for_anything(browser, planted_board, tmp_path):
    page = board.export(planted_board, tmp_path / "page")
    browser.get_log("performance")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        browser.get(page.as_uri())
        for row in stored(planted_board, "SELECT sentence FROM sentences"):
            assert row["sentence"] in seen(browser)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        assert not console(browser)
        assert browser.find_elements(By.TAG_NAME, "audio")
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        urls = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
        assert {url for url in urls if not url.startswith("data:")} == {page.as_uri()}, "players load on demand"
        player = "const a = document.querySelector('audio'); a.preload = 'auto'; a.load(); return a"
        sound = browser.execute_script(player)
        wait(lambda: browser.execute_script("return arguments[0].duration > 1", sound))
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
