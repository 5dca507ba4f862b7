// Ends filling in a field: chooses or marks what is not typed, tells the page, and says whether the
// field now holds what was wanted.
(wanted) => {
  const element = document.querySelector(wanted.selector);
  if (!element) return { fault: "none" };
  const tell = (name) => element.dispatchEvent(new Event(name, { bubbles: true }));
  if (wanted.takes === "choice") {
    const options = [...element.options];
    const option = options.find((it) => it.value === wanted.value) || options.find((it) => it.label.trim() === wanted.value);
    if (!option || option.disabled) return { fault: "choice" };
    element.value = option.value;
    tell("input");
    tell("change");
    return { holds: element.value === option.value };
  }
  if (wanted.takes === "mark") {
    const on = { true: true, on: true, "1": true, false: false, off: false, "0": false }[wanted.value.toLowerCase()];
    if (on === undefined) return { fault: "mark" };
    if (element.checked !== on) element.click();
    return { holds: element.checked === on };
  }
  if (wanted.takes === "value") {
    element.value = wanted.value;
    tell("input");
  }
  tell("change");
  const now = "value" in element ? element.value : element.innerText;
  return { holds: now.replace(/\r?\n/g, "\n").trim() === wanted.value.replace(/\r?\n/g, "\n").trim() };
}
