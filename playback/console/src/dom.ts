/** Making elements: one function, text only as text (nothing from the service is ever read as HTML). */

type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: never) => void)>>;

/**
 * An element with attributes and children. `onclick` and the like add listeners; `true` sets an empty attribute; `false` and undefined
 * leave it out.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string | undefined)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z",
  stepOn: "M6 5l9 7-9 7zM16.5 5h2.5v14h-2.5z",
  stepBack: "M18 5l-9 7 9 7zM5 5h2.5v14H5z",
  camera: "M4 7h3l1.5-2h7L17 7h3v12H4zM12 9.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6z",
  link: "M9.5 15.9l-1.4 1.4a2.5 2.5 0 0 1-3.5-3.5l3.6-3.6a2.5 2.5 0 0 1 3.5 0l1.3-1.3a4.4 4.4 0 0 0-6.2 0l-3.6 3.6a4.4 4.4 0 0 0 6.2 6.2l2.7-2.7a6 6 0 0 1-2.6-.1zM14.5 8.1l1.4-1.4a2.5 2.5 0 0 1 3.5 3.5l-3.6 3.6a2.5 2.5 0 0 1-3.5 0L11 15.100a4.4 4.4 0 0 0 6.2 0l3.6-3.600a4.4 4.4 0 0 0-6.2-6.2l-2.7 2.700a6 6 0 0 1 2.6.1z",
  sound: "M4 9v6h4l5 4.500v-15L8 9zM15.5 8.500a5 5 0 0 1 0 7zM17.5 5.500a9 9 0 0 1 0 13l1.2 1.200a10.7 10.7 0 0 0 0-15.400z",
  muted: "M4 9v6h4l5 4.500v-15L8 9zM16 9l-1.2 1.2 1.8 1.8-1.8 1.800L16 15l1.8-1.8 1.8 1.8 1.2-1.2-1.8-1.8 1.8-1.800L19.6 9l-1.8 1.800z",
  full: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  left: "M15 5l-7 7 7 7 1.5-1.500L11 12l5.5-5.500z",
  right: "M9 5l7 7-7 7-1.5-1.500L13 12 7.5 6.500z",
} as const;

export type IconName = keyof typeof ICONS;

/** An icon, hidden from screen readers: the button around it has the name. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/** A button that shows an icon and is named for the mouse and for screen readers. */
export function iconButton(name: IconName, label: string, onclick: () => void, id?: string): HTMLButtonElement {
  return el("button", { type: "button", class: "icon", title: label, "aria-label": label, id, onclick }, icon(name));
}
