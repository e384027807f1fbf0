/** The bar on top: where one can go, how the connection is, language, theme, account. */

import { useSignal } from '@preact/signals';
import { useLocation } from 'preact-iso';
import { useEffect } from 'preact/hooks';
import { language, languages, speak, t, type Key } from '../lib/i18n.ts';
import { leave } from '../lib/leave.ts';
import { queue, useQueue } from '../lib/queue.ts';
import { canAuthor, isAdmin, isStaff, link, me } from '../lib/session.ts';
import { initials, nameOf } from '../lib/text.ts';
import { theme, wear, type Theme } from '../lib/theme.ts';
import { Icon, Mark, type IconName } from './icons.tsx';

export function Header() {
  const { path } = useLocation();
  const isOpen = useSignal(false);
  useEffect(() => {
    isOpen.value = false;
  }, [path]);
  return (
    <header class="top">
      <div class="top__bar">
        <a class="brand" href="/">
          <Mark />
          <span>sicerdas</span>
        </a>
        <Links path={path} isOpen={isOpen.value} />
        <div class="top__tools">
          <LinkLamp />
          <LanguageSwitch />
          <ThemeSwitch />
          <AccountCorner />
          <button
            type="button"
            class="icon-button top__menu"
            aria-expanded={isOpen.value}
            aria-controls="navigation"
            aria-label={t('nav.menu')}
            onClick={() => (isOpen.value = !isOpen.value)}
          >
            <Icon name={isOpen.value ? 'close' : 'menu'} />
          </button>
        </div>
      </div>
    </header>
  );
}

function Links({ path, isOpen }: { path: string; isOpen: boolean }) {
  const entries: { href: string; key: Key; icon: IconName; isShown: boolean }[] = [
    { href: '/', key: 'nav.library', icon: 'book', isShown: true },
    { href: '/tutor', key: 'nav.tutor', icon: 'chat', isShown: true },
    { href: '/moderation', key: 'nav.moderation', icon: 'shield', isShown: isStaff.value },
    { href: '/admin/users', key: 'nav.users', icon: 'people', isShown: isAdmin.value },
    { href: '/books/new', key: 'nav.newBook', icon: 'plus', isShown: canAuthor.value },
  ];
  return (
    <nav id="navigation" class="top__links" aria-label={t('nav.main')} data-open={isOpen}>
      {entries
        .filter(({ isShown }) => isShown)
        .map(({ href, key, icon }) => (
          <a key={href} href={href} aria-current={isHere(path, href) ? 'page' : undefined}>
            <Icon name={icon} />
            {t(key)}
            {href === '/moderation' && <PendingBadge />}
          </a>
        ))}
    </nav>
  );
}

function isHere(path: string, href: string): boolean {
  if (href === '/') return path === '/' || /^\/books\/\d/.test(path);
  return path === href || path.startsWith(`${href}/`);
}

function PendingBadge() {
  useQueue();
  const { pending } = queue.value;
  return pending > 0 ? (
    <span class="badge" key={pending}>
      {pending}
    </span>
  ) : null;
}

function LinkLamp() {
  const state = link.value;
  const text = t(`link.${state}`);
  const isBad = state === 'offline' || state === 'closed';
  return (
    <span class="lamp" data-state={state} role="status" title={text}>
      <span class="lamp__dot" aria-hidden="true" />
      <span class={isBad ? 'lamp__text' : 'lamp__text lamp__text--short'}>{text}</span>
    </span>
  );
}

function LanguageSwitch() {
  return (
    <label class="pick" title={t('nav.language')}>
      <Icon name="globe" />
      <span class="hidden">{t('nav.language')}</span>
      <select
        value={language.value}
        onChange={(event) => speak(event.currentTarget.value === 'id' ? 'id' : 'en')}
      >
        {languages.map(({ code, name }) => (
          <option key={code} value={code} lang={code} label={name}>
            {name}
          </option>
        ))}
      </select>
      <span class="pick__short" aria-hidden="true">
        {language.value.toUpperCase()}
      </span>
    </label>
  );
}

const NEXT_THEME: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };

function ThemeSwitch() {
  const icon: IconName = theme.value === 'dark' ? 'moon' : 'sun';
  const text = `${t('nav.theme')}: ${t(`theme.${theme.value}`)}`;
  return (
    <button
      type="button"
      class="icon-button theme"
      data-theme={theme.value}
      aria-label={text}
      title={text}
      onClick={() => wear(NEXT_THEME[theme.value])}
    >
      <Icon name={icon} />
    </button>
  );
}

function AccountCorner() {
  const user = me.value;
  const { route } = useLocation();
  if (user === undefined) return <span class="avatar avatar--waiting" aria-hidden="true" />;
  if (user === null) {
    return (
      <a class="button button--small" href="/login">
        {t('nav.login')}
      </a>
    );
  }
  return (
    <div class="corner">
      <a class="avatar" href="/account" aria-label={`${t('nav.account')}: ${nameOf(user)}`} title={nameOf(user)}>
        {initials(nameOf(user))}
      </a>
      <button type="button" class="button button--quiet button--small corner__out" onClick={() => leave(route)}>
        {t('nav.logout')}
      </button>
    </div>
  );
}
