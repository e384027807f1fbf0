/** Reads and checks asyncapi.json against the official schema and rules of AsyncAPI. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Parser, stringify } from '@asyncapi/parser';

const ERROR = 0;
const WARNING = 1;

/** The document with everything resolved, as the viewer takes it. Throws with every fault named. */
export async function parseAsyncapi(path) {
  const { document, diagnostics } = await new Parser().parse(await readFile(path, 'utf8'));
  const told = diagnostics.filter(({ severity }) => severity <= WARNING);
  const faults = diagnostics.filter(({ severity }) => severity === ERROR);
  if (!document || faults.length > 0) {
    throw new Error(told.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('\n'));
  }
  return { document, told, text: stringify(document) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { told } = await parseAsyncapi(process.argv[2]);
  for (const { message, path } of told) console.log(`${path.join('.')}: ${message}`);
}
