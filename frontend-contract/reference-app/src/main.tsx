/** Entry: styles, session, and the first render. */

import './styles/index.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { start } from './lib/session.ts';

void start();
const root = document.getElementById('app');
if (root) render(<App />, root);
