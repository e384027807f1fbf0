/** A labelled input with a hint and a problem, wired for screen readers. */

import type { InputHTMLAttributes } from 'preact';
import { useId } from 'preact/hooks';

interface Props {
  name: string;
  label: string;
  type?: 'text' | 'email' | 'password' | 'number' | 'file' | 'date' | 'datetime-local';
  value?: string | number;
  hint?: string;
  problem?: string | undefined;
  autocomplete?: string;
  required?: boolean;
  minLength?: number;
  maxLength?: number;
  min?: number;
  max?: number;
  pattern?: string;
  accept?: string;
  rows?: number;
  inputMode?: 'numeric';
}

export function Field({ name, label, hint, problem, rows, type = 'text', ...rest }: Props) {
  const id = useId();
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(' ');
  const shared = {
    id,
    name,
    ...rest,
    'aria-invalid': problem ? ('true' as const) : undefined,
    'aria-describedby': described || undefined,
  };
  return (
    <div class="field">
      <label class="field__label" for={id}>
        {label}
      </label>
      {rows ? <textarea {...withoutInputOnly(shared)} rows={rows} /> : <input {...({ ...shared, type } as InputHTMLAttributes<HTMLInputElement>)} />}
      {hint && (
        <p class="field__hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {problem && (
        <p class="field__problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </div>
  );
}

function withoutInputOnly<T extends object>(props: T) {
  const { min: _min, max: _max, pattern: _pattern, accept: _accept, ...rest } = props as T & Partial<Props>;
  return rest;
}
