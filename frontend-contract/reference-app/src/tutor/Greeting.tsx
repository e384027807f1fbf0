/** The first thing one sees of the tutor: an invitation, and a few questions to begin with. */

import { t, type Key } from '../lib/i18n.ts';
import { info } from '../lib/session.ts';
import { Mark } from '../ui/icons.tsx';

const GENERAL: Key[] = ['tutor.suggest1', 'tutor.suggest2', 'tutor.suggest3'];
const ABOUT_BOOK: Key[] = ['tutor.suggestBook1', 'tutor.suggestBook2'];

export function Greeting({ bookTitle, ask }: { bookTitle: string | null; ask: (text: string) => void }) {
  return (
    <div class="greeting">
      <Mark />
      <p class="greeting__title">
        {bookTitle ? t('tutor.greetingBook', { title: bookTitle }) : t('tutor.greeting')}
      </p>
      <p class="greeting__hint">{t('tutor.greetingHint')}</p>
      {info.value?.model?.demo && (
        <p class="greeting__demo">
          <span class="tag" data-demo>
            {t('tutor.demo')}
          </span>
          {t('tutor.demoHint')}
        </p>
      )}
      <ul class="greeting__ideas">
        {(bookTitle ? ABOUT_BOOK : GENERAL).map((key) => (
          <li key={key}>
            <button type="button" onClick={() => ask(t(key))}>
              {t(key)}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
