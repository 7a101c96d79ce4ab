// Uploads into the directory that the page shows. Files go in pieces, by the
// protocol tus 1.0, where the server takes them so: a connection that breaks,
// or a page that is closed, costs nothing then. Without a script nothing of
// this is shown.

const area = document.getElementById("upload");
const input = document.getElementById("upload-files");
const list = document.getElementById("upload-list");
const said = document.getElementById("upload-said");
const fresh = document.getElementById("upload-fresh");
const uploads = area.dataset.uploads; // where they are created; "" is nowhere

const here = location.pathname;
const pieceSize = 16 << 20;
// How long to wait before another attempt, in milliseconds; each that brings
// bytes begins the row anew.
const pauses = [1000, 2000, 4000, 8000, 15000, 30000];

// Stopped is why a request came to nothing: its status, 0 for a connection that
// broke, -1 for one that the user has ended.
class Stopped extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500 && this.status !== 501 && this.status !== 507;
  }
}

// --- what is remembered between visits

const prefix = "canopy upload ";
const keyOf = (file) => prefix + JSON.stringify([here, file.name, file.size, file.lastModified]);

// A browser may refuse to keep anything; uploads begin anew then.
function recall(key) {
  try {
    const at = localStorage.getItem(key);
    return at && at.startsWith(uploads) ? at : null;
  } catch {
    return null;
  }
}

function remember(key, at) {
  try {
    if (at) localStorage.setItem(key, at);
    else localStorage.removeItem(key);
  } catch {
    // as above
  }
}

// --- requests

// base64 of the bytes that a percent-encoded path stands for, which need not be
// UTF-8.
const pathOf = (name) => btoa((here + encodeURIComponent(name)).replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))));

function request(upload, method, url, headers, body) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    upload.xhr = xhr;
    xhr.open(method, url);
    xhr.setRequestHeader("Accept", "text/plain");
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    if (body) xhr.upload.addEventListener("progress", (event) => upload.show(upload.offset + event.loaded));
    xhr.addEventListener("load", () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve(xhr);
      else reject(new Stopped(xhr.status, xhr.responseText.split("\n")[0] || `The server answered ${xhr.status}.`));
    });
    xhr.addEventListener("error", () => reject(new Stopped(0, "The connection broke.")));
    xhr.addEventListener("abort", () => reject(new Stopped(-1, "")));
    xhr.send(body ?? null);
  });
}

const tus = (more) => ({ "Tus-Resumable": "1.0.0", ...more });

// --- one file

class Upload {
  offset = 0;
  at = null;
  state = "waiting"; // or running, paused, done, failed
  replace = false;

  constructor(file) {
    this.file = file;
    this.key = keyOf(file);
    this.row = list.appendChild(document.createElement("li"));
    const name = this.row.appendChild(document.createElement("bdi"));
    name.textContent = file.name;
    this.bar = this.row.appendChild(document.createElement("progress"));
    this.bar.max = Math.max(file.size, 1);
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.text = this.row.appendChild(document.createElement("span"));
    this.first = this.row.appendChild(document.createElement("button"));
    this.last = this.row.appendChild(document.createElement("button"));
    for (const button of [this.first, this.last]) button.type = "button";
    this.last.textContent = "Cancel";
    this.last.setAttribute("aria-label", `Cancel ${file.name}`);
    this.first.addEventListener("click", () => this.press());
    this.last.addEventListener("click", () => this.cancel());
    this.become("waiting", "waiting");
  }

  show(bytes) {
    this.bar.value = this.file.size ? bytes : 1;
    this.text.textContent = `${Math.floor((100 * bytes) / Math.max(this.file.size, 1))} %`;
  }

  become(state, text) {
    this.state = state;
    this.row.className = state;
    this.text.textContent = text;
    const label = { waiting: "Pause", running: "Pause", paused: "Resume", failed: this.taken ? "Replace" : "Try again" }[state];
    this.first.hidden = !label || (uploads === "" && state !== "failed");
    this.first.textContent = label ?? "";
    this.first.setAttribute("aria-label", `${label} ${this.file.name}`);
    this.last.hidden = state === "done";
  }

  press() {
    if (this.state === "waiting" || this.state === "running") {
      this.become("paused", "paused");
      this.xhr?.abort();
      this.wake?.();
    } else {
      if (this.taken) {
        this.replace = true;
        this.taken = false;
        this.forget();
      }
      this.become("waiting", "waiting");
      work();
    }
  }

  async cancel() {
    const at = this.at;
    this.become("done", "");
    this.xhr?.abort();
    this.wake?.();
    this.forget();
    this.row.remove();
    tell(`${this.file.name}: canceled`);
    // The server does so itself after a time.
    if (at) await request({}, "DELETE", at, tus()).catch(() => {});
  }

  forget() {
    this.at = null;
    this.offset = 0;
    remember(this.key, null);
  }

