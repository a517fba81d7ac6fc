"use strict";
// The display at the gate: shows what the door tells, types PINs without ever showing a digit.
const STATE_MS = 400;
const PAD_IDLE_MS = 30000;
const SLOW_PAD_MS = 90000; // whoever feels for the keys needs longer
const HOLD_MS = 2000;
const LOST_AFTER = 8;

const body = document.body;
const lines = document.getElementById("lines");
let csrf = body.dataset.csrf;
let seen = -1;
let lost = 0;
let spoken = false; // whether the keys of the pad are spoken, until it closes

async function post(path, fields) {
  await fetch(path, { method: "POST", body: new URLSearchParams({ csrf, ...fields }), cache: "no-store" });
}

// What the page says of itself, once for each language of the display.
function said(element, name) { return JSON.parse(element.dataset[name]); }

function write(element, words) {
  element.replaceChildren(...words.map((one) => {
    const line = document.createElement("span");
    line.lang = one.tag;
    line.textContent = one.text;
    return line;
  }));
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
  fit();
}

// Everything smaller, until all of it is to be seen above the buttons.
const LEAST_FIT = 0.3;
const main = document.querySelector("main");
function fit() {
  let part = 1;
  const isTooLarge = () => main.scrollHeight > main.clientHeight || main.scrollWidth > main.clientWidth;
  do {
    main.style.setProperty("--fit", part.toFixed(2));
    part -= 0.05;
  } while (part > LEAST_FIT && isTooLarge());
}
addEventListener("resize", fit);
fit();

function speak(told) {
  if (!body.dataset.voice) { return; }
  utter(told.map((line) => [line.spoken, line.tag]));
}

function utter(sentences) {
  if (!("speechSynthesis" in window)) { return; }
  speechSynthesis.cancel();
  for (const [text, language] of sentences) {
    const words = new SpeechSynthesisUtterance(text);
    words.lang = language;
    speechSynthesis.speak(words);
  }
}

// What changed, for the ear: up is yes, down is no, one short note asks for something.
const SOUNDS = { granted: [660, 880, 1100], refused: [330, 220], prompt: [520], pin_wanted: [520, 520], rung: [880, 660], blind: [330, 330], key: [740] };
let audio = null;
function sound(name) {
  if (!(body.dataset.sound || spoken) || !SOUNDS[name] || !("AudioContext" in window)) { return; }
  audio = audio || new AudioContext();
  SOUNDS[name].forEach((hertz, n) => {
    const [tone, loud] = [audio.createOscillator(), audio.createGain()];
    const begin = audio.currentTime + n * 0.16;
    tone.frequency.value = hertz;
    loud.gain.setValueAtTime(0.25, begin);
    loud.gain.exponentialRampToValueAtTime(0.001, begin + 0.15);
    tone.connect(loud).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + 0.15);
  });
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
  if (!isFirst && state.state !== "idle") { sound(state.state); speak(state.lines); }
  if (state.state === "pin_wanted") { if (ringing && pad.open) { closePad(); } openPad(); } // a PIN is no flat
}

function fail() {
  lost += 1;
  if (lost !== LOST_AFTER) { return; }
  seen = -1;
  body.dataset.state = "refused";
  body.dataset.picture = "cross";
  show(said(body, "offline").map((one) => ({ tag: one.tag, title: one.text, text: "" })));
}

function again() { look().catch(fail).finally(() => setTimeout(again, STATE_MS)); }
again();

const bell = document.getElementById("ring");
if (bell) { bell.addEventListener("click", () => post("/screen/ring", {}).catch(() => {})); }

const pad = document.getElementById("pad");
let digits = "";
let number = null;
let ringing = false; // the digits are a flat's, and nobody's secret
let closing = 0;

function retell() {
  const title = document.getElementById("pad-title");
  const [dots, words] = document.getElementById("typed").children;
  write(title.firstElementChild, said(title, ringing ? "flat" : number === null ? "number" : "secret"));
  dots.textContent = ringing ? digits : "•".repeat(digits.length);
  const count = (one) => ({ tag: one.tag, text: one.text.replace("{count}", digits.length) });
  write(words, digits ? said(document.getElementById("typed"), "words").map(count) : []);
  clearTimeout(closing);
  closing = setTimeout(closePad, spoken ? SLOW_PAD_MS : PAD_IDLE_MS);
}

function openPad(forFlat = false) {
  if (!pad || pad.open) { return; }
  digits = ""; number = null; ringing = forFlat;
  pad.showModal();
  retell();
}

function closePad() {
  digits = ""; number = null; spoken = false;
  clearTimeout(closing);
  pad.close();
}

function next() {
  if (!digits) { return; }
  if (ringing) { post("/screen/ring", { flat: digits }).catch(() => {}); closePad(); return; }
  if (number === null) { number = digits; digits = ""; retell(); if (spoken) { sayPad("secret"); } return; }
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
  document.getElementById("open-pad").addEventListener("click", () => openPad());
  document.getElementById("ring-flat").addEventListener("click", () => openPad(true));
  pad.addEventListener("cancel", (event) => { event.preventDefault(); closePad(); });
  for (const button of pad.querySelectorAll("button")) {
    button.addEventListener("click", (event) => {
      if (spoken && event.detail) { return; } // the finger has typed when it was lifted
      sound("key");
      key(button.dataset.digit || button.dataset.key);
    });
  }
  if (body.dataset.keys) { letFingersFeel(); }
  document.addEventListener("keydown", (event) => {
    const isDigit = /^[0-9]$/.test(event.key);
    if (!pad.open) { if (isDigit) { openPad(); key(event.key); event.preventDefault(); } return; }
    if (isDigit) { key(event.key); event.preventDefault(); }
    else if (event.key === "Backspace") { key("erase"); event.preventDefault(); }
  });
}

// The pad without looking: a finger held anywhere for two seconds opens it; sliding speaks the key below, lifting types it.
function sayPad(name) { utter(said(document.getElementById("pad-title"), name).map((one) => [one.text, one.tag])); }

function sayKey(key) {
  const tongues = said(document.getElementById("pad-title"), "number");
  const words = [...key.querySelectorAll("[lang]")].map((one) => [one.textContent, one.lang]);
  utter(words.length ? words : tongues.map((one) => [key.textContent, one.tag]));
}

function letFingersFeel() {
  let held = 0;
  let below = null;
  let isOpening = false; // the finger that opened the pad types nothing when it is lifted
  document.addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("pointerdown", () => {
    clearTimeout(held);
    if (!pad.open) { held = setTimeout(() => { spoken = isOpening = true; openPad(); sound("prompt"); sayPad("slide"); }, HOLD_MS); }
  });
  const feel = (event) => {
    if (!spoken || isOpening) { return; }
    const found = document.elementFromPoint(event.clientX, event.clientY)?.closest("#pad button") || null;
    if (found === below) { return; }
    below?.classList.remove("under");
    found?.classList.add("under");
    below = found;
    if (found) { sayKey(found); }
  };
  const lift = () => {
    clearTimeout(held);
    isOpening = false;
    const found = below;
    below?.classList.remove("under");
    below = null;
    if (spoken && found) { sound("key"); key(found.dataset.digit || found.dataset.key); }
  };
  document.addEventListener("pointermove", feel);
  pad.addEventListener("pointerdown", feel);
  document.addEventListener("pointerup", lift);
  document.addEventListener("pointercancel", () => { clearTimeout(held); isOpening = false; below?.classList.remove("under"); below = null; });
}
