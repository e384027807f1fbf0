/** Checks asyncapi.json against the official schema and rules: node asyncapi.js <file> [<parsed file>]. */

import { readFile, writeFile } from 'node:fs/promises';
import { Parser, stringify } from '@asyncapi/parser';

const ERROR = 0;
const WARNING = 1;

const [source, parsed] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(await readFile(source, 'utf8'));
for (const { severity, path, message } of diagnostics) {
  if (severity <= WARNING) console.log(`${path.join('.')}: ${message}`);
}
if (!document || diagnostics.some(({ severity }) => severity === ERROR)) process.exitCode = 1;
// With everything resolved, as the viewer takes it.
else if (parsed) await writeFile(parsed, `${stringify(document, { space: 1 })}\n`);
