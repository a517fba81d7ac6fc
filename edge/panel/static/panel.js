"use strict";
// What changes by itself asks for news here; every other page works without this file.
const PICTURE_MS = 200;
const GUIDANCE_MS = 250;
const STATE_MS = 700;
const FRESH_MS = 5000;
const FOLLOW_MS = 60000;

// Whoever goes to another page goes once: going again would stop the answer that is on its way.
let isGoing = false;
function goOnce(go) {
  if (isGoing) { return; }
  isGoing = true;
  go();
}

function every(milliseconds, ask) {
  const again = () => {
    if (isGoing) { return; }
    if (document.hidden) { setTimeout(again, milliseconds); return; }
    ask().catch(() => {}).finally(() => setTimeout(again, milliseconds));
  };
  again();
}

// What a page asks by itself keeps nobody logged in; whose session is over is led to the login.
async function unasked(path) {
  const answer = await fetch(path, { cache: "no-store", headers: { "X-Facegate-Unasked": "1" } });
  if (answer.status === 401) { leave(); throw new Error("logged out"); }
  return answer;
}

function leave() { goOnce(() => { location.replace(document.body.dataset.here || "/"); }); }

async function news(path) { return (await unasked(path)).json(); }

// Who is logged in is warned a minute before the session ends; any use of the page puts that off.
const WARNED_S = 60;
const USED_MS = 30000;
const ending = document.getElementById("ending");
if (ending) {
  let timer = 0;
  let usedAt = Date.now();
  const look = async (isUse) => {
    clearTimeout(timer);
    timer = setTimeout(look, USED_MS);
    const answer = isUse ? await fetch("/session/state", { cache: "no-store" }) : await unasked("/session/state");
    if (answer.redirected) { leave(); return; }
    const { left, text } = await answer.json();
    tell(ending.firstElementChild, text);
    ending.hidden = left > WARNED_S;
    clearTimeout(timer);
    timer = setTimeout(look, Math.max(left > WARNED_S ? left - WARNED_S : left + 1, 1) * 1000);
  };
  const use = () => {
    if (ending.hidden && Date.now() - usedAt < USED_MS) { return; }
    usedAt = Date.now();
    look(true).catch(() => {});
  };
  for (const kind of ["pointerdown", "keydown", "wheel", "touchmove"]) { addEventListener(kind, use, { passive: true }); }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { look().catch(() => {}); } });
  look().catch(() => {});
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
  every(Number(image.dataset.every) || PICTURE_MS, async () => {
    const answer = await unasked(image.dataset.live);
    if (answer.status !== 200) { return; }
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) { text += String.fromCharCode(...bytes.subarray(i, i + 8192)); }
    image.src = "data:image/jpeg;base64," + btoa(text);
    image.closest("[hidden]")?.removeAttribute("hidden");
  });
}

