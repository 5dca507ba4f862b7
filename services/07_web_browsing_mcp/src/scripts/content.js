// The text of the document: as people see it, as HTML, or as Markdown. Gives the beginning and the
// length of the whole in characters. Addresses in Markdown are absolute.
(wanted) => {
  const cut = (content) => ({
    content: content.slice(0, wanted.limit),
    length: content.length,
    url: document.URL,
  });
  if (wanted.format === "html") {
    return cut(document.documentElement ? document.documentElement.outerHTML : "");
  }
  if (!document.body) return cut("");
  if (wanted.format === "text") return cut(document.body.innerText);

  const SKIPPED = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD", "SVG", "CANVAS", "IFRAME"]);
  const BLOCKS = new Set(["ADDRESS", "ARTICLE", "ASIDE", "DETAILS", "DIV", "DL", "DT", "DD", "FIELDSET",
    "FIGCAPTION", "FIGURE", "FOOTER", "FORM", "HEADER", "MAIN", "NAV", "P", "SECTION", "SUMMARY"]);
  const MAX_DEPTH = 200;
  let budget = wanted.limit * 4;
  const flat = (text) => text.replace(/\s+/g, " ");
  const hidden = (element) => {
    const style = getComputedStyle(element);
    return style.display === "none" || style.visibility === "hidden";
  };
  const block = (text) => (text.trim() ? `\n\n${text.trim()}\n\n` : "");
  const inner = (node, depth) => {
    let text = "";
    for (const child of node.childNodes) {
      if (budget <= 0) break;
      text += walk(child, depth + 1);
    }
    return text;
  };
  const list = (element, depth) => {
    let text = "";
    let number = element.tagName === "OL" ? element.start || 1 : 0;
    for (const item of element.children) {
      const mark = number ? `${number++}. ` : "- ";
      const lines = inner(item, depth + 1).trim().replace(/\n{2,}/g, "\n").split("\n");
      if (lines.join("")) text += mark + lines.join(`\n${" ".repeat(mark.length)}`) + "\n";
    }
    return block(text);
  };
  const table = (element, depth) => {
    const rows = [...element.rows].map((row) =>
      [...row.cells].map((cell) => flat(inner(cell, depth + 1)).trim().replace(/\|/g, "\\|")));
    if (!rows.length) return "";
    const width = Math.max(...rows.map((row) => row.length));
    const line = (cells) => `| ${[...cells, ...Array(width - cells.length).fill("")].join(" | ")} |`;
    const [first, ...others] = rows;
    return block([line(first), line(Array(width).fill("---")), ...others.map(line)].join("\n"));
  };
  const marked = (mark, text) => (text.trim() ? `${mark}${text.trim()}${mark}` : text);
  function walk(node, depth) {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = flat(node.data);
      budget -= text.length;
      return text;
    }
    if (node.nodeType !== Node.ELEMENT_NODE || depth > MAX_DEPTH) return "";
    const tag = node.tagName.toUpperCase();
    if (SKIPPED.has(tag) || hidden(node)) return "";
    if (/^H[1-6]$/.test(tag)) return block(`${"#".repeat(+tag[1])} ${flat(inner(node, depth)).trim()}`);
    switch (tag) {
      case "BR": return "\n";
      case "HR": return block("---");
      case "A": {
        const text = flat(inner(node, depth)).trim();
        return text && /^https?:/.test(node.href) ? `[${text}](${node.href})` : text;
      }
      case "IMG": return node.alt ? `![${flat(node.alt)}](${node.currentSrc || node.src})` : "";
      case "B": case "STRONG": return marked("**", inner(node, depth));
      case "I": case "EM": return marked("_", inner(node, depth));
      case "CODE": case "KBD": return marked("`", node.textContent);
      case "PRE": return block("```\n" + node.textContent.replace(/\n$/, "") + "\n```");
      case "BLOCKQUOTE": return block(inner(node, depth).trim().replace(/\n{3,}/g, "\n\n").replace(/^/gm, "> "));
      case "UL": case "OL": return list(node, depth);
      case "TABLE": return table(node, depth);
      case "INPUT": case "TEXTAREA": return node.type === "password" || node.type === "hidden" ? "" : ` ${node.value} `;
      default: return BLOCKS.has(tag) ? block(inner(node, depth)) : inner(node, depth);
    }
  }
  const text = walk(document.body, 0);
  return cut(text.replace(/[ \t]+\n/g, "\n").replace(/\n{3,}/g, "\n\n").trim());
}
