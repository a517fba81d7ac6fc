// Everything works without this: it types a scanned code in, shrinks photos before they are sent,
// keeps what was written until it has been sent, prints, and asks the browser for passkeys.
"use strict";
const coded = document.querySelector("[data-from-fragment]");
if (coded && location.hash.length > 8) {
  coded.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}

async function shrunk(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, 1600 / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
  return blob ? new File([blob], "photo.jpg", { type: "image/jpeg" }) : file;
}

for (const input of document.querySelectorAll("[data-shrink]")) {
  input.addEventListener("change", async () => {
    const kept = new DataTransfer();
    for (const file of [...input.files].slice(0, 3)) {
      try { kept.items.add(await shrunk(file)); } catch { kept.items.add(file); }
    }
    input.files = kept.files;
  });
}

// What was written is kept until a page shows that it was taken: not when somebody was logged out meanwhile.
try {
  const sent = sessionStorage.getItem("sent");
  const again = sent && document.querySelector(`[data-draft="${sent.replace("draft-", "")}"] textarea`);
  if (sent && !document.querySelector("#refused, [data-unsent]") && !(again && again.value)) { localStorage.removeItem(sent); }
  sessionStorage.removeItem("sent");
} catch { /* a browser that keeps nothing */ }
// A draft is its writer's: who logs in next on the same phone finds none, and takes away what is left there.
for (const form of document.querySelectorAll("[data-draft]")) {
  const key = "draft-" + form.dataset.draft;
  try {
    for (const other of Object.keys(localStorage)) { if (other.startsWith("draft-") && other !== key) { localStorage.removeItem(other); } }
  } catch { /* a browser that keeps nothing */ }
  const texts = [...form.querySelectorAll("textarea, input[name=place]")];
  try {
    const kept = JSON.parse(localStorage.getItem(key) || "{}");
    for (const one of texts) one.value ||= kept[one.name] || "";
    form.addEventListener("input", () => localStorage.setItem(key, JSON.stringify(Object.fromEntries(texts.map((one) => [one.name, one.value])))));
    form.addEventListener("submit", () => sessionStorage.setItem("sent", key));
  } catch { /* a browser that keeps nothing */ }
}

// Two clicks are one: a form that is on its way is not sent again.
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") { return; }
  if (Date.now() - (form.sentAt || 0) < 5000) { event.preventDefault(); } else { form.sentAt = Date.now(); }
}, true);
addEventListener("pageshow", () => { for (const form of document.forms) { form.sentAt = 0; } });

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// Lists that are asked for anew, by the page itself, and only exchanged when they differ. That keeps nobody
// logged in, but for who touched the page meanwhile.
const fresh = [...document.querySelectorAll("[data-fresh]")];
let isTouched = false;
for (const kind of fresh.length ? ["pointerdown", "keydown", "wheel", "touchmove"] : []) { addEventListener(kind, () => { isTouched = true; }, { passive: true }); }
async function renew() {
  try {
    const headers = isTouched ? {} : { "X-Facegate-Unasked": "1" };
    const answer = document.hidden ? null : await fetch(location.href, { cache: "no-store", headers });
    if (answer) { isTouched = false; }
    if (answer && answer.redirected) { location.reload(); return; }
    const page = answer && answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    for (const part of page ? fresh : []) {
      const now = page.getElementById(part.id);
      if (now && !part.contains(document.activeElement) && now.innerHTML !== part.innerHTML) { part.innerHTML = now.innerHTML; }
    }
  } catch { /* a network that is away: asked again */ }
  setTimeout(renew, 5000);
}
if (fresh.length) { setTimeout(renew, 5000); }

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
async function passkey(asked) {
  const wanted = JSON.parse(asked).publicKey;
  wanted.challenge = bytes(wanted.challenge);
  if (wanted.user) { wanted.user.id = bytes(wanted.user.id); }
  const made = await (wanted.user ? navigator.credentials.create({ publicKey: wanted }) : navigator.credentials.get({ publicKey: wanted }));
  const response = { clientDataJSON: text(made.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) { response[name] = text(made.response[name]); }
  }
  return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} });
}
for (const form of window.PublicKeyCredential ? document.querySelectorAll("[data-passkey]") : []) {
  const button = form.querySelector("button");
  button.disabled = false;
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      form.elements.answer.value = await passkey(form.dataset.passkey);
      form.submit();
    } catch {
      form.querySelector(".bad").hidden = false;
      button.disabled = false;
    }
  });
}
