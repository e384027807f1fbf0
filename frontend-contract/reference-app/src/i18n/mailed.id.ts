/** Kata-kata halaman yang dituju oleh surel. */
import type { mailed as en } from './mailed.en.ts';

export const mailed: Record<keyof typeof en, string> = {
  'mailed.forgot': 'Lupa kata sandi?',
  'mailed.byMail': 'Masuk lewat surel',
  'mailed.sentTitle': 'Periksa kotak surel Anda',
  'mailed.sent': 'Jika {email} terdaftar, surel sedang dikirim ke sana. Mungkin perlu satu menit, dan mungkin masuk ke folder spam.',
  'mailed.sendAgain': 'Kirim sekali lagi',
  'mailed.otherAddress': 'Alamat lain',
  'mailed.toLogin': 'Ke halaman masuk',
  'mailed.home': 'Ke perpustakaan',

  'verify.title': 'Konfirmasikan alamat Anda',
  'verify.why': 'Satu langkah lagi, agar bukan pemindai surel yang melakukannya untuk Anda.',
  'verify.act': 'Konfirmasi',
  'verify.confirmed': 'Terima kasih. Alamat Anda sudah dikonfirmasi.',
  'verify.changed': 'Terima kasih. Mulai sekarang akun Anda memakai alamat ini.',
  'verify.restored': 'Akun Anda kembali ke alamat ini, semua orang sudah dikeluarkan, dan kunci API-nya sudah berakhir. Surel dengan tautan untuk kata sandi baru sedang dikirim.',
  'verify.ask': 'Kami mengirim tautan untuk mengonfirmasi alamat Anda.',
  'verify.send': 'Kirim tautan',
  'verify.banner': 'Mohon konfirmasikan alamat {email}: tautannya ada di kotak surel Anda.',
  'verify.bannerSent': 'Tautan baru sedang dikirim ke {email}.',

  'kept.title': 'Yang tetap ada',
  'kept.why': 'Ini dibuat sebelum akun dipindahkan, mungkin oleh orang yang memindahkannya. Masuklah dengan kata sandi baru Anda, lalu hapus yang bukan milik Anda. Jika salah satunya menghalangi Anda masuk, hubungi admin perpustakaan.',
  'kept.totp': 'Aplikasi autentikator',
  'kept.passkey': 'Kunci sandi “{name}”',
  'kept.identity': 'Akun tertaut: {name}',
  'kept.since': 'sejak {day}',
  'kept.look': 'Periksa di akun Anda',

  'forgot.title': 'Buat kata sandi baru',
  'forgot.ask': 'Kami mengirim tautan untuk membuat yang baru.',
  'forgot.send': 'Kirim tautan',
  'reset.title': 'Kata sandi baru Anda',
  'reset.why': 'Semua perangkat Anda akan keluar dan kunci API Anda berakhir. Setelah itu, masuklah dengan kata sandi ini.',
  'reset.act': 'Simpan kata sandi',
  'reset.done': 'Kata sandi Anda tersimpan. Silakan masuk.',

  'magic.title': 'Masuk lewat surel',
  'magic.ask': 'Kami mengirim tautan untuk masuk tanpa kata sandi.',
  'magic.send': 'Kirim tautan',
  'magic.why': 'Tautan di surel Anda memasukkan Anda di perangkat ini.',
  'magic.act': 'Masuk',

  'address.title': 'Alamat surel',
  'address.now': 'Akun Anda memakai {email}.',
  'address.new': 'Alamat baru',
  'address.hint': 'Berlaku setelah Anda membuka tautan yang kami kirim ke sana.',
  'address.change': 'Ubah alamat',
  'address.sent': 'Jika alamat itu dapat dipakai, tautannya sedang dikirim ke sana.',

  'error.link-unusable': 'Tautan ini sudah dipakai, kedaluwarsa, atau diganti dengan yang lebih baru.',
  'error.deceptive-address': 'Alamat ini mencampur aksara atau memakai tanda yang tidak ada dalam alamat.',
};
