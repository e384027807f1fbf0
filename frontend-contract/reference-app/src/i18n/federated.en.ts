/** Signing in with other providers, and the links to them, in English. */
export const federated = {
  'federated.or': 'or',
  'federated.continue': 'Continue with {name}',
  'federated.title': 'Linked accounts',
  'federated.lead': 'Accounts elsewhere that let you in here.',
  'federated.none': 'None is linked.',
  'federated.link': 'Link {name}',
  'federated.unlink': 'Unlink',
  'federated.unlinkOf': 'Unlink {name}, {email}',
  'federated.since': 'linked on {date}',
  'federated.used': 'last used {ago}',
  'federated.linked': '{name} is linked to your account.',
  'federated.unlinked': '{name} is no longer linked.',

  'error.provider-unavailable': 'That sign-in service does not answer right now. Try again in a moment, or log in another way.',
  'error.provider-failed': 'That sign-in service gave an answer we cannot use. Please start again.',
  'error.sign-in-cancelled': 'The sign-in was cancelled.',
  'error.stale-sign-in': 'This sign-in has expired or was already used. Please start again.',
  'error.foreign-sign-in': 'This sign-in began in another browser or session. Please start again here.',
  'error.provider-email-unverified':
    'That service has not confirmed your e-mail address. Confirm it there, or log in another way and link it on your account page.',
  'error.link-by-sign-in':
    'There is an account with this e-mail whose address was never confirmed. Log in to it, or reset its password; then link it on your account page.',
  'error.identity-taken': 'It is already linked to another account here.',
  'error.last-way-in': 'This is the only way to log in to your account. Get a password by mail, from the login page, or link another account first.',
} as const;
