/** The native dialog: focus is kept inside, Escape closes, the page behind is inert. */

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../lib/i18n.ts';
import { Icon } from './icons.tsx';

interface Props {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const opener = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class="dialog"
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === ref.current && ref.current?.close()}
    >
      <div class="dialog__body">
        <header class="dialog__head">
          <h2 id={heading}>{title}</h2>
          <button type="button" class="icon-button" aria-label={t('app.close')} onClick={() => ref.current?.close()}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  question: string;
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ question, action, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog title={question} onClose={onClose}>
      <div class="dialog__actions">
        <button type="button" class="button" onClick={onClose}>
          {t('app.cancel')}
        </button>
        <button
          type="button"
          class="button button--danger"
          onClick={() => {
            onConfirm();
            onClose();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
