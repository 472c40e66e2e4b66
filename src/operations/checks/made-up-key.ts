import type { Random } from '../../domain/ports.js'

/** What keys begin with that tells whose they are, and nothing else: the longest that fits is kept. */
const PREFIXES: readonly string[] = [
  'sk-ant-api03-',
  'sk-ant-oat01-',
  'sk-ant-admin01-',
  'sk-ant-',
  'sk-proj-',
  'sk-svcacct-',
  'sk-admin-',
  'sk-or-v1-',
  'sk-',
  'gsk_',
  'AIza',
  'ya29.',
  'xai-',
  'pplx-',
  'nvapi-',
  'csk-',
  'fw_',
  'hf_',
  'r8_',
  'ghp_',
  'gho_',
  'ghu_',
  'github_pat_',
  'tgp_v1_',
]
const DIGITS = '0123456789'
const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const HEX = '0123456789abcdef'
const LONGEST = 4_096

/**
 * A key of the shape of `credential` that nobody has: its issuer's prefix, its length, and its kinds of characters in
 * their places. Nothing else of the credential is in it.
 *
 * @param random where its characters come from; it need be no secret
 */
export function madeUpKey(credential: string, random: Random): string {
  const prefix = PREFIXES.find((one) => credential.startsWith(one)) ?? ''
  const rest = credential.slice(prefix.length, LONGEST)
  const isHex = /^[0-9a-f]+$/.test(rest)
  return prefix + [...rest].map((one) => (isHex ? pick(HEX, random) : another(one, random))).join('')
}

function another(character: string, random: Random): string {
  if (/[0-9]/.test(character)) return pick(DIGITS, random)
  if (/[a-z]/.test(character)) return pick(LOWER, random)
  if (/[A-Z]/.test(character)) return pick(LOWER, random).toUpperCase()
  // What joins the parts of a key stays; anything rarer might be a part of the secret.
  return /[-_.:]/.test(character) ? character : pick(LOWER, random)
}

function pick(alphabet: string, random: Random): string {
  return alphabet[Math.floor(random() * alphabet.length) % alphabet.length] ?? ''
}
