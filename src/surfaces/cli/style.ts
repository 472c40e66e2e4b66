/** Paints text for a terminal, or leaves it alone. */
export interface Style {
  readonly enabled: boolean
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  /** It works. */
  readonly good: (text: string) => string
  /** It will work again, or works for a while. */
  readonly caution: (text: string) => string
  /** It does not work. */
  readonly bad: (text: string) => string
  /** Something to look at: a heading, a command. */
  readonly accent: (text: string) => string
}

// Foregrounds that can be read on black and on white: no black, white, yellow, nor any bright shade.
const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  good: [32, 39],
  caution: [35, 39],
  bad: [31, 39],
  accent: [36, 39],
} as const

/** A style that paints, or one that does nothing. */
export function createStyle(enabled: boolean): Style {
  const paint = (kind: keyof typeof CODES) => {
    const [on, off] = CODES[kind]
    return (text: string): string => (enabled && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text)
  }
  return {
    enabled,
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('good'),
    caution: paint('caution'),
    bad: paint('bad'),
    accent: paint('accent'),
  }
}

/** What decides about colour. */
export interface ColorFacts {
  readonly isTTY: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** `--no-color` was given. */
  readonly refused: boolean
}

/**
 * Whether to paint: never with `--no-color` or a filled `NO_COLOR` (no-color.org), always with
 * `FORCE_COLOR` (other than 0 and false), else on a terminal that is not dumb.
 */
export function wantsColor({ isTTY, env, refused }: ColorFacts): boolean {
  if (refused || (env.NO_COLOR !== undefined && env.NO_COLOR !== '')) return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return isTTY && env.TERM !== 'dumb'
}

// Exactly what `createStyle` writes: any other escape sequence came from outside.
const OWN_SEQUENCES = new RegExp(`(\u001b\\[(?:${[...new Set(Object.values(CODES).flat())].join('|')})m|\\n)`)

/** Applies `clean` to everything but the style's own sequences and line feeds. */
export function outsideStyle(text: string, clean: (part: string) => string): string {
  return text
    .split(OWN_SEQUENCES)
    .map((part, index) => (index % 2 === 1 ? part : clean(part)))
    .join('')
}
