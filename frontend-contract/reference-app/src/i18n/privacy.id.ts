/** Data sendiri dan penghapusan akun, dalam bahasa Indonesia. */
export const privacy = {
  'privacy.title': 'Data Anda',
  'privacy.lead': 'Semua yang disimpan perpustakaan tentang Anda dalam satu berkas: profil, perangkat, percakapan, suka, dan laporan.',
  'privacy.ask': 'Kumpulkan data saya',
  'privacy.again': 'Kumpulkan lagi',
  'privacy.waiting': 'Data Anda sedang dikumpulkan. Anda boleh meninggalkan halaman ini; kami akan mengirim surat bila sudah siap.',
  'privacy.ready': 'Siap: {size} KB, dibuat {made}. Akan dihapus pada {end}.',
  'privacy.download': 'Unduh',
  'privacy.deleteTitle': 'Hapus akun',
  'privacy.deleteLead':
    'Percakapan, suka, perangkat, dan kunci Anda langsung hilang untuk selamanya. Laporan yang Anda kirim dan keputusan yang Anda buat tetap ada, tanpa nama Anda. Unduh data Anda lebih dulu bila ingin menyimpannya.',
  'privacy.delete': 'Hapus akun saya',
  'privacy.deleteSure': 'Hapus akun Anda untuk selamanya?',
  'privacy.deleted': 'Akun Anda telah dihapus. Selamat jalan!',

  'error.export-not-ready': 'Belum ada berkas yang siap. Kumpulkan data Anda lebih dulu.',
  'error.export-link-expired': 'Tautan ini tidak berlaku lagi. Silakan unduh dari halaman akun Anda.',
} as const;
