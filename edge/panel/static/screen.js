"use strict";
// The display at the gate: shows what the door tells, types PINs without ever showing a digit.
const STATE_MS = 400;
const PAD_IDLE_MS = 30000;
const LOST_AFTER = 8;

const body = document.body;
const lines = document.getElementById("lines");
let csrf = body.dataset.csrf;
let seen = -1;
let lost = 0;

async function post(path, fields) {
  await fetch(path, { method: "POST", body: new URLSearchParams({ csrf, ...fields }), cache: "no-store" });
}

function show(told) {
  lines.replaceChildren(...told.map((line, n) => {
    const block = document.createElement("div");
    const title = document.createElement(n ? "p" : "h1");
    const text = document.createElement("p");
    block.lang = line.tag;
    title.className = "title"; text.className = "text";
    title.textContent = line.title; text.textContent = line.text;
    block.append(title, text);
    return block;
  }));
}

function speak(told) {
  if (!body.dataset.speaks || !("speechSynthesis" in window)) { return; }
  speechSynthesis.cancel();
  for (const line of told) {
    const words = new SpeechSynthesisUtterance(line.spoken);
    words.lang = line.tag;
    speechSynthesis.speak(words);
  }
}

async function look() {
  const query = new URLSearchParams({ language: body.dataset.language });
  const state = await (await fetch(`/screen/state?${query}`, { cache: "no-store" })).json();
  lost = 0;
  csrf = state.csrf;
  const told = JSON.stringify([state.seq, state.state, state.lines]);
  if (told === seen) { return; }
  const isFirst = seen === -1;
  seen = told;
  body.dataset.state = state.state;
  body.dataset.picture = state.picture;
  show(state.lines);
  if (!isFirst && state.state !== "idle") { speak(state.lines); }
  if (state.state === "pin_wanted") { openPad(); }
}

function fail() {
  lost += 1;
  if (lost !== LOST_AFTER) { return; }
  seen = -1;
  body.dataset.state = "refused";
  body.dataset.picture = "cross";
  show([{ tag: document.documentElement.lang, title: body.dataset.offline, text: "" }]);
}

function again() { look().catch(fail).finally(() => setTimeout(again, STATE_MS)); }
again();

const bell = document.getElementById("ring");
if (bell) { bell.addEventListener("click", () => post("/screen/ring", {}).catch(() => {})); }

const pad = document.getElementById("pad");
let digits = "";
let number = null;
let closing = 0;

function retell() {
  const title = document.getElementById("pad-title");
  const [dots, words] = document.getElementById("typed").children;
  title.textContent = number === null ? title.dataset.number : title.dataset.secret;
  dots.textContent = "•".repeat(digits.length);
  words.textContent = digits ? document.getElementById("typed").dataset.words.replace("{count}", digits.length) : "";
  clearTimeout(closing);
  closing = setTimeout(closePad, PAD_IDLE_MS);
}

function openPad() {
  if (!pad || pad.open) { return; }
  digits = ""; number = null;
  pad.showModal();
  retell();
}

function closePad() {
  digits = ""; number = null;
  clearTimeout(closing);
  pad.close();
}

function next() {
  if (!digits) { return; }
  if (number === null) { number = digits; digits = ""; retell(); return; }
  post("/screen/pin", { number, pin: digits }).catch(() => {});
  closePad();
}

function key(name) {
  if (/^[0-9]$/.test(name)) { digits = (digits + name).slice(0, 16); }
  else if (name === "erase") { digits = digits.slice(0, -1); }
  else if (name === "ok") { next(); return; }
  else if (name === "cancel") { closePad(); return; }
  retell();
}

if (pad) {
  document.getElementById("open-pad").addEventListener("click", openPad);
  pad.addEventListener("cancel", (event) => { event.preventDefault(); closePad(); });
  for (const button of pad.querySelectorAll("button")) {
    button.addEventListener("click", () => key(button.dataset.digit || button.dataset.key));
  }
  document.addEventListener("keydown", (event) => {
    const isDigit = /^[0-9]$/.test(event.key);
    if (!pad.open) { if (isDigit) { openPad(); key(event.key); event.preventDefault(); } return; }
    if (isDigit) { key(event.key); event.preventDefault(); }
    else if (event.key === "Backspace") { key("erase"); event.preventDefault(); }
  });
}
