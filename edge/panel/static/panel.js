"use strict";
// The picture, the guidance and the gate's screen ask for news; every other page works without this file.
const PICTURE_MS = 200;
const GUIDANCE_MS = 250;
const SCREEN_MS = 500;

function every(milliseconds, ask) {
  const again = () => { if (document.hidden) { setTimeout(again, milliseconds); } else { ask().catch(() => {}).finally(() => setTimeout(again, milliseconds)); } };
  again();
}

for (const image of document.querySelectorAll("img[data-live]")) {
  let shown = null;
  every(PICTURE_MS, async () => {
    const answer = await fetch(image.dataset.live, { cache: "no-store" });
    if (answer.status !== 200) { return; }
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) { text += String.fromCharCode(...bytes.subarray(i, i + 8192)); }
    shown = "data:image/jpeg;base64," + btoa(text);
    image.src = shown;
  });
}

for (const line of document.querySelectorAll("[data-poll]")) {
  const bar = document.getElementById("share");
  every(GUIDANCE_MS, async () => {
    const state = await (await fetch(line.dataset.poll, { cache: "no-store" })).json();
    if (state.over) { location.reload(); return; }
    if (line.textContent !== state.text) { line.textContent = state.text; }
    if (state.code) { line.dataset.code = state.code; }
    bar.value = state.share;
  });
}

if (document.body.dataset.screen) {
  every(SCREEN_MS, async () => {
    const state = await (await fetch(document.body.dataset.screen, { cache: "no-store" })).json();
    document.body.dataset.state = state.state;
    for (const part of ["title", "text"]) {
      const element = document.getElementById("screen-" + part);
      if (element.textContent !== state[part]) { element.textContent = state[part]; }
    }
  });
}
