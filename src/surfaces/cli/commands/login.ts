import { KeymuxError } from '../../../domain/errors.js'
import { parseProfileId } from '../../../domain/ids.js'
import type { LoginResult, LoginTarget } from '../../../profiles/login-types.js'
import type { Logins } from '../../../profiles/logins.js'
import { checkReference } from '../../../profiles/validate.js'
import { canShowBrowser, openBrowser } from '../../../system/browser.js'
import type { CliContext } from '../context.js'
import type { CommandInput } from '../input.js'
import type { CommandSpec } from '../spec.js'

/** Longest pasted address. */
const LONGEST_PASTE = 8_192
const PASTE_TRIES = 5

/** `keymux login`: an account by OAuth. */
export const login: CommandSpec = {
  description:
    'Opens the browser at the provider and stores what comes back. Without a browser, here or on this machine, the address of the page is printed: log in anywhere, then paste the address you end at. A second account gets a name of its own, by its e-mail address or --name.',
  arguments: [
    { name: 'PROVIDER[:NAME]', summary: 'the provider, and a name for this account', completes: 'provider' },
  ],
  options: [
    { flags: '--name <N>', summary: "the account's name; its e-mail address by default" },
    { flags: '--device', summary: 'log in on another device, with a code' },
    { flags: '--client-id <ID>', summary: 'the OAuth client to log in with, where you registered your own' },
    {
      flags: '--client-secret-ref <REF>',
      summary: "where that client's secret is kept, if it has one: vault://NAME, env://VAR or file:///path",
    },
    {
      flags: '--replace',
      summary: 'take the place of a login or key although nothing says that it is the same account',
    },
    { flags: '--no-browser', summary: 'print the address instead of opening a browser' },
    { flags: '--port <N>', summary: 'the port the browser comes back to; a free one by default' },
  ],
  examples: [
    { line: 'keymux login openrouter', does: 'gets an API key with your consent in the browser' },
    { line: 'keymux login gemini --client-id ID', does: 'logs in with a Desktop client of your own' },
    { line: 'keymux login corp:work --device', does: 'shows a code to type on another device' },
  ],
  async run(context, input) {
    const target = targetOf(context, input)
    const handle = await context.open()
    const logins = await handle.logins()
    await logins.check(target)
    const complete = await withClientSecret(context, handle.vault, logins, target)
    const device = input.flag('device') || logins.prefersDevice(target.provider)
    if (device && target.port !== undefined)
      throw new KeymuxError('usage', 'a device login uses no port', { hint: 'leave --port out' })
    const result = device
      ? await onDevice(context, logins, complete)
      : await inBrowser(context, logins, complete, input.flag('no-browser'))
    report(context, result)
    return undefined
  },
}

function targetOf(context: CliContext, input: CommandInput): LoginTarget {
  const text = input.argument('PROVIDER[:NAME]')
  const { provider, name } = parseProfileId(text)
  const named = text.includes(':') ? name : undefined
  const option = input.text('name')
  if (named !== undefined && option !== undefined && named !== option)
    throw new KeymuxError('usage', 'two names are given', { hint: 'use PROVIDER:NAME or --name' })
  const wanted = option ?? named
  const clientId = input.text('client-id')
  const reference = input.text('client-secret-ref')
  if (reference !== undefined) checkReference(reference)
  const port = input.integer('port', { min: 0, max: 65_535 })
  return {
    provider,
    signal: context.signal,
    ...(wanted === undefined ? {} : { name: wanted }),
    ...(input.flag('replace') ? { replace: true } : {}),
    ...(clientId === undefined ? {} : { clientId }),
    ...(reference === undefined ? {} : { clientSecretRef: reference }),
    ...(port === undefined ? {} : { port }),
  }
}

/**
 * Google's Desktop clients have a secret. It is asked for without showing it and kept as a named secret, or
 * left out where there is nobody to ask.
 */
async function withClientSecret(
  context: CliContext,
  vault: { has(name: string): Promise<boolean>; set(name: string, value: string): Promise<void> },
  logins: Logins,
  target: LoginTarget,
): Promise<LoginTarget> {
  const { clientId, clientSecretRef, provider } = target
  if (clientId === undefined || clientSecretRef !== undefined || !logins.asksForSecret(provider))
    return target
  const name = `oauth-client:${provider}:${clientId.slice(0, 64)}`
  if (!(await vault.has(name))) {
    const secret = await context.host.prompter.hidden(`Secret of the client ${clientId}: `)
    if (secret === undefined || secret === '') return target
    await vault.set(name, secret)
  }
  return { ...target, clientSecretRef: `vault://${name}` }
}

