"use strict";

const part = (id) => document.getElementById(id);
const STEPS = { decode: "Decode", preprocess: "Crop, resize, normalise", wait: "Wait for the model", infer: "Infer" };
let shown = "";  // address of the overlay on the page, to be released
let turn = 0;  // answers to an earlier photo are dropped

async function ask(path, file) {
  const body = new FormData();
  body.append("file", file);
  let response;
  try {
    response = await fetch(path, { method: "POST", body });
  } catch {
    throw new Error("The server cannot be reached; is it still running?");
  }
  if (response.ok) return response;
  const text = await response.text();
  let problem = `the server answered ${response.status}`;
  try {
    problem = JSON.parse(text).error.replace(/^picture: /, "");
  } catch { /* not ours: a proxy in between */ }
  throw new Error(problem);
}

function fill(table, rows) {
  const body = part(table).tBodies[0];
  body.replaceChildren(...rows.map(([name, number, share]) => {
    const row = document.createElement("tr");
    const [left, right] = [document.createElement("td"), document.createElement("td")];
    left.textContent = name;
    right.textContent = number;
    right.className = "number";
    if (share !== undefined) {
      left.className = "share";
      left.style.setProperty("--share", `${share}%`);
    }
    row.append(left, right);
    return row;
  }));
}

function showAnswer(answer, file, total) {
  fill("classes", answer.top.map((t) => [t.label, `${(100 * t.probability).toFixed(1)} %`, 100 * t.probability]));
  const steps = Object.entries(STEPS).map(([key, name]) => [name, answer.ms[key].toFixed(1)]);
  fill("times", [...steps, ["Whole request, seen from this page", total.toFixed(1)]]);
  part("model").textContent = `${answer.model}, run by ${answer.engine}`;
  part("status").textContent = `${file.name}: ${answer.top[0].label}`;
  part("answer").hidden = false;
}

function showOverlay(image, label) {
  const old = shown;
  shown = URL.createObjectURL(image);
  part("overlay").src = shown;
  part("overlay").alt = `The part of the photo that the network sees; bright where it speaks for ${label}`;
  part("caption").textContent = `What the network sees; bright where it speaks for "${label}".`;
  if (old) URL.revokeObjectURL(old);
}

async function examine(file) {
  const mine = ++turn;
  part("error").hidden = true;
  part("answer").hidden = true;
  part("overlay").removeAttribute("src");
  part("caption").textContent = "";
  part("status").textContent = `Looking at ${file.name} ...`;
  try {
    const start = performance.now();
    const answer = await (await ask("predict?top=5", file)).json();
    if (mine !== turn) return;
    showAnswer(answer, file, performance.now() - start);
    const best = answer.top[0];
    const image = await (await ask(`explain?class=${best.index}`, file)).blob();
    if (mine === turn) showOverlay(image, best.label);
  } catch (error) {
    if (mine !== turn) return;
    part("status").textContent = "";
    part("error").textContent = `${file.name}: ${error.message}`;
    part("error").hidden = false;
  }
}

const drop = part("drop");
part("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) examine(file);
});
part("file").addEventListener("click", (event) => { event.target.value = ""; });  // the same file may be chosen again
part("form").addEventListener("submit", (event) => event.preventDefault());
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name !== "drop" || event.dataTransfer.files.length === 0) return;
    part("file").files = event.dataTransfer.files;
    examine(event.dataTransfer.files[0]);
  });
}
