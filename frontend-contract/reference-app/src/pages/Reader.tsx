/** The reader: one chapter, set to be read; a cited passage is found and marked. */

import type { Chapter, ChapterTitle, Passage } from '@sicerdas/client';
import { useLocation, useRoute } from 'preact-iso';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api } from '../lib/session.ts';
import { isPanelOpen, TutorPanel, TutorToggle } from '../tutor/TutorPanel.tsx';
import { Failed, Loading } from '../ui/feedback.tsx';
import { Icon } from '../ui/icons.tsx';

export function Reader() {
  const { params } = useRoute();
  const id = Number(params['id']);
  const number = Number(params['chapter']);
  const about = useLoad(() => Promise.all([api.books.get(id), api.books.chapters(id)]), [id]).result;
  const { result, again } = useLoad(() => api.books.chapter(id, number), [id, number]);
  const title = about.state === 'ready' ? about.value[0].title : '';
  useTitle(result.state === 'ready' ? `${result.value.title} · ${title}` : title);
  return (
    <div class="beside">
      <article class="reader">
        <nav class="reader__bar" aria-label={t('reader.contents')}>
          <a class="reader__book" href={`/books/${id}`}>
            <Icon name="left" />
            {title || t('reader.toBook')}
          </a>
          {about.state === 'ready' && <ChapterPick bookId={id} current={number} chapters={about.value[1].items} />}
          <TutorToggle />
        </nav>
        {result.state === 'loading' && <Loading />}
        {result.state === 'failed' && <Failed error={result.error} again={again} />}
        {result.state === 'ready' && <Text key={`${id}/${number}`} chapter={result.value} />}
      </article>
      {title && <TutorPanel bookId={id} title={title} />}
    </div>
  );
}

function ChapterPick({ bookId, current, chapters }: { bookId: number; current: number; chapters: ChapterTitle[] }) {
  const { route } = useLocation();
  return (
    <label class="reader__pick">
      <span class="hidden">{t('reader.contents')}</span>
      <select value={current} onChange={(event) => route(`/books/${bookId}/read/${event.currentTarget.value}`)}>
        {chapters.map(({ number, title }) => (
          <option key={number} value={number}>
            {number}. {title}
          </option>
        ))}
      </select>
    </label>
  );
}

function Text({ chapter }: { chapter: Chapter }) {
  const { url } = useLocation();
  const body = useRef<HTMLDivElement>(null);
  const marked = new URL(url, location.origin).hash || location.hash;
  useEffect(() => {
    if (!marked) return;
    const passage = document.getElementById(decodeURIComponent(marked.slice(1)));
    // On a small screen the tutor lies over the text it has just cited.
    if (!matchMedia('(min-width: 1140px)').matches) isPanelOpen.value = false;
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    passage?.scrollIntoView({ block: 'center', behavior: isCalm ? 'auto' : 'smooth' });
    passage?.focus({ preventScroll: true });
  }, [marked, chapter]);
  return (
    <>
      <header class="reader__head">
        <p>{t('reader.chapter', { n: chapter.number })}</p>
        <h1>{chapter.title}</h1>
      </header>
      <div class="prose" ref={body}>
        {chapter.passages.map((passage) => (
          <PassageBlock
            key={passage.id}
            passage={passage}
            isMarked={marked === `#p${passage.id}`}
            path={`/books/${chapter.book_id}/read/${chapter.number}`}
          />
        ))}
      </div>
      <Turns chapter={chapter} />
    </>
  );
}

function PassageBlock({ passage, isMarked, path }: { passage: Passage; isMarked: boolean; path: string }) {
  const anchor = `p${passage.id}`;
  return (
    <section
      id={anchor}
      class={`passage passage--${passage.kind}`}
      data-marked={isMarked || undefined}
      tabIndex={isMarked ? -1 : undefined}
      aria-label={isMarked ? t('reader.cited') : undefined}
    >
      {passage.kind !== 'heading' && (
        <a class="passage__anchor" href={`${path}#${anchor}`} aria-label={t('reader.passageLink')} tabIndex={-1}>
          ¶
        </a>
      )}
      {/* The server made this from Markdown and let only a short list of elements pass. */}
      <div dangerouslySetInnerHTML={{ __html: passage.html }} />
    </section>
  );
}

function Turns({ chapter }: { chapter: Chapter }) {
  const base = `/books/${chapter.book_id}/read`;
  return (
    <nav class="turns" aria-label={t('reader.chapter', { n: chapter.number })}>
      {chapter.prev !== null ? (
        <a class="button" href={`${base}/${chapter.prev}`} rel="prev">
          <Icon name="left" />
          {t('reader.previous')}
        </a>
      ) : (
        <span />
      )}
      {chapter.next !== null && (
        <a class="button button--primary" href={`${base}/${chapter.next}`} rel="next">
          {t('reader.next')}
          <Icon name="right" />
        </a>
      )}
    </nav>
  );
}
