import { KeymuxError } from '../../../domain/errors.js'
import type { BrowserLogin, LoginResult, Logins, LoginTarget } from '../../../domain/logins.js'
import { canShowBrowser, openBrowser } from '../../../system/browser.js'
import type { CliContext } from '../context.js'

/** Longest pasted address. */
const LONGEST_PASTE = 8_192
const PASTE_TRIES = 5
const QUESTION = 'If it ends at a page that cannot be shown, paste its address here: '

/** Logs in through a browser, here or on another machine. Whichever answer comes first counts. */
export async function inBrowser(
  context: CliContext,
  logins: Logins,
  target: LoginTarget,
  options: { readonly noBrowser: boolean; readonly secretVariables: Iterable<string> },
): Promise<LoginResult> {
  const attempt = await logins.browser(target)
  const over = new AbortController()
  const guide = new Guide(context, attempt, over.signal)
  try {
    void guide.show(options)
    return await attempt.complete()
  } finally {
    // What is printed next begins a line of its own.
    over.abort(new Error('the login is over'))
    await guide.ended
    await attempt[Symbol.asyncDispose]()
  }
}

/** Leads the person to the login's page, and takes the address that a browser elsewhere ended at. */
class Guide {
  /** The open question, if any, has gone. */
  ended: Promise<unknown> = Promise.resolve()
  readonly #context: CliContext
  readonly #attempt: BrowserLogin
  readonly #over: AbortSignal

  constructor(context: CliContext, attempt: BrowserLogin, over: AbortSignal) {
    this.#context = context
    this.#attempt = attempt
    this.#over = over
  }

  async show(options: { noBrowser: boolean; secretVariables: Iterable<string> }): Promise<void> {
    const { output, host } = this.#context
    const { url } = this.#attempt
    if (output.json) output.event({ event: 'open', url })
    const shown =
      !options.noBrowser && canShowBrowser(host) && (await openBrowser(url, host, options.secretVariables))
    if (this.#over.aborted) return
    if (shown) {
      output.note('Log in in the browser window that has opened. If there is none, open this address:')
      output.note(url)
    } else {
      output.note('Log in with this address in a browser:')
      if (!output.json) host.stderr.write(`${url}\n`)
    }
    // Nobody to paste, or an interrupt that ends the login anyway: the listener goes on.
    this.ended = this.#ask().catch(() => {})
    if (!host.stdin.isTTY) this.#read().catch(() => {})
  }

  /** On the terminal. */
  async #ask(): Promise<void> {
    for (let tries = 0; tries < PASTE_TRIES; tries += 1) {
      const typed = await this.#context.host.prompter.line(QUESTION, this.#over)
      if (typed === undefined || this.#paste(typed)) return
    }
  }

  /** What a program or a file gives, line by line. */
  async #read(): Promise<void> {
    for await (const line of this.#context.host.stdin.lines(LONGEST_PASTE)) {
      if (this.#over.aborted || (line !== '' && this.#paste(line))) return
    }
  }

  #paste(text: string): boolean {
    try {
      this.#attempt.paste(text)
      return true
    } catch (error) {
      if (!(error instanceof KeymuxError)) throw error
      this.#context.output.note(`${error.message}: ${error.hint ?? ''}`)
      return false
    }
  }
}
