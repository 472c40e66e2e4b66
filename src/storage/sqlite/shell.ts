import { printable } from '../../domain/printable.js'

/** A path as one word of a shell command line, on one line whatever the path holds. */
export function shellWord(path: string): string {
  if (/^[\w@%+=:,./-]+$/.test(path)) return path
  if (printable(path) === path) return `'${path.replaceAll("'", "'\\''")}'`
  // $'…' knows the escapes that `printable` makes.
  return `$'${printable(path.replaceAll('\\', '\\\\').replaceAll("'", "\\'"))}'`
}
