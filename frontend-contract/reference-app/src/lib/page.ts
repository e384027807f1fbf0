/** Names the browser tab after the page. */

import { useEffect } from 'preact/hooks';

export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · sicerdas` : 'sicerdas';
  }, [title]);
}
