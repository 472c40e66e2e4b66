import { parseFlatJson } from '../domain/nesting.js'

/** Values nested deeper than this are skipped: errors lie near the top. */
const MAX_DEPTH = 32

/**
 * Reads JSON that may be cut off or broken: whatever was complete up to there is kept, a text that is cut
 * off too. Objects have no prototype. Never throws; time is linear in the text.
 */
export function parseTolerantly(text: string): unknown {
  try {
    return parseFlatJson(text)
  } catch {
    return new TolerantReader(text).value(0)
  }
}

class TolerantReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): unknown {
    this.#skipSpace()
    const next = this.#text[this.#at]
    if (next === '"') return this.#string()
    if (next !== '{' && next !== '[') return this.#scalar()
    if (depth >= MAX_DEPTH) return this.#skipNested()
    this.#at += 1
    return next === '{' ? this.#object(depth) : this.#array(depth)
  }

  #object(depth: number): unknown {
    const fields: Record<string, unknown> = Object.create(null)
    while (this.#more('}')) {
      if (this.#text[this.#at] !== '"') return this.#giveUp(fields)
      const key = this.#string()
      this.#skipSpace()
      if (this.#text[this.#at] !== ':') return this.#giveUp(fields)
      this.#at += 1
      const value = this.value(depth + 1)
      if (value !== undefined) fields[key] = value
    }
    return fields
  }

  #array(depth: number): unknown {
    const list: unknown[] = []
    while (this.#more(']')) {
      const before = this.#at
      const value = this.value(depth + 1)
      if (value !== undefined) list.push(value)
      if (this.#at === before) return this.#giveUp(list)
    }
    return list
  }

  /** Whether another member follows; steps over commas and the closing bracket. */
  #more(closing: string): boolean {
    this.#skip(/[\s,]*/y)
    if (this.#text[this.#at] !== closing) return this.#at < this.#text.length
    this.#at += 1
    return false
  }

  /** Nothing after a broken member can be trusted. */
  #giveUp<T>(value: T): T {
    this.#at = this.#text.length
    return value
  }

  #string(): string {
    const start = this.#at + 1
    let end = start
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1
    this.#at = Math.min(end + 1, this.#text.length)
    return unescaped(this.#text.slice(start, end))
  }

  #scalar(): unknown {
    const word = this.#skip(/[^\s,:[\]{}"]*/y)
    try {
      return JSON.parse(word)
    } catch {
      return undefined
    }
  }

  /** Steps over a value that is nested too deeply, without recursion. */
  #skipNested(): undefined {
    let open = 0
    do {
      const next = this.#text[this.#at]
      if (next === '"') {
        this.#string()
        continue
      }
      if (next === '{' || next === '[') open += 1
      else if (next === '}' || next === ']') open -= 1
      this.#at += 1
    } while (open > 0 && this.#at < this.#text.length)
    return undefined
  }

  #skipSpace(): void {
    this.#skip(/\s*/y)
  }

  #skip(sticky: RegExp): string {
    sticky.lastIndex = this.#at
    const found = sticky.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }
}

function unescaped(raw: string): string {
  if (!raw.includes('\\')) return raw
  const whole = raw.replace(/\\(?:u[0-9a-fA-F]{0,3})?$/, (rest, offset) =>
    precedingBackslashes(raw, offset) % 2 === 0 ? '' : rest,
  )
  try {
    return JSON.parse(`"${whole}"`)
  } catch {
    return whole
  }
}

function precedingBackslashes(text: string, end: number): number {
  let count = 0
  while (text[end - 1 - count] === '\\') count += 1
  return count
}
