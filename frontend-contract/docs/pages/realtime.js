// The document was parsed and checked when these pages were built.
const answer = await fetch('/api/docs/asyncapi-parsed.json');
AsyncApiStandalone.render(
  { schema: await answer.text(), config: { show: { errors: false, sidebar: true } } },
  document.getElementById('viewer'),
);
