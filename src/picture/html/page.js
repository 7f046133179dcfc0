// Pans, zooms, searches, and shows what is known of the node that is chosen. Texts are put in as text, never as markup.
"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const { nodes, edges, clusters } = JSON.parse(by("data").textContent);
  const view = by("view"), panel = by("panel"), find = by("find");
  const whole = view.viewBox.baseVal;
  const all = { x: whole.x, y: whole.y, width: whole.width, height: whole.height };
  const drawn = nodes.map((_, at) => by("n" + at));
  const lines = edges.map((_, at) => by("e" + at));
  const at = new Map(nodes.map((node, index) => [node.id, index]));
  const needs = nodes.map(() => []), neededBy = nodes.map(() => []);
  edges.forEach(([from, to, role, text]) => {
    needs[from].push({ node: to, role, text });
    neededBy[to].push({ node: from, role, text });
  });
  const runs = ({ role }) => role === "flow" || role === "data";
  const flows = (end) => end.role === "published" || runs(end);
  const stands = (end) => !flows(end);
  // What flows between containers, or is pulled, moves against its edge.
  const back = (end) => runs(end) || (end.role === "published" && end.text === "pull");
  const middle = drawn.map((element) => {
    const box = element.querySelector(".shape").getBBox(), move = element.transform.baseVal[0].matrix;
    return { x: move.e + box.width / 2, y: move.f + box.height / 2 };
  });
  let chosen = null, stop = 0, matches = [], shown = -1;

  // The view: a part of the drawing.
  const show = (x, y, width, height) => view.setAttribute("viewBox", [x, y, width, height].join(" "));
  const fit = () => show(all.x, all.y, all.width, all.height);
  const scale = () => view.getScreenCTM().a;
  const inDrawing = (x, y) => new DOMPoint(x, y).matrixTransform(view.getScreenCTM().inverse());
  const zoom = (by, point) => {
    const now = view.viewBox.baseVal;
    const factor = Math.min(Math.max(scale() * by, 0.02), 6) / scale();
    point = point || { x: now.x + now.width / 2, y: now.y + now.height / 2 };
    show(point.x - (point.x - now.x) / factor, point.y - (point.y - now.y) / factor, now.width / factor, now.height / factor);
  };
  const pan = (x, y) => {
    const now = view.viewBox.baseVal;
    show(now.x + x, now.y + y, now.width, now.height);
  };
  // Moves the view so that a node is seen, and large enough to be read.
  const bring = (index) => {
    const box = view.getBoundingClientRect(), { x, y } = middle[index];
    if (scale() < 0.6) zoom(0.9 / scale());
    const place = new DOMPoint(x, y).matrixTransform(view.getScreenCTM());
    const seen = place.x > box.left + 80 && place.x < box.right - 80 && place.y > box.top + 40 && place.y < box.bottom - 40;
    if (!seen) pan((place.x - box.left - box.width / 2) / scale(), (place.y - box.top - box.height / 2) / scale());
  };

  const pointers = new Map();
  let moved = 0;
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { size: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  view.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const before = pointers.size === 2 ? spread() : null;
    const [x, y] = [event.clientX - last.x, event.clientY - last.y];
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    moved += Math.hypot(x, y);
    if (moved > 4) view.classList.add("dragged");
    if (before) {
      const now = spread();
      zoom(now.size / before.size, inDrawing(now.x, now.y));
    } else if (moved > 4) pan(-x / scale(), -y / scale());
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    view.classList.remove("dragged");
  };
  addEventListener("pointerup", release);
  addEventListener("pointercancel", release);
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    const step = event.deltaY * (event.deltaMode === 1 ? 20 : 1);
    zoom(Math.exp(-Math.max(-200, Math.min(200, step)) / 400), inDrawing(event.clientX, event.clientY));
  }, { passive: false });
  by("in").onclick = () => zoom(1.4);
  by("out").onclick = () => zoom(1 / 1.4);
  by("fit").onclick = fit;

  // The panel.
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const list = (title, ends) => {
    if (!ends.length) return [];
    const items = ends.map(({ node, role, text }) => {
      const item = make("li"), link = make("a", nodes[node].id);
      link.href = "#" + encodeURIComponent(nodes[node].id);
      item.append(link, make("span", " " + (text || { base: "base", part: "", published: "published", checks: "check", flow: "", data: "" }[role])));
      return item;
    });
    const element = make("ul");
    element.append(...items);
    return [make("h3", title + " (" + ends.length + ")"), element];
  };
  const about = (index) => {
    const node = nodes[index], parts = [];
    const place = node.cluster === null ? "" : " in " + clusters[node.cluster];
    parts.push(make("p", node.kind + place, "kind"));
    if (node.doc) parts.push(make("p", node.doc));
    if (node.state) parts.push(make("p", node.state[1] || node.state[0], "state " + node.state[0]));
    const known = make("dl");
    node.details.forEach(([name, value]) => known.append(make("dt", name), make("dd", value)));
    const [out, into] = [needs[index], neededBy[index]];
    parts.push(known, ...list("Needs", out.filter(stands)), ...list("Needed by", into.filter(stands)));
    const comes = out.filter(back).concat(into.filter(flows).filter((end) => !back(end)));
    const leads = into.filter(back).concat(out.filter(flows).filter((end) => !back(end)));
    return [...parts, ...list("Leads to", leads), ...list("Comes from", comes)];
  };
  const mark = (index) => {
    view.classList.toggle("choosing", index !== null);
    drawn.forEach((element, at) => {
      element.classList.toggle("chosen", at === index);
      element.classList.toggle("near", at === index);
      element.setAttribute("aria-pressed", String(at === index));
    });
    lines.forEach((line, at) => {
      const [from, to] = edges[at], near = index !== null && (from === index || to === index);
      if (line) line.classList.toggle("near", near);
      if (near) [from, to].forEach((end) => drawn[end].classList.add("near"));
    });
  };
  const choose = (index, focus) => {
    chosen = index;
    mark(index);
    by("chosen").textContent = nodes[index].id;
    by("about").replaceChildren(...about(index));
    panel.hidden = false;
    panel.scrollTop = 0;
    rove(index);
    bring(index);
    history.replaceState(null, "", "#" + encodeURIComponent(nodes[index].id));
    if (focus) by("chosen").focus();
  };
  const close = () => {
    if (chosen === null) return;
    const within = panel.contains(document.activeElement), last = chosen;
    chosen = null;
    panel.hidden = true;
    mark(null);
    history.replaceState(null, "", location.pathname + location.search);
    if (within) drawn[last].focus();
  };
  by("close").onclick = close;
  const linked = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    if (at.has(id)) choose(at.get(id), true);
  };
  addEventListener("hashchange", linked);

  // One node at a time is reached with Tab; arrow keys go on from there.
  const rove = (index) => {
    if (drawn[stop]) drawn[stop].setAttribute("tabindex", "-1");
    stop = index;
    drawn[stop].setAttribute("tabindex", "0");
  };
  const ways = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const nearest = (index, [x, y], candidates) => {
    let best = null, least = Infinity;
    candidates.forEach((other) => {
      const [dx, dy] = [middle[other].x - middle[index].x, middle[other].y - middle[index].y];
      const ahead = dx * x + dy * y, aside = Math.abs(dx * y) + Math.abs(dy * x);
      if (other !== index && ahead > 1 && ahead + 2 * aside < least) [best, least] = [other, ahead + 2 * aside];
    });
    return best;
  };
  const walk = (index, way) => {
    const joined = [...needs[index], ...neededBy[index]].map((end) => end.node);
    const along = nearest(index, way, joined);
    // To where no edge leads, a neighbour.
    return along === null ? nearest(index, way, nodes.map((_, at) => at)) : along;
  };
  drawn.forEach((element, index) => {
    const node = nodes[index];
    const state = node.state ? ", " + (node.state[1] || node.state[0]) : "";
    element.setAttribute("role", "button");
    element.setAttribute("tabindex", index ? "-1" : "0");
    element.setAttribute("aria-pressed", "false");
    element.setAttribute("aria-label", node.id + ", " + node.kind + state + ", needs " + needs[index].filter(stands).length + ", needed by " + neededBy[index].filter(stands).length);
    element.addEventListener("click", () => moved > 4 || choose(index, false));
    element.addEventListener("focus", () => { rove(index); if (element.matches(":focus-visible")) bring(index); });
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") choose(index, true);
      else if (ways[event.key]) {
        const next = walk(index, ways[event.key]);
        if (next !== null) drawn[next].focus();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  });
  view.addEventListener("click", (event) => {
    if (moved <= 4 && !event.target.closest(".node")) close();
  });

  // Searching.
  const search = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (node) => words.every((word) => (node.id + " " + node.kind + " " + (node.state ? node.state[1] : "")).toLowerCase().includes(word));
    matches = words.length ? nodes.map((_, at) => at).filter((at) => fits(nodes[at])) : [];
    shown = -1;
    view.classList.toggle("searched", words.length > 0);
    const found = new Set(matches);
    drawn.forEach((element, at) => element.classList.toggle("match", found.has(at)));
    by("found").textContent = words.length ? matches.length + " found" : "";
  };
  const next = (step) => {
    if (!matches.length) return;
    shown = shown < 0 && step < 0 ? matches.length - 1 : (shown + step + matches.length) % matches.length;
    by("found").textContent = shown + 1 + " of " + matches.length;
    choose(matches[shown], false);
  };
  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      next(event.shiftKey ? -1 : 1);
    }
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      find.value = "";
      search();
      if (drawn[stop]) drawn[stop].focus();
    }
  });
  by("search").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === find) return;
    const done = {
      "/": () => find.select(), Escape: close, "0": fit,
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4),
    }[event.key];
    if (done) {
      event.preventDefault();
      done();
    }
  });

  // Paper has no room to move in.
  let before = null;
  addEventListener("beforeprint", () => { before = view.getAttribute("viewBox"); fit(); });
  addEventListener("afterprint", () => view.setAttribute("viewBox", before));
  // A small screen is for the picture.
  if (innerWidth <= 700) by("legend").open = false;
  linked();
})();
