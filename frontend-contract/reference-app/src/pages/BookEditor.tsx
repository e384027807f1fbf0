/** For teachers and administrators: making, changing and removing the record of a book. */

import { ApiError, type Book, type BookDraft, type Category, type Group } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { useLocation, useRoute } from 'preact-iso';
import { explain } from '../lib/errors.ts';
import { t } from '../lib/i18n.ts';
import { useLoad } from '../lib/load.ts';
import { useTitle } from '../lib/page.ts';
import { api, canAuthor } from '../lib/session.ts';
import { toast } from '../lib/toast.ts';
import { Cover } from '../ui/Cover.tsx';
import { Confirm } from '../ui/Dialog.tsx';
import { Failed, Guarded, Loading } from '../ui/feedback.tsx';
import { Field } from '../ui/Field.tsx';

export function BookEditor() {
  const { params } = useRoute();
  const id = params['id'] === undefined ? null : Number(params['id']);
  return (
    <div class="page page--narrow">
      <Guarded when={canAuthor.value}>
        <Load key={id} id={id} />
      </Guarded>
    </div>
  );
}

function Load({ id }: { id: number | null }) {
  const { result, again } = useLoad(
    () => Promise.all([id === null ? null : api.books.get(id), api.categories(), api.groups()]),
    [id],
  );
  if (result.state === 'loading') return <Loading />;
  if (result.state === 'failed') return <Failed error={result.error} again={again} />;
  const [book, categories, groups] = result.value;
  return <Form book={book} categories={categories.items} groups={groups.items} />;
}

interface FormProps {
  book: Book | null;
  categories: Category[];
  groups: Group[];
}

function Form({ book, categories, groups }: FormProps) {
  const { route } = useLocation();
  const problem = useSignal<unknown>(null);
  const isBusy = useSignal(false);
  const isDoomed = useSignal(false);
  const categoryId = useSignal(book?.category_id ?? null);
  const heading = book ? t('editor.edit', { title: book.title }) : t('editor.new');
  useTitle(heading);

  async function guard(act: () => Promise<void>) {
    isBusy.value = true;
    problem.value = null;
    try {
      await act();
    } catch (error) {
      problem.value = error;
    }
    isBusy.value = false;
  }

  function submit(event: SubmitEvent) {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    void guard(async () => {
      const draft = toDraft(data);
      const saved = book ? await api.books.update(book.id, draft, book.version) : await api.books.create(draft);
      await sendCover(saved.id, data.get('cover'));
      toast(t('app.saved'));
      route(`/books/${saved.id}`, true);
    });
  }

  const remove = () =>
    guard(async () => {
      if (!book) return;
      await api.books.remove(book.id, book.version);
      toast(t('editor.deleted'));
      route('/', true);
    });

  const fields = problem.value instanceof ApiError ? problem.value.fields : new Map<string, string>();
  return (
    <>
      <h1>{heading}</h1>
      <form class="form form--columns" onSubmit={submit}>
        <Field name="title" label={t('editor.title')} value={book?.title ?? ''} required maxLength={300} problem={fields.get('title')} />
        <Field name="author" label={t('editor.author')} value={book?.author ?? ''} maxLength={200} problem={fields.get('author')} />
        <Pick name="category_id" label={t('editor.category')} options={categories} value={categoryId.value} onPick={(id) => (categoryId.value = id)} />
        <Pick
          key={categoryId.value}
          name="group_id"
          label={t('editor.group')}
          options={groups.filter((group) => group.category_id === categoryId.value)}
          value={book?.group_id ?? null}
        />
        <Field name="year" type="number" label={t('editor.year')} value={book?.year ?? ''} min={-4000} max={2200} problem={fields.get('year')} />
        <Field name="language" label={t('editor.language')} hint={t('editor.languageHint')} value={book?.language ?? ''} pattern="[a-z]{2,3}" problem={fields.get('language')} />
        <Field name="subjects" label={t('editor.subjects')} hint={t('editor.subjectsHint')} value={book?.subjects.join(', ') ?? ''} problem={fields.get('subjects')} />
        <Field name="description" label={t('editor.description')} rows={6} value={book?.description ?? ''} problem={fields.get('description')} />
        <div class="form__cover">
          {book && <Cover book={book} size="small" />}
          <Field name="cover" type="file" label={t('editor.cover')} hint={t('editor.coverHint')} accept="image/jpeg,image/png,image/webp" />
        </div>
        {problem.value !== null && (
          <p class="form__problem" role="alert">
            {sentence(problem.value)}
          </p>
        )}
        <div class="form__actions">
          <button type="submit" class="button button--primary" disabled={isBusy.value}>
            {t('app.save')}
          </button>
          <a class="button" href={book ? `/books/${book.id}` : '/'}>
            {t('app.cancel')}
          </a>
          {book && (
            <button type="button" class="button button--danger" onClick={() => (isDoomed.value = true)}>
              {t('app.delete')}
            </button>
          )}
        </div>
      </form>
      {isDoomed.value && book && (
        <Confirm
          question={t('editor.deleteSure', { title: book.title })}
          action={t('app.delete')}
          onConfirm={remove}
          onClose={() => (isDoomed.value = false)}
        />
      )}
    </>
  );
}

interface PickProps {
  name: string;
  label: string;
  options: { id: number; name: string }[];
  value: number | null;
  onPick?: (id: number | null) => void;
}

function Pick({ name, label, options, value, onPick }: PickProps) {
  return (
    <label class="field">
      <span class="field__label">{label}</span>
      <select name={name} onChange={(event) => onPick?.(Number(event.currentTarget.value) || null)}>
        <option value="">{t('editor.none')}</option>
        {options.map((option) => (
          <option key={option.id} value={option.id} selected={option.id === value}>
            {option.name}
          </option>
        ))}
      </select>
    </label>
  );
}

function toDraft(data: FormData): BookDraft {
  const text = (name: string) => String(data.get(name) ?? '').trim();
  const numeric = (name: string) => (text(name) === '' ? null : Number(text(name)));
  return {
    title: text('title'),
    author: text('author') || null,
    category_id: numeric('category_id'),
    group_id: numeric('group_id'),
    description: text('description') || null,
    year: numeric('year'),
    language: text('language') || null,
    subjects: text('subjects').split(',').map((part) => part.trim()).filter(Boolean),
  };
}

/** The record is saved by then, so a refused picture is told without losing it. */
async function sendCover(id: number, file: FormDataEntryValue | null): Promise<void> {
  if (!(file instanceof File) || file.size === 0) return;
  try {
    await api.books.setCover(id, file);
  } catch (error) {
    toast(t('editor.coverFailed', { why: explain(error) }), 'warn');
  }
}

function sentence(error: unknown): string {
  return error instanceof ApiError && error.status === 412 ? t('editor.stale') : explain(error);
}
