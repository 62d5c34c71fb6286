import { control, type Control } from "./controls.ts";
import { html, rich } from "./dom.ts";
import { Figure } from "./figure.ts";
import { Values, fromText, toText } from "./state.ts";
import type { Place, Spec } from "./types.ts";
import { formatHash, parseHash } from "./url.ts";

/** The static page: every `.kexue-explorer` is brought to life; the grid in the page answers. */

const REMEMBERED_AFTER = 350;

class Page {
  readonly spec: Spec;
  readonly root: HTMLElement;
  private readonly values: Values;
  private readonly figure: Figure;
  private readonly controls: Control[];
  private timer = 0;

  constructor(root: HTMLElement, spec: Spec) {
    this.spec = spec;
    this.root = root;
    this.values = new Values(spec);
    this.figure = new Figure(spec, this.values);
    this.controls = spec.controls.map((c) => control(c, (at, since) => this.go({ [c.name]: at }, since)));
    const panel = html("div", { class: "kxe-controls" }, ...this.controls.map((c) => c.root));
    const body = html("div", { class: "kxe", role: "group", "aria-label": spec.title }, this.figure.root, panel, this.buttons());
    root.append(body);
    this.figure.watch();
    new IntersectionObserver((e) => (body.dataset["onScreen"] = e.at(-1)!.isIntersecting ? "yes" : "no")).observe(body);
    this.show();
    this.lanes();
    new ResizeObserver(() => this.lanes()).observe(panel);
  }

  private buttons(): HTMLElement {
    const button = (label: string, cls: string, act: (b: HTMLButtonElement, since: number) => void): HTMLButtonElement => {
      const b = html("button", { type: "button", class: cls, "data-lm-suppress-shortcuts": "true" }, ...rich(label));
      b.addEventListener("click", (e) => act(b, e.timeStamp));
      return b;
    };
    const presets = this.spec.presets.map(([label, at]) => button(label, "kxe-preset", (_, since) => this.go({ ...this.start(), ...at }, since)));
    const row = html("div", { class: "kxe-buttons" });
    if (presets.length) row.append(html("span", { class: "kxe-try" }, "Try:"), ...presets);
    const reset = button("Reset", "kxe-quiet", (_, since) => this.go(this.start(), since));
    const copy = button("Copy link", "kxe-quiet", (b) => void this.copy(b));
    row.append(html("span", { class: "kxe-tools" }, reset, copy));
    return row;
  }

  private start(): Place {
    return Object.fromEntries(this.spec.controls.map((c) => [c.name, c.start]));
  }

  private go(at: Place, since: number): void {
    this.values.move(at);
    this.show();
    this.figure.invalidate(since);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.remember(), REMEMBERED_AFTER);
  }

  private show(): void {
    for (const c of this.controls) c.show(this.values.at[c.spec.name]!);
  }

  /** This figure's state in the address, beside the states of others; at the start it leaves the address. */
  private remember(): void {
    const others = parseHash(location.hash).filter((w) => w.name !== this.spec.name);
    const mine = this.state();
    const states = Object.keys(mine.values).length ? [...others, mine] : others;
    if (!states.length && !parseHash(location.hash).length) return;
    try {
      history.replaceState(history.state, "", states.length ? `#${formatHash(states)}` : location.pathname + location.search);
    } catch {
      // some browsers refuse this for files; the figure works without
    }
  }

  /** What differs from the start. */
  private state(): { name: string; values: Record<string, string> } {
    const moved = this.spec.controls.filter((c) => Math.abs(this.values.at[c.name]! - c.start) > 1e-9);
    return { name: this.spec.name, values: Object.fromEntries(moved.map((c) => [c.name, toText(c, this.values.at[c.name]!)])) };
  }

  private async copy(b: HTMLButtonElement): Promise<void> {
    const all = Object.fromEntries(this.spec.controls.map((c) => [c.name, toText(c, this.values.at[c.name]!)]));
    const link = `${location.href.replace(/#.*$/, "")}#${formatHash([{ name: this.spec.name, values: all }])}`;
    try {
      await navigator.clipboard.writeText(link);
      b.textContent = "Copied";
    } catch {
      // no clipboard (a file, an old browser): the address line has the link instead
      location.replace(link);
      b.textContent = "In the address";
    }
    window.setTimeout(() => (b.textContent = "Copy link"), 1600);
  }

  /** The state that an address asks for: named controls are set, the others stay. */
  apply(values: Record<string, string>, since: number): void {
    const at: Place = {};
    for (const c of this.spec.controls) {
      const found = values[c.name] === undefined ? null : fromText(c, values[c.name]!);
      if (found !== null) at[c.name] = found;
    }
    this.go(at, since);
  }

  /** Bring it into view if no good part of it is there. */
  reveal(): void {
    const box = this.figure.root.getBoundingClientRect();
    const seen = Math.min(box.bottom, innerHeight) - Math.max(box.top, 0);
    if (seen > 0.6 * Math.min(box.height, innerHeight)) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.root.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  }

  /** Labels of critical values that would touch go to a second line. */
  private lanes(): void {
    for (const axis of this.root.querySelectorAll<HTMLElement>(".kxe-axis-row")) {
      const taken: number[][] = [[], []];
      const boxes = [...axis.querySelectorAll<HTMLElement>(".kxe-limit, .kxe-critical")].map((e) => ({ e, box: e.getBoundingClientRect() }));
      let used = 0;
      for (const { e, box } of boxes) {
        const free = (lane: number): boolean => taken[lane]!.every((_, i, l) => i % 2 === 1 || box.right + 4 < l[i]! || box.left - 4 > l[i + 1]!);
        const lane = free(0) ? 0 : 1;
        taken[lane]!.push(box.left, box.right);
        used = Math.max(used, lane);
        e.style.setProperty("--kxe-lane", String(lane));
      }
      axis.style.setProperty("--kxe-lanes", String(used + 1));
    }
  }
}

function boot(): void {
  const pages: Page[] = [];
  for (const root of document.querySelectorAll<HTMLElement>(".kexue-explorer:not([data-ready])")) {
    root.dataset["ready"] = "yes";
    root.classList.add("kxe-js");
    try {
      pages.push(new Page(root, JSON.parse(root.querySelector("script[type='application/json']")!.textContent!) as Spec));
    } catch (e) {
      root.classList.remove("kxe-js"); // the pictures are still there
      console.error(e);
    }
  }
  const follow = (hash: string, reveal: boolean): boolean => {
    let any = false;
    for (const wanted of parseHash(hash)) {
      const page = pages.find((p) => p.spec.name === wanted.name);
      page?.apply(wanted.values, performance.now());
      if (page && reveal && !any) page.reveal();
      any ||= page !== undefined;
    }
    return any;
  };
  follow(location.hash, true);
  window.addEventListener("hashchange", () => follow(location.hash, true));
  document.addEventListener("click", (e) => {
    const link = (e.target as Element).closest<HTMLAnchorElement>('a[href*="#"]');
    if (!link || e.defaultPrevented || e.ctrlKey || e.metaKey || e.shiftKey) return;
    const href = link.getAttribute("href")!;
    if (href.startsWith("#") && follow(href, true)) e.preventDefault();
  });
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", boot);
else boot();