async function onDevice(context: CliContext, logins: Logins, target: LoginTarget): Promise<LoginResult> {
  const attempt = await logins.device(target)
  const { output, style, host } = context
  if (output.json) {
    output.event({
      event: 'device',
      verification_uri: attempt.verificationUri,
      ...(attempt.verificationUriComplete === undefined
        ? {}
        : { verification_uri_complete: attempt.verificationUriComplete }),
      user_code: attempt.userCode,
      expires_in: attempt.expiresInSeconds,
    })
  } else {
    const minutes = Math.max(1, Math.round(attempt.expiresInSeconds / 60))
    host.stderr.write(`Open ${attempt.verificationUri}\nand type the code ${style.bold(attempt.userCode)}\n`)
    output.note(`Waiting for you to finish there, ${minutes} min at most.`)
  }
  return attempt.complete()
}

async function inBrowser(
  context: CliContext,
  logins: Logins,
  target: LoginTarget,
  noBrowser: boolean,
): Promise<LoginResult> {
  const attempt = await logins.browser(target)
  try {
    const question = await showAddress(context, attempt, noBrowser)
    const result = await attempt.complete()
    // The browser was faster: what is printed next begins a line of its own.
    if (question?.open === true) context.host.stderr.write('\n')
    return result
  } finally {
    await attempt[Symbol.asyncDispose]()
  }
}

/** Opens the browser at the login's address, or shows the address where no browser can be opened. */
async function showAddress(
  context: CliContext,
  attempt: Awaited<ReturnType<Logins['browser']>>,
  noBrowser: boolean,
): Promise<Question | undefined> {
  const { output, host } = context
  if (output.json) output.event({ event: 'open', url: attempt.url })
  const shown = !noBrowser && canShowBrowser(host) && (await openBrowser(attempt.url, host))
  if (shown) {
    output.note('Log in in the browser window that has opened. If there is none, open this address:')
    output.note(attempt.url)
    return undefined
  }
  output.note('Log in with this address in a browser:')
  if (!output.json) host.stderr.write(`${attempt.url}\n`)
  return acceptPaste(context, attempt.paste)
}

/** Whether a question on the terminal waits for its answer. */
interface Question {
  open: boolean
}

/** Takes the address that a browser elsewhere ended at, beside the listener. Whichever comes first counts. */
function acceptPaste(context: CliContext, paste: (text: string) => void): Question {
  const question: Question = { open: false }
  const attempt = async (): Promise<void> => {
    const { prompter, stdin } = context.host
    for (let tries = 0; tries < PASTE_TRIES; tries += 1) {
      question.open = true
      const typed = await prompter.line('If it ends at a page that cannot be shown, paste its address here: ')
      question.open = false
      if (typed === undefined) break
      if (tryPaste(context, paste, typed)) return
    }
    if (stdin.isTTY) return
    const text = new TextDecoder().decode(await stdin.read(LONGEST_PASTE))
    for (const line of text.split(/\r?\n/)) if (line !== '' && tryPaste(context, paste, line)) return
  }
  // Nobody to paste, or an interrupt that ends the login anyway: the listener goes on.
  attempt().catch(() => {})
  return question
}

function tryPaste(context: CliContext, paste: (text: string) => void, text: string): boolean {
  try {
    paste(text)
    return true
  } catch (error) {
    if (!(error instanceof KeymuxError)) throw error
    context.output.note(`${error.message}: ${error.hint ?? ''}`)
    return false
  }
}

function report({ output, style }: CliContext, { profileId, email, renewed }: LoginResult): void {
  const mail = email === undefined ? {} : { email }
  if (output.json) {
    output.event({ event: 'done', profile_id: profileId, ...mail })
    return
  }
  const who = email === undefined ? '' : ` as ${email}`
  output.text(
    output.isTTY
      ? `${style.good('✓')} ${renewed ? 'Logged in again' : 'Logged in'}${who}: ${profileId}.`
      : profileId,
  )
}
