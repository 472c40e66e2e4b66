// Control characters (C0, DEL, C1), unpaired surrogates, line and paragraph separators, bidirectional
// marks, embeddings, overrides and isolates, and characters without a shape: whatever could move the
// cursor, forge a line or hide part of one. Joiners stay, names in several scripts and emoji need them.
const UNPRINTABLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu
const NEEDS_WORK = /[^\x20-\x7e]/

/** Stored or foreign text, safe for a terminal: every unprintable character becomes `\uXXXX` (`\n`, `\r`, `\t`). */
export function printable(text: string): string {
  if (!NEEDS_WORK.test(text)) return text
  return text.replace(UNPRINTABLE, escapeCharacter)
}

/** JSON text, safe for a terminal: what `JSON.stringify` leaves raw is escaped; the document stays the same. */
export function printableJson(json: string): string {
  // Line feeds are the document's own layout here: inside strings they are escaped already.
  return json.replace(UNPRINTABLE, (character) => (character === '\n' ? character : codeUnit(character)))
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  return codeUnit(character)
}

function codeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
