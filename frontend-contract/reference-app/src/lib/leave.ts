/** Logging out, from wherever the button stands. */

import { explain } from './errors.ts';
import { t } from './i18n.ts';
import { logout } from './session.ts';
import { toast } from './toast.ts';

export async function leave(route: (url: string) => void): Promise<void> {
  try {
    await logout();
    toast(t('auth.loggedOut'));
    route('/');
  } catch (error) {
    toast(explain(error), 'warn');
  }
}
