/** The rail beside the shelf: categories with their groups, language, order. Folded on small screens. */

import type { Category, Group } from '@sicerdas/client';
import { useSignal } from '@preact/signals';
import { languageName, t } from '../lib/i18n.ts';
import { Icon } from './icons.tsx';

const SORTS = ['-likes', '-views', '-created_at', 'title', 'author', 'year', '-year'] as const;
/** The languages of the sample library; others are found by search. */
const LANGUAGES = ['en', 'id', 'ms', 'nl', 'de', 'fr', 'es', 'it', 'ru', 'la', 'grc', 'zh', 'ja', 'sa', 'ar', 'fa', 'jv'];

export type FilterChange = Partial<Record<'q' | 'sort' | 'category_id' | 'group_id' | 'language', string>>;

interface Props {
  categories: Category[];
  groups: Group[];
  query: Record<string, string>;
  sort: string;
  onChange: (values: FilterChange) => void;
}

export function Filters({ categories, groups, query, sort, onChange }: Props) {
  const isOpen = useSignal(false);
  const { category_id = '', group_id = '', language = '' } = query;
  const active = [category_id, group_id, language].filter(Boolean).length;
  return (
    <aside class="filters" data-open={isOpen.value} aria-label={t('library.filters')}>
      <div class="filters__row">
        <label class="field field--inline">
          <span class="field__label">{t('library.sort')}</span>
          <select name="sort" value={sort} onChange={(event) => onChange({ sort: event.currentTarget.value })}>
            {SORTS.map((value) => (
              <option key={value} value={value}>
                {t(`library.sort.${value}`)}
              </option>
            ))}
          </select>
        </label>
        <label class="field field--inline">
          <span class="field__label">{t('library.language')}</span>
          <select name="language" value={language} onChange={(event) => onChange({ language: event.currentTarget.value })}>
            <option value="">{t('library.any')}</option>
            {LANGUAGES.map((code) => (
              <option key={code} value={code}>
                {languageName(code)}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          class="button filters__toggle"
          aria-expanded={isOpen.value}
          onClick={() => (isOpen.value = !isOpen.value)}
        >
          <Icon name="filter" />
          {t('library.category')}
          {active > 0 && <span class="badge">{active}</span>}
        </button>
      </div>
      <Tree categories={categories} groups={groups} categoryId={category_id} groupId={group_id} onChange={onChange} />
      {active > 0 && (
        <button
          type="button"
          class="button button--quiet"
          onClick={() => onChange({ category_id: '', group_id: '', language: '' })}
        >
          {t('library.clear')}
        </button>
      )}
    </aside>
  );
}

interface TreeProps {
  categories: Category[];
  groups: Group[];
  categoryId: string;
  groupId: string;
  onChange: (values: FilterChange) => void;
}

function Tree({ categories, groups, categoryId, groupId, onChange }: TreeProps) {
  return (
    <div class="tree" role="group" aria-label={t('library.category')}>
      <button
        type="button"
        class="tree__item"
        aria-pressed={!categoryId}
        onClick={() => onChange({ category_id: '', group_id: '' })}
      >
        {t('library.any')}
      </button>
      {categories.map(({ id, name, description }) => (
        <div key={id}>
          <button
            type="button"
            class="tree__item"
            title={description ?? undefined}
            aria-pressed={categoryId === String(id)}
            onClick={() => onChange({ category_id: String(id), group_id: '' })}
          >
            {name}
          </button>
          {categoryId === String(id) && (
            <div class="tree__groups" role="group" aria-label={t('library.group')}>
              {groups
                .filter((group) => group.category_id === id)
                .map((group) => (
                  <button
                    key={group.id}
                    type="button"
                    class="tree__item tree__item--group"
                    aria-pressed={groupId === String(group.id)}
                    onClick={() => onChange({ group_id: groupId === String(group.id) ? '' : String(group.id) })}
                  >
                    {group.name}
                  </button>
                ))}
            </div>
          )}
        </div>
      ))}
    </div>
  );
}
