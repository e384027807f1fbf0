// Unpacks the packed Chromium, its libraries and fonts into the given folder. The package writes to the
// temporary folder of the system, which other users share; so that folder is named anew first.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const target = process.argv[2];
mkdirSync(target, { recursive: true });
process.env.TMPDIR = target;
const { default: chromium, inflate } = await import('@sparticuz/chromium');
const packed = join(fileURLToPath(import.meta.resolve('@sparticuz/chromium')), '..', '..', 'bin');
await chromium.executablePath(packed);
await inflate(join(packed, 'al2023.tar.br'));
// Its own configuration looks for the fonts where another machine would have them.
writeFileSync(
  join(target, 'fonts', 'fonts.conf'),
  `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>${join(target, 'fonts')}</dir><cachedir>${join(target, 'fonts-cache')}</cachedir></fontconfig>\n`,
);