for (const line of document.querySelectorAll("[data-poll]")) {
  const bar = document.getElementById("share");
  every(GUIDANCE_MS, async () => {
    const state = await news(line.dataset.poll);
    if (state.over) { goOnce(() => { location.reload(); }); return; }
    tell(line, state.text);
    if (state.code) { line.dataset.code = state.code; }
    bar.value = state.share;
    const ring = document.getElementById("ring");
    if (ring) { ring.style.strokeDasharray = `${state.share * 100} 100`; }
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

const fresh = [...document.querySelectorAll("[data-fresh]")];
const came = new Map(fresh.map((part) => [part, part.innerHTML])); // as they came, before times are said

// Times as people say them, by the door's clock; the exact one stands in the title and is shown when it is pressed.
// The one place that makes them: a template writes the exact time, and `data-when="day"` where only today is told so.
const ago = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
const DAY_SECONDS = 86400;
const ahead = Date.parse(document.body.dataset.now) - Date.now() || 0;
function said(time) {
  const seconds = (Date.parse(time.dateTime) - Date.now() - ahead) / 1000;
  if (time.dataset.when === "day" && Math.abs(seconds) >= DAY_SECONDS) { return time.dataset.exact; }
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || ["second", 1];
  return ago.format(unit === "second" ? 0 : Math.trunc(seconds / size), unit);
}
function sayTimes(root) {
  for (const time of root.querySelectorAll("time[data-when]")) {
    time.dataset.exact = time.dataset.exact || time.textContent;
    const button = time.firstElementChild || document.createElement("button");
    if (!button.parentNode) {
      Object.assign(button, { type: "button", className: "when" });
      button.addEventListener("click", () => {
        time.toggleAttribute("data-shown");
        sayTimes(time.parentNode);
      });
      time.replaceChildren(button);
    }
    button.title = time.title || time.dataset.exact;
    tell(button, time.hasAttribute("data-shown") ? button.title : said(time));
  }
}
sayTimes(document);
setInterval(() => { if (!document.hidden) { sayTimes(document); } }, 30000);

// Parts of a page that are told anew, and only exchanged when they differ.
function exchange(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const part of fresh) {
    const now = page.getElementById(part.id);
    if (!now || part.contains(document.activeElement) || part.querySelector("details[open]")) { continue; }
    if (now.innerHTML === came.get(part)) { continue; }
    came.set(part, now.innerHTML);
    part.className = now.className;
    part.innerHTML = now.innerHTML;
    sayTimes(part);
  }
}

// A page that can be followed is told what is new while somebody looks at it.
const followed = document.querySelector("[data-news]");
let stream = null;
let followedAt = 0;
function follow() {
  if (document.hidden) { stream?.close(); return; }
  followedAt = Date.now();
  stream = new EventSource(followed.dataset.news);
  stream.addEventListener("message", (event) => { exchange(JSON.parse(event.data)); });
  stream.addEventListener("over", leave);
}
if (followed) {
  document.addEventListener("visibilitychange", follow);
  follow();
}

// Every other page asks for itself again and again; so does one that nobody has a place to tell.
if (fresh.length) {
  every(FRESH_MS, async () => {
    if (stream?.readyState === EventSource.OPEN) { return; }
    const answer = await unasked(location.href);
    if (answer.status !== 200) { return; }
    exchange(await answer.text());
    if (stream?.readyState === EventSource.CLOSED && Date.now() - followedAt > FOLLOW_MS) { follow(); }
  });
}

// "Open once": how long it stays open.
for (const line of document.querySelectorAll("[data-countdown]")) {
  let left = Math.ceil(Number(line.dataset.countdown));
  const text = line.textContent.replace(String(line.dataset.countdown), "\u0000");
  const tick = () => {
    line.textContent = left > 0 ? text.replace("\u0000", left) : line.dataset.over;
    if (left > 0) { left -= 1; setTimeout(tick, 1000); }
  };
  tick();
  history.replaceState(null, "", location.pathname);
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => { print(); });
}

// Unknown cards that are held to the reader now.
for (const form of document.querySelectorAll("[data-cards]")) {
  const list = document.getElementById("shown-cards");
  const row = document.getElementById("shown-card");
  every(STATE_MS * 2, async () => {
    const { cards } = await news(form.dataset.cards);
    if (cards.map((one) => one.card + one.time).join() === list.dataset.shown) { return; }
    list.dataset.shown = cards.map((one) => one.card + one.time).join();
    list.replaceChildren(...cards.map((one) => {
      const item = row.content.cloneNode(true);
      item.querySelector("code").textContent = one.card;
      item.querySelector(".hint").textContent = one.time;
      item.querySelector("button").value = one.card;
      return item;
    }));
  });
}

// A file that is too large is refused at its field, before it is sent and everything else with it.
for (const input of document.querySelectorAll("input[type=file][data-most]")) {
  input.addEventListener("change", () => {
    const isTooLarge = [...input.files].some((file) => file.size > Number(input.dataset.most));
    input.setCustomValidity(isTooLarge ? input.dataset.tooLarge : "");
    input.reportValidity();
  });
}

// Photos are made small before they are sent, stay on the page, and get their verdict there.
const LONGEST_PX = 1600;
async function smaller(file) {
  try {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST_PX / Math.max(image.width, image.height));
    const canvas = Object.assign(document.createElement("canvas"), {
      width: Math.max(1, Math.round(image.width * scale)), height: Math.max(1, Math.round(image.height * scale)) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => { canvas.toBlob(done, "image/jpeg", 0.9); });
    return blob && blob.size < file.size ? { blob, canvas } : { blob: file, canvas };
  } catch {
    return { blob: file, canvas: null };
  }
}

function posted(path, body, told) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => { told(event.loaded / event.total); });
    request.addEventListener("load", () => { done(request); });
    request.addEventListener("error", () => { failed(new Error("network")); });
    request.send(body);
  });
}

for (const form of document.querySelectorAll("form[data-photos]")) {
  const input = form.querySelector("input[type=file]");
  const shots = document.getElementById("shots");
  const bar = document.getElementById("sent");
  const told = document.getElementById("photos-told");
  let ready = [];
  const say = (text) => { told.textContent = text; told.hidden = !text; };
  input.addEventListener("change", async () => {
    say("");
    const files = [...input.files];
    ready = [];
    shots.replaceChildren();
    for (const file of files) {
      const { blob, canvas } = await smaller(file);
      const item = document.createElement("li");
      if (canvas) {
        const small = Object.assign(document.createElement("canvas"), { width: 120, height: Math.round((120 * canvas.height) / canvas.width) });
        small.getContext("2d").drawImage(canvas, 0, 0, small.width, small.height);
        small.setAttribute("role", "img");
        small.setAttribute("aria-label", file.name);
        item.append(small);
      }
      item.append(Object.assign(document.createElement("span"), { textContent: file.name }),
        Object.assign(document.createElement("span"), { className: "verdict", textContent: canvas ? "" : form.dataset.tooLarge }));
      shots.append(item);
      ready.push([file.name, blob]);
    }
    shots.hidden = ready.length === 0;
  });
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.id !== "use-photos" || ready.length === 0) { return; }
    event.preventDefault();
    const body = new FormData(form);
    body.delete(input.name);
    for (const [name, blob] of ready) { body.append(input.name, blob, name); }
    say("");
    bar.hidden = false;
    event.submitter.disabled = true;
    try {
      const answer = await posted(form.dataset.photos, body, (share) => { bar.value = share; });
      let news = {};
      try { news = JSON.parse(answer.responseText); } catch {
        const page = new DOMParser().parseFromString(answer.responseText, "text/html");
        news = { told: (page.querySelector("[role=alert]") || page.body).textContent.trim().slice(0, 300) };
      }
      if (news.to) { location.assign(news.to); return; }
      say(news.told);
      [...shots.children].forEach((item, n) => {
        const one = (news.photos || [])[n];
        if (!one) { return; }
        item.querySelector(".verdict").textContent = one.text;
        item.className = one.isGood ? "good" : "bad";
      });
      const field = news.field && form.elements[news.field];
      (field && field.focus ? field : told).focus?.();
    } catch {
      say(form.dataset.progress + " …✗");
    } finally {
      bar.hidden = true;
      event.submitter.disabled = false;
    }
  });
}
