/** Small things remembered in the browser. Storage may be forbidden; then nothing is remembered, and nothing breaks. */

const PREFIX = 'sicerdas.';

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // See above.
  }
}
