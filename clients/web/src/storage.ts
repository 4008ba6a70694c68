// What the browser keeps for the page. Where site data is blocked, it lasts as long as the page.

class Store {
  private readonly own = new Map<string, string>();

  /** storage: reading the browser's own may throw. */
  constructor(private readonly storage: () => Storage) {}

  get(name: string): string | null {
    const own = this.own.get(name);
    if (own !== undefined) return own;
    try {
      return this.storage().getItem(name);
    } catch {
      return null;
    }
  }

  set(name: string, value: string): void {
    this.own.set(name, value);
    try {
      this.storage().setItem(name, value);
    } catch {
      // It is blocked, or full: the page goes on with its own.
    }
  }
}

/** Kept in this browser. */
export const kept = new Store(() => localStorage);

/** Kept for the tab only. */
export const keptForTab = new Store(() => sessionStorage);
