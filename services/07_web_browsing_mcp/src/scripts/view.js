// The size of the window and of the document, and how far it is scrolled; scrolls first when asked to.
(wanted) => {
  if (wanted) scrollBy({ left: wanted.x, top: wanted.y, behavior: "instant" });
  const root = document.scrollingElement || document.documentElement;
  return {
    x: scrollX,
    y: scrollY,
    width: innerWidth,
    height: innerHeight,
    full_width: Math.max(innerWidth, root ? root.scrollWidth : 0),
    full_height: Math.max(innerHeight, root ? root.scrollHeight : 0),
  };
}
