// Run in each page after its load; answers with what only the rendered page can tell.
(async () => {
  const images = [...document.images];
  for (const image of images) image.loading = "eager";
  await Promise.all(images.map((image) => image.decode().catch(() => {})));
  await document.fonts.ready;

  const faults = [];
  for (const image of images) {
    if (image.naturalWidth === 0) faults.push(`broken image ${image.getAttribute("src")}`);
  }

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const noProse = "code, pre, script, style, noscript, annotation, textarea";
  while (texts.nextNode()) {
    const raw = /\\[a-zA-Z]+|\$\$/.exec(texts.currentNode.data);
    if (raw && !texts.currentNode.parentElement.closest(noProse)) {
      faults.push(`raw TeX: ${texts.currentNode.data.slice(raw.index, raw.index + 40)}`);
    }
  }

  for (const listing of document.querySelectorAll("pre code")) {
    if (listing.textContent.trim() === "") faults.push("an empty listing");
  }

  // mdBook's body hides what overflows it, so look for elements that stick out of the window too,
  // unless something around them scrolls (the column of text itself must not).
  const scrolls = (element) => {
    for (let box = element; !box.matches("main"); box = box.parentElement) {
      if (getComputedStyle(box).overflowX !== "visible" && box.tagName !== "svg") return true;
    }
    return false;
  };
  if (document.documentElement.scrollWidth > innerWidth) {
    faults.push(`the page is ${document.documentElement.scrollWidth} px wide, the window ${innerWidth}`);
  }
  for (const element of document.querySelectorAll("main *")) {
    const box = element.getBoundingClientRect();
    const over = Math.round(box.right - innerWidth);
    if (over > 1 && box.width > 0 && !scrolls(element)) {
      faults.push(`${element.outerHTML.slice(0, 60)} sticks out of the window by ${over} px`);
      break;
    }
  }

  return {
    faults,
    themed: [...document.documentElement.classList],
    sidebar: document.querySelectorAll("#mdbook-sidebar .chapter a").length,
    height: Math.ceil(document.documentElement.scrollHeight),
  };
})()
