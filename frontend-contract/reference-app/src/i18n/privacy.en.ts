/** One's own data and the end of the account, in English. */
export const privacy = {
  'privacy.title': 'Your data',
  'privacy.lead': 'Everything the library keeps about you, as one file: profile, devices, conversations, likes and reports.',
  'privacy.ask': 'Gather my data',
  'privacy.again': 'Gather it anew',
  'privacy.waiting': 'Your data is being gathered. You can leave this page; we write to you when it is ready.',
  'privacy.ready': 'Ready: {size} KB, from {made}. It is removed on {end}.',
  'privacy.download': 'Download',
  'privacy.deleteTitle': 'Delete account',
  'privacy.deleteLead':
    'Your conversations, likes, devices and keys go at once and for good. Reports you filed and decisions you made stay, without your name. Download your data first if you want to keep it.',
  'privacy.delete': 'Delete my account',
  'privacy.deleteSure': 'Delete your account for good?',
  'privacy.deleted': 'Your account is deleted. Farewell!',

  'error.export-not-ready': 'There is no finished file. Gather your data first.',
  'error.export-link-expired': 'This link is no longer good. Please download from your account page.',
} as const;
