/**
 * A certified OpenID provider on this machine, for the tests and for trying: whoever types an
 * address is that person. An address after `?` is one that the provider never confirmed.
 *
 *   node server.mjs [PORT] [{"par": true, "slim": true, "leash": true}]
 *
 * `par` requires pushed requests; `slim` puts no address into the ID token, as the specification
 * would have it, so that clients ask at userinfo; `leash` ends it with its standard input, so that
 * it dies with whoever started it. Says `ready ISSUER` when it listens.
 */
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const CALLBACK = /^https?:\/\/(localhost|127\.0\.0\.1)(:\d+)?\/api\/v1\/auth\/federated\/[a-z0-9-]+\/callback$/;
const MAX_FORM = 4096;

const options = JSON.parse(process.argv[3] ?? '{}');
if (options.leash) process.stdin.on('end', () => process.exit()).resume();
const server = createServer();
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const issuer = `http://localhost:${server.address().port}`;
  const provider = makeProvider(issuer);
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, response);
    interact(provider, request, response).catch((fault) => {
      response.statusCode = 400;
      response.end(String(fault));
    });
  });
  console.log(`ready ${issuer}`);
});

function makeProvider(issuer) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'sicerdas',
        client_secret: 'a-secret-of-the-local-provider',
        redirect_uris: ['http://localhost/api/v1/auth/federated/local/callback'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: Boolean(options.slim),
    cookies: { keys: ['only-on-this-machine'] },
    features: {
      devInteractions: { enabled: false },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: Boolean(options.par) },
    },
    findAccount: (_context, login) => ({ accountId: login, claims: () => claimsOf(login) }),
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: grantAll,
    pkce: { required: () => true },
    ttl: { Session: 600, Interaction: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
  });
  // The app's port is another on each run.
  provider.Client.prototype.redirectUriAllowed = (uri) => CALLBACK.test(uri);
  return provider;
}

function claimsOf(login) {
  const email = login.replace(/^\?/, '');
  const name = email.split('@')[0];
  return { sub: login, email, email_verified: login === email, name: name[0].toUpperCase() + name.slice(1) };
}

async function grantAll(context) {
  const { client, session } = context.oidc;
  const grant = new context.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid email profile');
  await grant.save();
  return grant;
}

async function interact(provider, request, response) {
  await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    return response.end(PAGE);
  }
  const form = await readForm(request);
  const said = form.has('cancel') ? { error: 'access_denied' } : { login: { accountId: form.get('login') } };
  return provider.interactionFinished(request, response, said, { mergeWithLastSubmission: false });
}

async function readForm(request) {
  let text = '';
  for await (const part of request) {
    text += part;
    if (text.length > MAX_FORM) throw new Error('too long');
  }
  return new URLSearchParams(text);
}

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Local provider</title>
<link rel="icon" href="data:,">
<h1>Local provider</h1>
<form method="post">
  <p><label>Address <input name="login" value="sari@example.org" required></label></p>
  <p><button>Continue</button> <button name="cancel" value="1" formnovalidate>Cancel</button></p>
</form></html>`;
