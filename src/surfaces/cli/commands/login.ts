import { KeymuxError } from '../../../domain/errors.js'
import { parseProfileId } from '../../../domain/ids.js'
import type { LoginResult, Logins, LoginTarget } from '../../../domain/logins.js'
import type { ProviderMetadata } from '../../../domain/provider.js'
import { parseList } from '../../../operations/members.js'
import { checkReference } from '../../../profiles/validate.js'
import { providerEnvNames } from '../../../providers/request.js'
import type { CliContext } from '../context.js'
import type { CommandInput } from '../input.js'
import type { CommandSpec } from '../spec.js'
import { inBrowser } from './login-browser.js'
import { withClientSecret } from './login-secret.js'

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
    {
      flags: '--scope <SCOPE,…>',
      summary: "what to ask for, in place of the provider's scopes",
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
    const { logins: load, vault, providers } = await context.open()
    const logins = await load()
    const prepared = await logins.prepare(target)
    const device = input.flag('device') || logins.prefersDevice(target.provider)
    if (device && target.port !== undefined)
      throw new KeymuxError('usage', 'a device login uses no port', { hint: 'leave --port out' })
    const options = {
      noBrowser: input.flag('no-browser'),
      secretVariables: secretVariables(providers.list()),
    }
    const result = await withClientSecret(context, vault, logins, prepared, (complete) =>
      device ? onDevice(context, logins, complete) : inBrowser(context, logins, complete, options),
    )
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
  const scopes = input.text('scope')
  const port = input.integer('port', { min: 0, max: 65_535 })
  return {
    provider,
    signal: context.signal,
    name: wanted,
    ...(input.flag('replace') ? { replace: true } : {}),
    clientId,
    clientSecretRef: reference,
    ...(scopes === undefined ? {} : { scopes: parseScopes(scopes) }),
    port,
  }
}

/** @throws KeymuxError `invalid_value` where one is no scope (RFC 6749 section 3.3) */
function parseScopes(text: string): string[] {
  const scopes = parseList('--scope', text)
  if (scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(scope))) return scopes
  throw new KeymuxError('invalid_value', '--scope takes scopes, separated by commas', {
    hint: 'such as --scope openid,email',
  })
}

/** The variables that may hold a credential: no business of a browser. */
function secretVariables(providers: readonly ProviderMetadata[]): string[] {
  return providers.flatMap(providerEnvNames)
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
