"use strict";
// What changes by itself asks for news here; every other page works without this file.
const PICTURE_MS = 200;
const GUIDANCE_MS = 250;
const STATE_MS = 700;
const FRESH_MS = 5000;

function every(milliseconds, ask) {
  const again = () => {
    if (document.hidden) { setTimeout(again, milliseconds); return; }
    ask().catch(() => {}).finally(() => setTimeout(again, milliseconds));
  };
  again();
}

async function news(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (answer.redirected) { location.reload(); }
  return answer.json();
}

function tell(element, text) {
  if (element.textContent !== String(text)) { element.textContent = text; }
}

const menu = document.getElementById("menu");
if (menu) {
  const wide = matchMedia("(min-width: 52.01rem)");
  const fit = () => { menu.open = wide.matches; document.documentElement.classList.toggle("wide", wide.matches); };
  wide.addEventListener("change", fit);
  fit();
}

for (const image of document.querySelectorAll("img[data-live]")) {
  every(PICTURE_MS, async () => {
    const answer = await fetch(image.dataset.live, { cache: "no-store" });
    if (answer.status !== 200 || answer.redirected) { return; }
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) { text += String.fromCharCode(...bytes.subarray(i, i + 8192)); }
    image.src = "data:image/jpeg;base64," + btoa(text);
  });
}

for (const line of document.querySelectorAll("[data-poll]")) {
  const bar = document.getElementById("share");
  every(GUIDANCE_MS, async () => {
    const state = await news(line.dataset.poll);
    if (state.over) { location.reload(); return; }
    tell(line, state.text);
    if (state.code) { line.dataset.code = state.code; }
    bar.value = state.share;
  });
}

for (const part of document.querySelectorAll("[data-faces]")) {
  const list = document.getElementById("faces");
  every(STATE_MS, async () => {
    const state = await news(part.dataset.faces);
    tell(document.querySelector("#faces-text strong"), state.text);
    list.replaceChildren(...state.faces.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  });
}

for (const part of document.querySelectorAll("[data-picture]")) {
  let best = 0;
  every(STATE_MS, async () => {
    const state = await news(part.dataset.picture);
    tell(document.querySelector("#picture-text strong"), state.text);
    if (state.sharpness === null) { return; }
    best = Math.max(best, state.sharpness, 1);
    tell(document.getElementById("sharpness"), state.sharpness);
    tell(document.getElementById("sharpest"), best);
    tell(document.getElementById("brightness"), state.brightness);
    document.getElementById("sharpness-bar").value = state.sharpness / best;
    document.getElementById("brightness-bar").value = state.brightness;
  });
}

for (const part of document.querySelectorAll("[data-test]")) {
  let before = null;
  every(STATE_MS, async () => {
    const state = await news(part.dataset.test);
    part.querySelectorAll("[data-now]").forEach((cell, n) => { tell(cell, state.now[n].value); });
    part.querySelectorAll("[data-last]").forEach((row, n) => {
      tell(row.lastElementChild, state.last[n].value);
      if (before && before[n].value !== state.last[n].value) { row.classList.add("seen"); }
    });
    before = before || state.last;
  });
}

// Parts of a page that are asked for anew, by the page itself, and only exchanged when they differ.
const fresh = [...document.querySelectorAll("[data-fresh]")];
if (fresh.length) {
  every(FRESH_MS, async () => {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.redirected) { location.reload(); return; }
    if (answer.status !== 200) { return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of fresh) {
      const now = page.getElementById(part.id);
      if (!now || part.contains(document.activeElement) || part.querySelector("details[open]")) { continue; }
      if (now.innerHTML !== part.innerHTML) { part.className = now.className; part.innerHTML = now.innerHTML; }
    }
  });
}
