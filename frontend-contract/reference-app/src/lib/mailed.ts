/** The token of a mailed link: it stands in the fragment, which no server is told. */

/** Read once; then the address in the history holds it no more. */
export function takeToken(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  if (token) history.replaceState(history.state, '', location.pathname + location.search);
  return token;
}
