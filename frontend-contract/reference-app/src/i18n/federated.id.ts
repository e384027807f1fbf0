/** Masuk lewat penyedia lain, dan akun yang tertaut, dalam bahasa Indonesia. */
export const federated = {
  'federated.or': 'atau',
  'federated.continue': 'Lanjutkan dengan {name}',
  'federated.title': 'Akun tertaut',
  'federated.lead': 'Akun di tempat lain yang bisa dipakai untuk masuk ke sini.',
  'federated.none': 'Belum ada yang tertaut.',
  'federated.link': 'Tautkan {name}',
  'federated.unlink': 'Lepaskan',
  'federated.unlinkOf': 'Lepaskan {name}, {email}',
  'federated.since': 'ditautkan {date}',
  'federated.used': 'terakhir dipakai {ago}',
  'federated.linked': '{name} sudah tertaut ke akun Anda.',
  'federated.unlinked': '{name} tidak tertaut lagi.',

  'error.provider-unavailable': 'Layanan itu sedang tidak menjawab. Coba lagi sebentar lagi, atau masuk dengan cara lain.',
  'error.provider-failed': 'Jawaban layanan itu tidak dapat dipakai. Silakan mulai lagi.',
  'error.sign-in-cancelled': 'Proses masuk dibatalkan.',
  'error.stale-sign-in': 'Proses masuk ini sudah kedaluwarsa atau sudah dipakai. Silakan mulai lagi.',
  'error.foreign-sign-in': 'Proses masuk ini dimulai di peramban atau sesi lain. Silakan mulai lagi di sini.',
  'error.provider-email-unverified':
    'Layanan itu belum mengonfirmasi alamat surel Anda. Konfirmasikan di sana, atau masuk dengan cara lain lalu tautkan di halaman akun.',
  'error.link-by-sign-in':
    'Ada akun dengan surel ini yang alamatnya belum pernah dikonfirmasi. Masuklah ke akun itu, atau atur ulang kata sandinya; lalu tautkan di halaman akun.',
  'error.identity-taken': 'Akun itu sudah tertaut ke akun lain di sini.',
  'error.last-way-in': 'Ini satu-satunya cara masuk ke akun Anda. Minta kata sandi lewat surel di halaman masuk, atau tautkan akun lain dahulu.',
} as const;
