/** The frame around every page, and which page an address shows. */

import { LocationProvider, Route, Router, lazy, useLocation } from 'preact-iso';
import { useEffect } from 'preact/hooks';
import { t } from './lib/i18n.ts';
import { Library } from './pages/Library.tsx';
import { Empty, Toasts } from './ui/feedback.tsx';
import { AddressBanner } from './ui/AddressBanner.tsx';
import { Header } from './ui/Header.tsx';
import { ProofOutlet } from './ui/ProofDialog.tsx';
import { ReportOutlet } from './ui/ReportDialog.tsx';
import { VisitBanner } from './ui/VisitBanner.tsx';

const BookPage = lazy(() => import('./pages/Book.tsx').then((page) => page.BookPage));
const Reader = lazy(() => import('./pages/Reader.tsx').then((page) => page.Reader));
const BookEditor = lazy(() => import('./pages/BookEditor.tsx').then((page) => page.BookEditor));
const TutorPage = lazy(() => import('./pages/Tutor.tsx').then((page) => page.TutorPage));
const Moderation = lazy(() => import('./pages/Moderation.tsx').then((page) => page.Moderation));
const Users = lazy(() => import('./pages/Users.tsx').then((page) => page.Users));
const Audit = lazy(() => import('./pages/Audit.tsx').then((page) => page.Audit));
const Login = lazy(() => import('./pages/Login.tsx').then((page) => page.Login));
const Signup = lazy(() => import('./pages/Login.tsx').then((page) => page.Signup));
const Verify = lazy(() => import('./pages/Mailed.tsx').then((page) => page.Verify));
const Forgot = lazy(() => import('./pages/Mailed.tsx').then((page) => page.Forgot));
const Reset = lazy(() => import('./pages/Mailed.tsx').then((page) => page.Reset));
const SignInByMail = lazy(() => import('./pages/Mailed.tsx').then((page) => page.SignInByMail));
const Account = lazy(() => import('./pages/Account.tsx').then((page) => page.Account));

/** Addresses that the server answers itself are ordinary links. */
const APP_LINKS = /^\/(?!api\/|dev\/|media\/|health\/|metrics)/;

export function App() {
  return (
    <LocationProvider scope={APP_LINKS}>
      <a class="skip" href="#content">
        {t('app.skip')}
      </a>
      <VisitBanner />
      <Header />
      <AddressBanner />
      <main id="content" tabIndex={-1}>
        <Pages />
      </main>
      <ReportOutlet />
      <ProofOutlet />
      <Toasts />
    </LocationProvider>
  );
}

function Pages() {
  const { path } = useLocation();
  useEffect(() => {
    // A page without a heading of its own keeps the plain name.
    document.title = 'sicerdas';
  }, [path]);
  return (
    <Router>
      <Route path="/" component={Library} />
      <Route path="/books/new" component={BookEditor} />
      <Route path="/books/:id" component={BookPage} />
      <Route path="/books/:id/edit" component={BookEditor} />
      <Route path="/books/:id/read/:chapter" component={Reader} />
      <Route path="/tutor" component={TutorPage} />
      <Route path="/tutor/:id" component={TutorPage} />
      <Route path="/moderation" component={Moderation} />
      <Route path="/admin/users" component={Users} />
      <Route path="/admin/audit" component={Audit} />
      <Route path="/login" component={Login} />
      <Route path="/signup" component={Signup} />
      <Route path="/verify" component={Verify} />
      <Route path="/forgot" component={Forgot} />
      <Route path="/reset" component={Reset} />
      <Route path="/sign-in" component={SignInByMail} />
      <Route path="/account" component={Account} />
      <Route default component={NotFound} />
    </Router>
  );
}

function NotFound() {
  return (
    <Empty title={t('app.notFound')} hint={t('app.notFoundHint')}>
      <a class="button" href="/">
        {t('app.backToLibrary')}
      </a>
    </Empty>
  );
}