  async run() {
    this.become("running", "");
    this.show(this.offset);
    try {
      await (uploads ? this.pieces() : this.whole());
      if (this.state !== "running") return;
      this.forget();
      this.bar.value = this.bar.max;
      this.become("done", "");
      const link = this.row.querySelector("bdi");
      const a = document.createElement("a");
      a.href = here + encodeURIComponent(this.file.name);
      link.replaceWith(a);
      a.append(link);
      this.text.textContent = "uploaded";
      tell(`${this.file.name}: uploaded`);
      fresh.hidden = false;
    } catch (err) {
      if (this.state !== "running") return;
      this.taken = err.status === 412;
      if (!err.passing && err.status > 0) this.forget();
      this.become("failed", err.message);
      tell(`${this.file.name}: ${err.message}`);
    }
  }

  whole() {
    return request(this, "PUT", here + encodeURIComponent(this.file.name), this.replace ? {} : { "If-None-Match": "*" }, this.file);
  }

  // pieces sends the file, and goes on after what passes.
  async pieces() {
    this.at ??= recall(this.key);
    let known = false;
    let lost = 0;
    for (let failed = 0; this.state === "running"; ) {
      const before = this.offset;
      try {
        if (!this.at) {
          await this.begin();
        } else if (!known) {
          const answer = await request(this, "HEAD", this.at, tus());
          if (Number(answer.getResponseHeader("Upload-Length")) !== this.file.size) throw new Stopped(404, "");
          this.offset = Number(answer.getResponseHeader("Upload-Offset"));
        }
        known = true;
        this.show(this.offset);
        if (this.offset >= this.file.size) return;
        const piece = this.file.slice(this.offset, this.offset + pieceSize);
        const answer = await request(this, "PATCH", this.at, tus({ "Upload-Offset": this.offset, "Content-Type": "application/offset+octet-stream" }), piece);
        this.offset = Number(answer.getResponseHeader("Upload-Offset"));
      } catch (err) {
        known = false;
        if (this.state !== "running") return;
        if ((err.status === 404 || err.status === 410) && this.at && lost++ < 2) {
          this.forget();
          continue;
        }
        if (!(err.passing || err.status === 409 && this.at) || failed === pauses.length) throw err;
        this.text.textContent = "waiting for the server";
        await new Promise((resolve) => {
          this.wake = resolve;
          setTimeout(resolve, pauses[failed++]);
        });
        continue;
      }
      if (this.offset > before) failed = 0;
    }
  }

  async begin() {
    const meta = `path ${pathOf(this.file.name)}${this.replace ? "" : ",overwrite Rg=="}`;
    const answer = await request(this, "POST", uploads, tus({ "Upload-Length": this.file.size, "Upload-Metadata": meta }));
    this.at = new URL(answer.getResponseHeader("Location"), location.href).pathname;
    this.offset = 0;
    if (this.file.size) remember(this.key, this.at);
  }
}

// --- all files, one after the other

const all = [];
let working = false;

async function work() {
  if (working) return;
  working = true;
  for (let next; (next = all.find((u) => u.state === "waiting")); ) await next.run();
  working = false;
}

function tell(text) {
  said.textContent = text;
}

function add(files) {
  for (const file of files) {
    const key = keyOf(file);
    if (all.some((u) => u.key === key && u.state !== "done" && u.row.isConnected)) continue;
    document.getElementById(key)?.remove();
    for (const u of all) if (u.state === "done" && u.file.name === file.name) u.row.remove();
    all.push(new Upload(file));
  }
  work();
}

input.addEventListener("change", () => {
  add(input.files);
  input.value = ""; // so that the same file can be chosen again
});

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  area.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) area.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  area.classList.remove("over");
  const files = [];
  for (const item of event.dataTransfer.items) {
    if (item.webkitGetAsEntry?.()?.isDirectory) tell("Directories are not uploaded, only files.");
    else if (item.kind === "file") files.push(item.getAsFile());
  }
  add(files);
});

addEventListener("beforeunload", (event) => {
  if (all.some((u) => u.state === "running")) event.preventDefault();
});

// What an earlier visit has left can go on once its file is chosen again.
function unfinished() {
  let keys = [];
  try {
    keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return;
  }
  for (const key of keys) {
    try {
      const [path, name] = JSON.parse(key.slice(prefix.length));
      if (path !== here) continue;
      const row = list.appendChild(document.createElement("li"));
      row.id = key;
      row.className = "unfinished";
      row.appendChild(document.createElement("bdi")).textContent = name;
      row.appendChild(document.createElement("span")).textContent = "is not complete: choose the same file again to go on";
      const button = row.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = "Forget";
      button.setAttribute("aria-label", `Forget ${name}`);
      button.addEventListener("click", () => {
        const at = recall(key);
        remember(key, null);
        row.remove();
        if (at) request({}, "DELETE", at, tus()).catch(() => {});
      });
    } catch {
      remember(key, null); // not of this script
    }
  }
}

if (uploads) unfinished();
area.hidden = false;
