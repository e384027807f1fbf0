/** Checks openapi.json against the official schema of OpenAPI 3.1. */

import { readFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';

const { valid, errors } = await new Validator().validate(JSON.parse(await readFile(process.argv[2], 'utf8')));
if (!valid) {
  console.log(JSON.stringify(errors, null, 2));
  process.exitCode = 1;
}
