// What is at a selector: whether it is there at all, its text, its place in the window and in the
// document, and for a field what it takes. With `prepare` the element is brought into view and, if it
// takes text, gets the focus with its old text selected.
(wanted) => {
  let element;
  try {
    element = document.querySelector(wanted.selector);
  } catch (error) {
    return { fault: "selector" };
  }
  if (!element) return { fault: "none" };
  if (wanted.prepare) element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const hit = document.elementFromPoint(middle.x, middle.y);
  const tag = element.tagName.toUpperCase();
  let takes = "nothing";
  if (tag === "SELECT") takes = "choice";
  else if (tag === "INPUT" && (element.type === "checkbox" || element.type === "radio")) takes = "mark";
  else if (tag === "INPUT" && element.type === "file") takes = "file";
  else if (tag === "INPUT" && ["date", "time", "datetime-local", "month", "week", "color", "range", "number"].includes(element.type)) takes = "value";
  else if (tag === "INPUT" && ["submit", "button", "image", "reset", "hidden"].includes(element.type)) takes = "nothing";
  else if (tag === "INPUT" || tag === "TEXTAREA") takes = "text";
  else if (element.isContentEditable) takes = "text";
  if (wanted.prepare && takes === "text") {
    element.focus();
    if (element.select) element.select();
    else getSelection().selectAllChildren(element);
  }
  const text = element.innerText ?? element.textContent ?? "";
  const visible = box.width > 0 && box.height > 0 && style.visibility !== "hidden";
  const disabled = element.disabled || (element.readOnly && takes === "text");
  const labelled = [...(element.labels || [])].some((label) => label.contains(hit));
  const covered = hit && !element.contains(hit) && !hit.contains(element) && !labelled;
  return {
    text: text.slice(0, wanted.limit),
    length: text.length,
    takes,
    hindrance: !visible ? "hidden" : disabled ? "disabled" : covered ? "covered" : null,
    x: middle.x,
    y: middle.y,
    area: { x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height },
  };
}
