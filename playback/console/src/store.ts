/** The page's state in one place: parts of it are set, and those who watch a changed part are told, once a turn. */

export class Store<S extends object> {
  private readonly watchers: { readonly keys: readonly (keyof S)[]; readonly tell: () => void }[] = [];
  private changed = new Set<keyof S>();

  constructor(private state: Readonly<S>) {}

  get now(): Readonly<S> {
    return this.state;
  }

  set(part: Partial<S>): void {
    for (const key of Object.keys(part) as (keyof S)[]) {
      if (part[key] === this.state[key]) continue;
      if (this.changed.size === 0) queueMicrotask(() => this.tellAll());
      this.changed.add(key);
    }
    this.state = { ...this.state, ...part };
  }

  /** Calls `tell` now and after each turn in which one of these parts changed. */
  watch(keys: readonly (keyof S)[], tell: () => void): void {
    this.watchers.push({ keys, tell });
    tell();
  }

  private tellAll(): void {
    const changed = this.changed;
    this.changed = new Set();
    for (const watcher of this.watchers) if (watcher.keys.some((key) => changed.has(key))) watcher.tell();
  }
}
