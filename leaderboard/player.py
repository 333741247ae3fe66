"""One player over several sounds: switching goes on at the same position, so that they can be compared."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from zlib import crc32

import numpy as np
import streamlit as st
from reading import beside

MIME = {".ogg": "audio/ogg", ".flac": "audio/flac", ".wav": "audio/wav"}
STYLE = """
<style>
.listen { border: 1px solid #8884; border-radius: 8px; padding: .5rem .6rem; margin: .2rem 0 .4rem }
.listen .ways { display: flex; flex-wrap: wrap; gap: .35rem; margin-bottom: .4rem }
.listen button { font: inherit; font-size: .85rem; color: inherit; background: none; border: 1px solid #8886 }
.listen button { border-radius: 6px; padding: .25rem .6rem; cursor: pointer; text-align: left }
.listen button:disabled { opacity: .5; cursor: default }
.listen .ways button[aria-pressed=true] { border-color: #14958a; box-shadow: inset 0 0 0 1px #14958a }
.listen .bar { display: flex; align-items: center; gap: .6rem }
.listen .bar input { flex: 1; min-width: 3rem; accent-color: #14958a }
.listen .bar output { font-size: .8rem; opacity: .75; font-variant-numeric: tabular-nums; white-space: nowrap }
</style>
"""
SCRIPT = """
<script>
(() => {
  const box = document.getElementById("NAME");
  if (!box || box.dataset.ready) return;
  box.dataset.ready = "1";
  const sounds = [...box.querySelectorAll("audio")], ways = [...box.querySelectorAll(".ways button")];
  const play = box.querySelector(".play"), bar = box.querySelector("input"), said = box.querySelector("output");
  let now = sounds[0];
  const length = () => now.duration || 0;
  const draw = () => {
    const at = now.currentTime;
    if (length()) bar.value = 1000 * at / length();
    said.value = at.toFixed(1) + " of " + length().toFixed(1) + " s";
    play.textContent = now.paused ? "Play" : "Pause";
  };
  const to = (next) => {
    const at = now.currentTime, on = !now.paused && !now.ended;
    now.pause();
    now = next;
    now.currentTime = Math.min(at, length() || at);
    ways.forEach((way) => way.setAttribute("aria-pressed", String(way.dataset.sound === now.id)));
    if (on) now.play();
    draw();
  };
  ways.forEach((way) => way.addEventListener("click", () => {
    const next = document.getElementById(way.dataset.sound);
    if (next) to(next);
  }));
  play.addEventListener("click", () => {
    if (now.paused) now.play(); else now.pause();
  });
  bar.addEventListener("input", () => { now.currentTime = bar.value / 1000 * length(); draw(); });
  sounds.forEach((sound) => ["timeupdate", "play", "pause", "ended", "loadedmetadata"].forEach((event) =>
    sound.addEventListener(event, () => { if (sound === now) draw(); })));
  draw();
})();
</script>
"""


def switching(sounds: Mapping[str, Path | bytes | None], key: str) -> None:
    """A player of sounds by title, of a file, of a WAV file's bytes, or None where a sound is not kept.

    `key` is the player's own on the page. The first that is kept is chosen at first. Sounds are handed to the browser
    with the page: short ones are meant.
    """
    name = f"listen-{crc32(key.encode()):08x}"
    ways: list[str] = []
    players: list[str] = []
    for place, (title, sound) in enumerate(sounds.items()):
        text, mark = escape(title), f"{name}-{place}"
        if sound is None:
            ways.append(f'<button type="button" disabled>{text}: not kept</button>')
            continue
        pressed = str(not players).lower()
        ways.append(f'<button type="button" data-sound="{mark}" aria-pressed="{pressed}">{text}</button>')
        players.append(f'<audio id="{mark}" preload="auto" src="{_address(sound)}"></audio>')
    if not players:
        st.caption("No sound of these is kept: " + ", ".join(sounds) + ".")
        return
    bar = (
        '<div class="bar"><button type="button" class="play">Play</button>'
        '<input type="range" min="0" max="1000" value="0" aria-label="Position in the sound"><output></output></div>'
    )
    group = f'<div class="listen" id="{name}" role="group" aria-label="Sounds to compare">'
    body = f'{group}<div class="ways">{"".join(ways)}</div>{bar}{"".join(players)}</div>'
    st.html(STYLE + body + SCRIPT.replace("NAME", name), unsafe_allow_javascript=True)


def files(sounds: Mapping[str, str]) -> dict[str, Path | bytes | None]:
    """Files that the board points to by title, None where they are gone."""
    return {title: beside(path) for title, path in sounds.items()}


def wav(sound: np.ndarray, rate: int) -> bytes:
    """A sound [S] in [-1, 1] as the bytes of a WAV file; one that is louder is brought down to 1."""
    import soundfile

    stream = io.BytesIO()
    loudest = float(np.abs(sound).max(initial=0.0))
    soundfile.write(stream, sound / max(1.0, loudest), rate, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def _address(sound: Path | bytes) -> str:
    """A sound as an address that holds it."""
    kind, data = (MIME[sound.suffix], sound.read_bytes()) if isinstance(sound, Path) else (MIME[".wav"], sound)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
