/** JSON that nests: what opens a level, and what closes it. */
export const JSON_NESTS: readonly (readonly [string, string, string])[] = [
  ['lists', '[', ']'],
  ['objects', '{"a":', '}'],
  ['both in turn', '[{"a":', '}]'],
  ['objects after others', '{"b":1,"a":', '}'],
  ['lists with texts of brackets', '["[{\\"",', ']'],
]

/** JSON of this depth, made of such levels. */
export function jsonOfDepth(depth: number, open: string, close: string): string {
  const perLevel = close.length
  const whole = Math.floor(depth / perLevel)
  const rest = depth - whole * perLevel
  return `${open.repeat(whole)}${'['.repeat(rest)}1${']'.repeat(rest)}${close.repeat(whole)}`
}

/** YAML that nests, of about so many levels or as many as a file may have. */
export const YAML_NESTS: readonly (readonly [string, (depth: number) => string])[] = [
  ['brackets', (depth) => '['.repeat(depth)],
  ['closed brackets', (depth) => '['.repeat(depth) + ']'.repeat(depth)],
  ['braces', (depth) => '{a: '.repeat(depth)],
  ['closed braces', (depth) => `${'{a: '.repeat(depth)}1${'}'.repeat(depth)}`],
  ['pairs in brackets', (depth) => '[a: '.repeat(depth)],
  ['both in turn', (depth) => '[{a: '.repeat(depth / 2)],
  ['brackets on many lines', (depth) => '[\n'.repeat(depth)],
  ['dashes', (depth) => '- '.repeat(depth)],
  ['question marks', (depth) => '? '.repeat(depth)],
  ['question marks and dashes', (depth) => '? - '.repeat(depth / 2)],
  ['colons', (depth) => ': '.repeat(depth)],
  ['keys on one line', (depth) => 'a: '.repeat(depth)],
  ['keys and values on one line', (depth) => '? a : '.repeat(depth / 2)],
  ['indents', (depth) => indented(depth, ' ', 'a:')],
  ['indented dashes', (depth) => indented(depth, '  ', '-')],
  ['brackets with anchors and tags', (depth) => '!!seq &a ['.repeat(depth)],
  ['brackets after a document', (depth) => `1\n--- ${'['.repeat(depth)}`],
]

/** One line a level; a megabyte holds some 1,400 of them. */
function indented(depth: number, indent: string, mark: string): string {
  const levels = Math.min(depth, 1_000)
  return Array.from({ length: levels }, (_, level) => `${indent.repeat(level)}${mark}\n`).join('')
}
