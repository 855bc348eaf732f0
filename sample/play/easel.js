// The easel: a square canvas to draw on, with a photo below the ink, and a hole above both.
// Its value is JSON: {"image": PNG, "hole": PNG or ""}, both as data addresses.
const root = element.querySelector(".easel"), holed = root.dataset.hole === "true";
const paint = element.querySelector(".paint"), hole = element.querySelector(".hole");
const said = element.querySelector(".said"), file = element.querySelector("input[type=file]");
const side = paint.width, pen = {colour: "#000000", width: 26, on: holed ? hole : paint};
const before = [];  // for undo: copies of both canvases
let last = null;

const copy = () => [paint, hole].map(c => {
  const twin = new OffscreenCanvas(side, side);
  twin.getContext("2d").drawImage(c, 0, 0);
  return twin;
});
const remember = () => { before.push(copy()); if (before.length > 20) before.shift(); };
const send = () => { props.value = JSON.stringify(
  {image: paint.toDataURL("image/png"), hole: holed ? hole.toDataURL("image/png") : ""}); };
const blank = () => {
  const ink = paint.getContext("2d");
  ink.fillStyle = "white"; ink.fillRect(0, 0, side, side);
  hole.getContext("2d").clearRect(0, 0, side, side);
};
const place = e => {
  const box = paint.getBoundingClientRect();
  return [(e.clientX - box.left) * side / box.width, (e.clientY - box.top) * side / box.height];
};
const stroke = (a, b) => {
  const ink = pen.on.getContext("2d");
  ink.strokeStyle = pen.on === hole ? "#e5097f" : pen.colour;
  ink.lineWidth = pen.on === hole ? 2 * pen.width : pen.width;
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath(); ink.moveTo(...a); ink.lineTo(...b); ink.stroke();
};
const show = picture => {  // the middle of it, as a square
  const [w, h] = [picture.naturalWidth || picture.width, picture.naturalHeight || picture.height];
  const least = Math.min(w, h), ink = paint.getContext("2d");
  remember(); blank();
  ink.imageSmoothingQuality = "high";
  ink.drawImage(picture, (w - least) / 2, (h - least) / 2, least, least, 0, 0, side, side);
  send();
};
const read = async given => {
  said.textContent = "";
  if (!given) return;
  try {
    if (given.size > 30e6) throw 0;
    show(await createImageBitmap(given));
  } catch {
    said.textContent = `${given.name} cannot be read as an image; drop a PNG or JPEG of at most 30 MB.`;
  }
};
const choose = (button, on) => {
  element.querySelectorAll(".pen").forEach(b => b.classList.toggle("chosen", b === button));
  pen.on = on;
  if (button.dataset.colour) pen.colour = button.dataset.colour;
};

const board = element.querySelector(".board");
board.addEventListener("pointerdown", e => {
  e.preventDefault(); board.setPointerCapture(e.pointerId);
  remember(); last = place(e); stroke(last, last);
});
board.addEventListener("pointermove", e => {
  if (!last) return;
  for (const part of e.getCoalescedEvents?.() ?? [e]) { const to = place(part); stroke(last, to); last = to; }
});
for (const end of ["pointerup", "pointercancel"])
  board.addEventListener(end, () => { if (last) { last = null; send(); } });
board.addEventListener("dragover", e => e.preventDefault());
board.addEventListener("drop", e => { e.preventDefault(); read(e.dataTransfer.files[0]); });
file.addEventListener("change", () => { read(file.files[0]); file.value = ""; });
element.addEventListener("click", e => {
  const hit = e.target.closest("button, .sample");
  if (!hit) return;
  if (hit.matches(".pen")) choose(hit, hit.dataset.hole ? hole : paint);
  if (hit.matches(".photo")) file.click();
  if (hit.matches(".clear")) { remember(); blank(); send(); }
  if (hit.matches(".undo") && before.length) {
    const [ink, gap] = before.pop();
    for (const [canvas, old] of [[paint, ink], [hole, gap]]) {
      canvas.getContext("2d").clearRect(0, 0, side, side);
      canvas.getContext("2d").drawImage(old, 0, 0);
    }
    send();
  }
  if (hit.matches(".sample")) show(hit);
});
element.querySelector(".width").addEventListener("input", e => { pen.width = +e.target.value; });
const example = k => {
  const sample = element.querySelectorAll(".sample")[k];
  sample.decode().then(() => show(sample));
};
const obey = () => {  // Python asks for a sample; a tab that is shown again brings its own image
  const asked = JSON.parse(props.value || "{}");
  if ("example" in asked) example(asked.example);
  if (asked.image) for (const [canvas, data] of [[paint, asked.image], [hole, asked.hole]]) {
    const old = new Image();
    old.onload = () => canvas.getContext("2d").drawImage(old, 0, 0);
    if (data) old.src = data;
  }
};
blank();
element.querySelector(".pen").classList.add("chosen");
obey();
watch("value", obey);
