/** Puts the pages of /api/docs together: viewers from npm, our two pages, the parsed document. */

import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, 'dist');
const packages = createRequire(import.meta.url);

const VIEWERS = {
  'swagger-ui-bundle.js': ['swagger-ui-dist', 'swagger-ui-bundle.js'],
  'swagger-ui.css': ['swagger-ui-dist', 'swagger-ui.css'],
  'asyncapi.js': ['@asyncapi/react-component', 'browser/standalone/without-parser.js'],
  'asyncapi.css': ['@asyncapi/react-component', 'styles/default.min.css'],
};

await rm(out, { recursive: true, force: true });
await mkdir(out);
await cp(join(here, 'pages'), out, { recursive: true });
for (const [name, [owner, file]] of Object.entries(VIEWERS)) {
  const folder = dirname(packages.resolve(`${owner}/package.json`));
  const source = await readFile(join(folder, file), 'utf8');
  // The source maps are not served: their mention would only make a 404.
  await writeFile(join(out, name), source.replace(/^\/[/*]# sourceMappingURL=.*$/m, ''));
}
// Parsing needs a hundred packages more: `make contract` has done it.
const parsed = JSON.parse(await readFile(join(here, 'asyncapi-parsed.json'), 'utf8'));
await writeFile(join(out, 'asyncapi-parsed.json'), JSON.stringify(parsed));
