import { KeymuxError } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import { LineEditor } from './line-editor.js'
import type { Terminal } from './terminal.js'

/**
 * Asks the person on the terminal itself: standard input and output may be pipes meanwhile. Every question
 * gives `undefined` when there is no terminal to ask on, so that nothing ever waits for nobody.
 *
 * All throw KeymuxError `interrupted` on Ctrl-C and `aborted` on Ctrl-D.
 */
export interface Prompter {
  /** One line, not shown while it is typed. */
  hidden(question: string): Promise<string | undefined>
  /** One line, shown. `withdrawn` ends the question: the promise is then rejected with its reason. */
  line(question: string, withdrawn?: AbortSignal): Promise<string | undefined>
  /** Yes or no; a bare return means `fallback`, no by default. */
  confirm(question: string, fallback?: boolean): Promise<boolean | undefined>
  /** A new passphrase: typed twice, and not empty. `what` names it: `Passphrase for the new vault`. */
  newPassphrase(what: string): Promise<string | undefined>
}

const TRIES = 3
/** Below this many characters a passphrase is called short. It is advice: the KDF slows guessing, no more. */
const WISE_LENGTH = 12

/** A prompter on the terminal that `open` gives. `signal` ends a question that is being asked. */
export function createPrompter(open: () => Terminal | undefined, signal: AbortSignal): Prompter {
  // What was typed ahead of the next question.
  let ahead: Uint8Array = new Uint8Array()

  async function ask(
    question: string,
    visible: boolean,
    withdrawn?: AbortSignal,
  ): Promise<string | undefined> {
    const ended = withdrawn === undefined ? signal : AbortSignal.any([signal, withdrawn])
    ended.throwIfAborted()
    const terminal = open()
    if (terminal === undefined) return undefined
    try {
      terminal.raw(!visible)
      terminal.write(printable(question))
      const { text, rest } = await readLine(terminal, ahead, ended)
      ahead = rest
      return text
    } catch (error) {
      ahead = new Uint8Array()
      throw error
    } finally {
      // In raw mode nobody but us ends the line; a shown line ended with the person's own return.
      if (!visible || ended.aborted) terminal.write('\n')
      terminal.close()
    }
  }

  async function say(text: string): Promise<void> {
    const terminal = open()
    terminal?.write(`${printable(text)}\n`)
    terminal?.close()
  }

  return {
    hidden: (question) => ask(question, false),
    line: (question, withdrawn) => ask(question, true, withdrawn),
    async confirm(question, fallback = false) {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const answer = (await ask(`${question} ${fallback ? '[Y/n]' : '[y/N]'} `, true))?.trim().toLowerCase()
        if (answer === undefined) return undefined
        if (answer === '') return fallback
        if (answer === 'y' || answer === 'yes') return true
        if (answer === 'n' || answer === 'no') return false
        await say('Please answer y or n.')
      }
      return false
    },
    async newPassphrase(what) {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const first = await ask(`${what} (${WISE_LENGTH} characters or more are wise): `, false)
        if (first === undefined) return undefined
        if (first === '') {
          await say('It must not be empty.')
          continue
        }
        const second = await ask('The same again: ', false)
        if (second === undefined) return undefined
        if (second === first) return first
        await say('They differ; once more.')
      }
      throw new KeymuxError('invalid_value', 'no passphrase was chosen', { hint: 'type the same one twice' })
    },
  }
}

function readLine(
  terminal: Terminal,
  ahead: Uint8Array,
  signal: AbortSignal,
): Promise<{ text: string; rest: Uint8Array }> {
  const editor = new LineEditor()
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    const take = (bytes: Uint8Array | undefined): void => {
      const fed =
        bytes === undefined ? { event: { kind: 'end' } as const, rest: new Uint8Array() } : editor.feed(bytes)
      if (fed === undefined) return
      signal.removeEventListener('abort', abort)
      if (fed.event.kind === 'line') resolve({ text: fed.event.text, rest: fed.rest })
      else if (fed.event.kind === 'interrupt') reject(new KeymuxError('interrupted', 'interrupted'))
      else
        reject(new KeymuxError('aborted', 'nothing was typed', { hint: 'the command has changed nothing' }))
    }
    signal.addEventListener('abort', abort, { once: true })
    terminal.listen(take)
    if (ahead.byteLength > 0) take(ahead)
  })
}
