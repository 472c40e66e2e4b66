import { StringDecoder } from 'node:string_decoder'

/** What the person did: finished a line, pressed Ctrl-C, or Ctrl-D on an empty line. */
export type EditorEvent =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'interrupt' | 'end' }

const CONTROL_C = '\u0003'
const CONTROL_D = '\u0004'
const CONTROL_U = '\u0015'
const ESCAPE = '\u001b'
const LONGEST = 1024 * 1024

/**
 * Edits one line typed into a raw terminal: backspace, Ctrl-U, multi-byte characters split over chunks,
 * pasted text. Arrow keys, the marks of a bracketed paste and other control characters are dropped.
 */
export class LineEditor {
  readonly #decoder = new StringDecoder('utf8')
  #characters: string[] = []
  #sequence: 'none' | 'escape' | 'csi' | 'ss3' = 'none'

  /** Takes typed bytes; gives the event that ends the line, and what was typed after it. */
  feed(bytes: Uint8Array): { event: EditorEvent; rest: Uint8Array } | undefined {
    const text = this.#decoder.write(Buffer.from(bytes))
    let consumed = 0
    for (const character of text) {
      consumed += character.length
      const event = this.#take(character)
      if (event !== undefined)
        return { event, rest: Buffer.from(afterReturn(character, text.slice(consumed))) }
    }
    // A lone Esc key, as no terminal splits a sequence of its own right there.
    if (this.#sequence === 'escape') this.#sequence = 'none'
    return undefined
  }

  #take(character: string): EditorEvent | undefined {
    if (this.#sequence !== 'none') {
      this.#skip(character)
      return undefined
    }
    switch (character) {
      case '\r':
      case '\n':
        return this.#finish()
      case CONTROL_C:
        this.#characters = []
        return { kind: 'interrupt' }
      case CONTROL_D:
        return this.#characters.length === 0 ? { kind: 'end' } : undefined
      case CONTROL_U:
        this.#characters = []
        return undefined
      case '\u007f':
      case '\b':
        this.#characters.pop()
        return undefined
      case ESCAPE:
        this.#sequence = 'escape'
        return undefined
    }
    const visible = character === '\t' || !/\p{Cc}/u.test(character)
    if (visible && this.#characters.length < LONGEST) this.#characters.push(character)
    return undefined
  }

  #finish(): EditorEvent {
    const text = this.#characters.join('')
    this.#characters = []
    return { kind: 'line', text }
  }

  /** Passes over an escape sequence (ECMA-48): CSI up to its final byte, SS3 and others one character. */
  #skip(character: string): void {
    if (this.#sequence === 'escape' && character === '[') this.#sequence = 'csi'
    else if (this.#sequence === 'escape' && character === 'O') this.#sequence = 'ss3'
    else if (this.#sequence !== 'csi' || (character >= '@' && character <= '~')) this.#sequence = 'none'
  }
}

/** A return and a line feed are one end of line. */
function afterReturn(end: string, rest: string): string {
  return end === '\r' && rest.startsWith('\n') ? rest.slice(1) : rest
}
